//! How far the session of a place is, for whoever watches it.

use std::{
    fmt::Display,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// How far a session is.
#[derive(Debug, Default)]
pub(super) struct Standing {
    waits: Mutex<Waits>,
    has_begun: AtomicBool,
    decides_for: AtomicUsize,
}

/// Reasons to wait: the last one that was told, and those that nobody took.
#[derive(Debug, Default)]
struct Waits {
    last: String,
    untaken: Vec<String>,
}

impl Standing {
    /// It cannot begin yet. A reason that stays the same is told once.
    pub(super) fn wait_for(&self, why: &impl Display) {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        let why = why.to_string();
        if waits.last != why {
            waits.last.clone_from(&why);
            waits.untaken.push(why);
        }
    }

    pub(super) fn take_waits(&self) -> Vec<String> {
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut waits.untaken)
    }

    /// Everything it does is under way.
    pub(super) fn begin(&self) {
        self.has_begun.store(true, Ordering::Relaxed);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Relaxed)
    }

    /// It decides for so many parts.
    pub(super) fn decide_for(&self, parts: usize) {
        self.decides_for.store(parts, Ordering::Relaxed);
    }

    pub(super) fn decides_for(&self) -> usize {
        self.decides_for.load(Ordering::Relaxed)
    }
}
