//! Objects that have the same keys again and again: the next key is known before it is read, and
//! their dicts are copied from one that has grown already. It holds the values of the last object:
//! states, plans and names of cities are the same more often than not, and need not be read again.

use pyo3::{
    prelude::*,
    types::{PyDict, PyList, PyString},
};

use crate::json::write_string;

const SLOTS: usize = 64;
/// Larger objects are data more often than records.
const MOST_MEMBERS: usize = 32;
/// Longer values hardly ever come again.
const LONGEST_VALUE: usize = 48;

/// The keys of an object, in order, and the values that the last one had.
pub struct Shape {
    pub members: Vec<Member>,
    /// Nobody else ever has it. What can be changed is not in it.
    last: Py<PyDict>,
}

pub struct Member {
    /// `,"key":` as canonical text has it, and the last value behind it, if it was short.
    text: Vec<u8>,
    /// Where the value begins.
    value: usize,
    kept: Kept,
    pub key: Py<PyString>,
}

/// What is kept of the last value.
enum Kept {
    Nothing,
    /// It is in the dict.
    Itself,
    /// A list came twice: what others are copied from.
    List(Py<PyList>),
}

/// The shapes seen last, found by their first key.
pub struct Shapes {
    slots: [Slot; SLOTS],
    /// Where the last one is.
    latest: usize,
}

struct Slot {
    /// What the last object was like: only one that comes twice is worth a shape.
    seen: usize,
    shape: Option<Box<Shape>>,
}

impl Member {
    /// How long comma, key and value are at the start of `text`, if they are the last ones.
    pub fn same(&self, text: &[u8]) -> Option<usize> {
        self.ends(text, &self.text)
    }

    /// The same of a value whose key is read.
    pub fn same_value(&self, text: &[u8]) -> Option<usize> {
        self.ends(text, &self.text[self.value..])
    }

    fn ends(&self, text: &[u8], last: &[u8]) -> Option<usize> {
        let is_known = !matches!(self.kept, Kept::Nothing) && text.starts_with(last);
        // A number may go on where the last one ended.
        let ends = matches!(text.get(last.len()), Some(b',' | b'}'));
        (is_known && ends).then_some(last.len())
    }

    /// Key and colon.
    pub fn own_key(&self) -> &[u8] {
        &self.text[1..self.value]
    }

    /// How long comma and key are at the start of `text`.
    pub fn same_key(&self, text: &[u8]) -> Option<usize> {
        text.starts_with(&self.text[..self.value]).then_some(self.value)
    }
}

impl Shape {
    fn of(dict: &Bound<'_, PyDict>) -> PyResult<Self> {
        let (last, mut members) = (PyDict::new(dict.py()), Vec::with_capacity(dict.len()));
        for key in dict.keys() {
            let key = key.cast_into::<PyString>()?;
            last.set_item(&key, dict.py().None())?;
            let mut text = vec![b','];
            write_string(&key.to_cow()?, &mut text);
            text.push(b':');
            let (value, key) = (text.len(), key.unbind());
            members.push(Member { text, value, kept: Kept::Nothing, key });
        }
        Ok(Self { members, last: last.unbind() })
    }

    /// Keeps the value of a member, if it cannot be changed and is short; else gives it back.
    pub fn keep<'py>(
        &mut self,
        nth: usize,
        text: &[u8],
        value: Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let member = &mut self.members[nth];
        member.kept = Kept::Nothing;
        let is_same = member.text[member.value..] == *text;
        member.text.truncate(member.value);
        if text.len() > LONGEST_VALUE {
            return Ok(Some(value));
        }
        member.text.extend_from_slice(text);
        match text {
            [b'{', ..] => return Ok(Some(value)),
            [b'[', items @ ..] => {
                let is_flat = !items.iter().any(|byte| matches!(byte, b'{' | b'['));
                if is_same && is_flat {
                    member.kept = Kept::List(copy(value.cast()?).unbind());
                }
                return Ok(Some(value));
            }
            _ => {}
        }
        self.last.bind(value.py()).set_item(&member.key, value)?;
        member.kept = Kept::Itself;
        Ok(None)
    }

    /// The last value of a member, if it is a list: a copy of what is kept of it.
    pub fn list<'py>(&self, py: Python<'py>, nth: usize) -> Option<Bound<'py, PyList>> {
        match &self.members[nth].kept {
            Kept::List(list) => Some(copy(list.bind(py))),
            Kept::Nothing | Kept::Itself => None,
        }
    }

    /// A dict with the first members: the values that are kept, and others by their place.
    pub fn dict<'py>(
        &self,
        py: Python<'py>,
        first: usize,
        others: impl IntoIterator<Item = (usize, Bound<'py, PyAny>)>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let dict = self.last.bind(py).copy()?;
        for (nth, value) in others {
            dict.set_item(&self.members[nth].key, value)?;
        }
        self.members[first..].iter().try_for_each(|member| dict.del_item(&member.key))?;
        Ok(dict)
    }
}

fn copy<'py>(list: &Bound<'py, PyList>) -> Bound<'py, PyList> {
    list.get_slice(0, list.len())
}

impl Shapes {
    pub const NONE: Self =
        Self { slots: [const { Slot { seen: 0, shape: None } }; SLOTS], latest: 0 };

    /// Takes out what the last object looked like, if a text behind a bracket begins as that did.
    pub fn take_latest(&mut self, text: &[u8]) -> Option<Box<Shape>> {
        let begins = |shape: &mut Box<Shape>| text.starts_with(shape.members[0].own_key());
        self.slots[self.latest].shape.take_if(begins)
    }

    /// Takes out what objects with this first key look like.
    pub fn take(&mut self, first: &Bound<'_, PyString>) -> Option<Box<Shape>> {
        self.slots[place(first)].shape.take_if(|shape| shape.members[0].key.is(first))
    }

    /// Puts back what was taken.
    pub fn put(&mut self, first: &Bound<'_, PyString>, shape: Box<Shape>) {
        self.latest = place(first);
        self.slots[self.latest].shape = Some(shape);
    }

    /// Takes note of an object that was read without a shape, or against its shape. `mark` is made
    /// of its keys by [`mark`].
    pub fn note(&mut self, dict: &Bound<'_, PyDict>, first: &Bound<'_, PyString>, mark: usize) {
        let slot = &mut self.slots[place(first)];
        if std::mem::replace(&mut slot.seen, mark) == mark && dict.len() <= MOST_MEMBERS {
            slot.shape = Shape::of(dict).ok().map(Box::new);
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
