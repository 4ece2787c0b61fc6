//! From Python to JSON.

use std::cell::Cell;

use pyo3::{
    intern,
    prelude::*,
    types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple},
};
use smallvec::SmallVec;

use super::{
    NotJson, digits,
    not_json::{Problem, class_name, wrong_type},
};
use crate::{
    engine::Payload,
    json::{Json, JsonLimits, Number, parse, write_string},
    py::fields::shown,
};

/// Recursion is bounded by this whatever the limits say: a level costs about a kilobyte of stack.
const MOST_DEPTH: usize = 1_000;

/// Room that is kept for the next payload.
const KEPT_ROOM: usize = 64 << 10;

thread_local! {
    static ROOM: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Any value that JSON can hold, as canonical text. Takes `None`, `bool`, `int`, finite `float`,
/// `str`, `list`, `tuple`, `dict` with keys that are `str`, their subclasses, and pydantic models.
pub fn from_python(value: &Bound<'_, PyAny>, limits: &JsonLimits) -> Result<Payload, NotJson> {
    // Taken out while it is used: a pydantic model that is written may make models of its own.
    let mut out = ROOM.take();
    out.clear();
    let payload = write_python(value, limits, &mut out).map(|()| Payload::from_canonical(&out));
    if out.capacity() <= KEPT_ROOM {
        ROOM.set(out);
    }
    payload
}

/// The same at the end of what a vector holds.
pub fn write_python(
    value: &Bound<'_, PyAny>,
    limits: &JsonLimits,
    out: &mut Vec<u8>,
) -> Result<(), NotJson> {
    let limits = JsonLimits { depth: limits.depth.min(MOST_DEPTH), bytes: limits.bytes };
    Writer { start: out.len(), out, depth: 0, limits }.value(value)
}

/// The same as a tree. By way of the text, so that there is one rule for what is JSON.
pub fn to_json(value: &Bound<'_, PyAny>, limits: &JsonLimits) -> Result<Json, NotJson> {
    let mut out = Vec::with_capacity(128);
    write_python(value, limits, &mut out)?;
    let trusted = JsonLimits { depth: MOST_DEPTH, bytes: usize::MAX };
    Ok(parse(&out, &trusted).expect("what was just written is JSON"))
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    /// Where the value starts in it.
    start: usize,
    depth: usize,
    limits: JsonLimits,
}

impl Writer<'_> {
    fn value(&mut self, value: &Bound<'_, PyAny>) -> Result<(), NotJson> {
        // In the order in which values are frequent. A check for an exact type is one comparison.
        if let Ok(text) = value.cast_exact::<PyString>() {
            self.text(text)?;
        } else if let Ok(int) = value.cast_exact::<PyInt>() {
            self.int(int)?;
        } else if let Ok(dict) = value.cast_exact::<PyDict>() {
            self.dict(dict)?;
        } else if value.is_none() {
            self.out.extend_from_slice(b"null");
        } else if let Ok(bool) = value.cast_exact::<PyBool>() {
            self.out.extend_from_slice(if bool.is_true() { b"true" } else { b"false" });
        } else if let Ok(float) = value.cast_exact::<PyFloat>() {
            self.float(float.value())?;
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            self.items(list.iter())?;
        } else {
            self.rarer(value)?;
        }
        if self.out.len() - self.start > self.limits.bytes {
            return Err(NotJson::new(Problem::TooLarge { limit: self.limits.bytes }));
        }
        Ok(())
    }

    /// Tuples, subclasses of the types above, pydantic models.
    fn rarer(&mut self, value: &Bound<'_, PyAny>) -> Result<(), NotJson> {
        if let Ok(tuple) = value.cast::<PyTuple>() {
            self.items(tuple.iter())
        } else if let Ok(text) = value.cast::<PyString>() {
            self.text(text)
        } else if let Ok(int) = value.cast::<PyInt>() {
            self.int(int)
        } else if let Ok(float) = value.cast::<PyFloat>() {
            self.float(float.value())
        } else if let Ok(dict) = value.cast::<PyDict>() {
            self.dict(dict)
        } else if let Ok(list) = value.cast::<PyList>() {
            self.items(list.iter())
        } else {
            self.model(value)
        }
    }

    fn text(&mut self, text: &Bound<'_, PyString>) -> Result<(), NotJson> {
        write_string(utf8(text)?, self.out);
        Ok(())
    }

    fn int(&mut self, int: &Bound<'_, PyInt>) -> Result<(), NotJson> {
        if let Ok(int) = int.extract::<i64>() {
            Number::from_i64(int).write(self.out);
            return Ok(());
        }
        let raised = |error| NotJson::new(Problem::Raised { name: "int".to_owned(), error });
        let bits: usize = int
            .call_method0(intern!(int.py(), "bit_length"))
            .and_then(|bits| bits.extract())
            .map_err(raised)?;
        // A digit takes less than four bits: refused before time is spent on it.
        if bits / 4 > self.limits.bytes {
            return Err(NotJson::new(Problem::TooLarge { limit: self.limits.bytes }));
        }
        let digits = digits::from_int(int).map_err(raised)?;
        self.out.extend_from_slice(digits.as_bytes());
        Ok(())
    }

    fn float(&mut self, float: f64) -> Result<(), NotJson> {
        let number = Number::from_f64(float);
        number.ok_or_else(|| NotJson::new(Problem::NotFinite(float)))?.write(self.out);
        Ok(())
    }

    fn items<'py>(
        &mut self,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
    ) -> Result<(), NotJson> {
        self.deeper()?;
        self.out.push(b'[');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(&item).map_err(|error| error.in_item(index))?;
        }
        self.out.push(b']');
        self.depth -= 1;
        Ok(())
    }

    fn dict(&mut self, dict: &Bound<'_, PyDict>) -> Result<(), NotJson> {
        self.deeper()?;
        // All taken out first: converting a member may run Python, which may change the dict.
        let pairs: SmallVec<[_; 8]> = dict.iter().collect();
        let mut members: SmallVec<[(&str, &Bound<'_, PyAny>); 8]> = SmallVec::new();
        let mut in_order = true;
        for (key, value) in &pairs {
            let key = utf8(key.cast::<PyString>().map_err(|_| wrong_key(key))?)?;
            in_order &= members.last().is_none_or(|(last, _)| *last < key);
            members.push((key, value));
        }
        if !in_order {
            members.sort_unstable_by_key(|(key, _)| *key);
        }
        self.out.push(b'{');
        for (index, (key, value)) in members.iter().enumerate() {
            if index > 0 {
                // Subclasses of `str` may differ and still read the same.
                if members[index - 1].0 == *key {
                    return Err(NotJson::new(Problem::DuplicateKey((*key).to_owned())));
                }
                self.out.push(b',');
            }
            write_string(key, self.out);
            self.out.push(b':');
            self.value(value).map_err(|error| error.in_key(key))?;
        }
        self.out.push(b'}');
        self.depth -= 1;
        Ok(())
    }

    /// A pydantic model says itself what it is in JSON.
    fn model(&mut self, value: &Bound<'_, PyAny>) -> Result<(), NotJson> {
        let py = value.py();
        let class = value.get_type();
        let has = |name| class.hasattr(name).unwrap_or(false);
        if !has(intern!(py, "__pydantic_serializer__")) || !has(intern!(py, "model_dump")) {
            return Err(wrong_type(value));
        }
        let dump = || {
            let options = PyDict::new(py);
            options.set_item("mode", "json")?;
            // What reads it back expects the names that it was made with.
            options.set_item("by_alias", true)?;
            value.call_method("model_dump", (), Some(&options))
        };
        let raised = |error| NotJson::new(Problem::Raised { name: class_name(&class), error });
        let dumped = dump().map_err(raised)?;
        self.deeper()?;
        self.value(&dumped)?;
        self.depth -= 1;
        Ok(())
    }

    fn deeper(&mut self) -> Result<(), NotJson> {
        if self.depth == self.limits.depth {
            return Err(NotJson::new(Problem::TooDeep { limit: self.limits.depth }));
        }
        self.depth += 1;
        Ok(())
    }
}

fn utf8<'a>(text: &'a Bound<'_, PyString>) -> Result<&'a str, NotJson> {
    text.to_str().map_err(|_| NotJson::new(Problem::LoneSurrogate(shown(text))))
}

fn wrong_key(key: &Bound<'_, PyAny>) -> NotJson {
    NotJson::new(Problem::Key { key: shown(key), name: class_name(&key.get_type()) })
}
