//! What comes again and again, made once: object keys, short texts, objects with the same keys.

use std::sync::{Mutex, MutexGuard};

use pyo3::{prelude::*, types::PyString};

use super::shape::Shapes;

const SLOTS: usize = 1024;
/// Longer keys are data more often than names.
const LONGEST: usize = 64;
/// Longer texts hardly ever come again.
const LONGEST_TEXT: usize = 32;

type Slot = Option<(Box<str>, Py<PyString>)>;

static KEYS: Mutex<Known> =
    Mutex::new(Known { slots: Vec::new(), texts: Vec::new(), shapes: Shapes::NONE });

struct Known {
    slots: Vec<Slot>,
    texts: Vec<Text>,
    shapes: Shapes,
}

#[derive(Default)]
struct Text {
    /// The hash of what was here last: only what comes twice is worth keeping.
    seen: u64,
    known: Slot,
}

/// The keys seen last, while one value is being read.
///
/// Whoever cannot have the cache goes without: it is held while Python objects are made, which may
/// run finalizers, and one of them may want it too.
pub struct Keys(Option<MutexGuard<'static, Known>>);

impl Keys {
    pub fn borrow() -> Self {
        let mut known = KEYS.try_lock().ok();
        if let Some(known) = &mut known
            && known.slots.is_empty()
        {
            known.slots.resize_with(SLOTS, || None);
            known.texts.resize_with(SLOTS, Text::default);
        }
        Self(known)
    }

    /// `key` as a Python string, the same object as last time if it is still known.
    pub fn of<'py>(&mut self, py: Python<'py>, key: &str) -> Bound<'py, PyString> {
        let Some(known) = self.0.as_mut().filter(|_| key.len() <= LONGEST) else {
            return PyString::new(py, key);
        };
        let slot = &mut known.slots[slot(hash(key.as_bytes()))];
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

    /// `text` as a Python string, the same object as last time if it is short and still known:
    /// states, plans, names of cities.
    pub fn text<'py>(&mut self, py: Python<'py>, text: &str) -> Bound<'py, PyString> {
        let Some(known) = self.0.as_mut().filter(|_| (2..=LONGEST_TEXT).contains(&text.len()))
        else {
            return PyString::new(py, text);
        };
        let hash = hash(text.as_bytes());
        let Text { seen, known } = &mut known.texts[slot(hash)];
        if let Some((known, object)) = known
            && **known == *text
        {
            return object.bind(py).clone();
        }
        let object = PyString::new(py, text);
        if std::mem::replace(seen, hash) == hash {
            *known = Some((text.into(), object.clone().unbind()));
        }
        object
    }

    /// The shapes, to take one or take note of one.
    pub fn shapes(&mut self) -> Option<&mut Shapes> {
        self.0.as_mut().map(|known| &mut known.shapes)
    }
}

/// Where something is kept; two things in one place only cost time.
fn slot(hash: u64) -> usize {
    // The upper bits of a product are the mixed ones.
    usize::try_from(hash >> 54).unwrap_or(0) % SLOTS
}

/// Eight bytes at a time: what is hashed is short, and comes often.
fn hash(text: &[u8]) -> u64 {
    let mix =
        |hash: u64, word: u64| (hash.rotate_left(5) ^ word).wrapping_mul(0x517C_C1B7_2722_0A95);
    let (words, tail) = text.as_chunks::<8>();
    let hash =
        words.iter().fold(text.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    let tail = tail.iter().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte));
    mix(hash, tail)
}
