//! Object keys that come again and again, made once.

use std::sync::{Mutex, MutexGuard};

use pyo3::{prelude::*, types::PyString};

const SLOTS: usize = 1024;
/// Longer keys are data more often than names.
const LONGEST: usize = 64;

type Slot = Option<(Box<str>, Py<PyString>)>;

static KEYS: Mutex<Vec<Slot>> = Mutex::new(Vec::new());

/// The keys seen last, while one value is being read.
///
/// Whoever cannot have the cache goes without: it is held while Python objects are made, which may
/// run finalizers, and one of them may want it too.
pub struct Keys(Option<MutexGuard<'static, Vec<Slot>>>);

impl Keys {
    pub fn borrow() -> Self {
        let mut slots = KEYS.try_lock().ok();
        if let Some(slots) = &mut slots
            && slots.is_empty()
        {
            slots.resize_with(SLOTS, || None);
        }
        Self(slots)
    }

    /// `key` as a Python string, the same object as last time if it is still known.
    pub fn of<'py>(&mut self, py: Python<'py>, key: &str) -> Bound<'py, PyString> {
        let Some(slots) = self.0.as_mut().filter(|_| key.len() <= LONGEST) else {
            return PyString::new(py, key);
        };
        let slot = &mut slots[place(key.as_bytes())];
        if let Some((known, text)) = slot
            && **known == *key
        {
            return text.bind(py).clone();
        }
        // Interned, because the literals that look keys up are: dictionaries compare by identity
        // first.
        let text = PyString::intern(py, key);
        *slot = Some((key.into(), text.clone().unbind()));
        text
    }
}

/// Where a key is kept; two keys in one place only cost time. The hash is FNV-1a: keys are short.
fn place(key: &[u8]) -> usize {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01B3);
    let hash = key.iter().fold(0xCBF2_9CE4_8422_2325, mix);
    usize::try_from(hash % SLOTS as u64).unwrap_or(0)
}
