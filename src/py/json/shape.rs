//! Objects that have the same keys again and again: the next key is known before it is read, and
//! their dicts are copied from one that has grown already.

use std::sync::Arc;

use pyo3::{
    prelude::*,
    types::{PyDict, PyString},
};

use crate::json::write_string;

const SLOTS: usize = 64;
/// Larger objects are data more often than records.
const MOST_MEMBERS: usize = 32;

/// The keys of an object, in order.
pub struct Shape {
    pub members: Vec<Member>,
    /// A dict with just these keys.
    empty: Py<PyDict>,
}

pub struct Member {
    /// `"key":`, as canonical text has it.
    pub text: Box<str>,
    pub key: Py<PyString>,
}

/// The shapes seen last, found by their first key.
pub struct Shapes([Slot; SLOTS]);

struct Slot {
    /// What the last object was like: only one that comes twice is worth a shape.
    seen: usize,
    shape: Option<Arc<Shape>>,
}

impl Shape {
    fn of(dict: &Bound<'_, PyDict>) -> PyResult<Self> {
        let (empty, mut members) = (PyDict::new(dict.py()), Vec::with_capacity(dict.len()));
        for key in dict.keys() {
            let key = key.cast_into::<PyString>()?;
            empty.set_item(&key, dict.py().None())?;
            let mut text = Vec::new();
            write_string(&key.to_cow()?, &mut text);
            text.push(b':');
            let text = String::from_utf8(text).expect("JSON is UTF-8").into();
            members.push(Member { text, key: key.unbind() });
        }
        Ok(Self { members, empty: empty.unbind() })
    }

    /// A dict that has these keys already.
    pub fn dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.empty.bind(py).copy()
    }

    /// Takes out of such a dict what is not in the object after all: all but the first members.
    pub fn cut(&self, dict: &Bound<'_, PyDict>, first: usize) -> PyResult<()> {
        self.members[first..].iter().try_for_each(|member| dict.del_item(&member.key))
    }
}

impl Shapes {
    pub const NONE: Self = Self([const { Slot { seen: 0, shape: None } }; SLOTS]);

    pub fn get(&self, first: &Bound<'_, PyString>) -> Option<Arc<Shape>> {
        let shape = self.0[place(first)].shape.as_ref()?;
        shape.members[0].key.is(first).then(|| Arc::clone(shape))
    }

    /// Takes note of an object that was read without a shape, or against its shape. `mark` is made
    /// of its keys by [`mark`].
    pub fn note(&mut self, dict: &Bound<'_, PyDict>, first: &Bound<'_, PyString>, mark: usize) {
        let slot = &mut self.0[place(first)];
        if std::mem::replace(&mut slot.seen, mark) == mark && dict.len() <= MOST_MEMBERS {
            slot.shape = Shape::of(dict).ok().map(Arc::new);
        }
    }
}

/// Adds a key to the mark of an object. Keys that come again are the same objects.
pub fn mark(before: usize, key: &Bound<'_, PyString>) -> usize {
    before.rotate_left(5) ^ key.as_ptr().addr()
}

fn place(key: &Bound<'_, PyString>) -> usize {
    // Objects stand at multiples of 16.
    (key.as_ptr().addr() >> 4) % SLOTS
}
