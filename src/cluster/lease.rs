//! The lease of one scope: who runs it, as long as they say so.
//!
//! It keeps things going and nothing safe: who writes for a scope is fenced by the term in the
//! journal. So nothing here needs clocks that agree. Each process compares only instants of its
//! own clock, which never jumps.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::bucket::Entry;

/// An instant on the clock of this process, from when it began.
pub(super) type Moment = Duration;

/// What is written in a key: who holds it, and for how long without a word from them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    /// The process, never the same twice.
    pub node: String,
    /// What people call it.
    pub who: String,
    pub ttl_ms: u64,
}

impl Holder {
    pub(super) fn write(&self) -> Bytes {
        serde_json::to_vec(self).expect("names and numbers always serialize").into()
    }
}

/// A key as this process saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// The last message.
    pub sequence: u64,
    pub holder: Option<Holder>,
    /// When that message was first seen here.
    pub since: Moment,
}

impl Seen {
    /// Takes in what a look found.
    pub(super) fn look(&mut self, now: Moment, entry: Option<&Entry>) {
        let (sequence, value) =
            entry.map_or((0, None), |entry| (entry.sequence, entry.value.as_ref()));
        // An answer that was on its way while somebody wrote tells nothing new.
        let is_old = sequence != 0 && sequence < self.sequence;
        if is_old || (sequence == self.sequence && self.holder.is_some() == value.is_some()) {
            return;
        }
        // What cannot be read has no time to live that is known: it goes when the server lets it.
        let unknown = || Holder { node: String::new(), who: String::new(), ttl_ms: u64::MAX };
        let read = |value: &Bytes| serde_json::from_slice(value).unwrap_or_else(|_| unknown());
        *self = Self { sequence, holder: value.map(read), since: now };
    }

    /// Since when nobody holds it. Who holds it writes it anew several times within its time to
    /// live, so what stayed the same for so long has ended, whatever the server's clock says.
    pub(super) fn free_since(&self) -> Option<Moment> {
        match &self.holder {
            None => Some(self.since),
            Some(holder) => self.since.checked_add(Duration::from_millis(holder.ttl_ms)),
        }
    }
}

/// A lease as its holder keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// The last message, for the check of the next.
    pub sequence: u64,
    /// When it was taken.
    pub taken: Moment,
    /// When the last renewal that succeeded was sent.
    pub renewed: Moment,
    /// Whether one is under way.
    pub is_asking: bool,
}

impl Held {
    /// Whether it is time to renew it.
    pub(super) fn is_due(&self, now: Moment, ttl: Duration) -> bool {
        !self.is_asking && now.saturating_sub(self.renewed) >= ttl / 3
    }

    /// When its holder has to stop, unless it was renewed: well before others may take it.
    pub(super) fn ends(&self, ttl: Duration) -> Moment {
        self.renewed + ttl * 3 / 5
    }
}
