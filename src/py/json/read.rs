//! From JSON to Python.

use pyo3::{
    prelude::*,
    types::{PyBool, PyDict, PyFloat, PyList, PyString},
};
use smallvec::SmallVec;

use super::{
    digits,
    keys::Keys,
    shape::{Shape, mark},
};
use crate::{
    json::{Json, Number, plain_length},
    py::models_error::internal_error,
};

/// Canonical text as Python objects. It is trusted: a text that turns out not to be canonical is an
/// error of live-crew, not of a user.
pub fn to_python<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let broken = |at| internal_error(py, &format!("a payload is not canonical at byte {at}"));
    let text = std::str::from_utf8(text).map_err(|error| broken(error.valid_up_to()))?;
    let mut reader = Reader { py, text, at: 0, keys: Keys::borrow() };
    match reader.value() {
        Ok(value) if reader.at == text.len() => Ok(value),
        Ok(_) | Err(Stop::Broken) => Err(broken(reader.at)),
        Err(Stop::Raised(error)) => Err(error),
    }
}

/// A tree as Python objects.
pub fn json_to_python<'py>(py: Python<'py>, value: &Json) -> PyResult<Bound<'py, PyAny>> {
    tree(py, value, &mut Keys::borrow())
}

fn tree<'py>(py: Python<'py>, value: &Json, keys: &mut Keys) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Json::Null => py.None().into_bound(py),
        Json::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Json::Number(number) => self::number(py, number)?,
        Json::String(text) => PyString::new(py, text).into_any(),
        Json::Array(items) => {
            let list = PyList::empty(py);
            for item in items.iter() {
                list.append(tree(py, item, keys)?)?;
            }
            list.into_any()
        }
        Json::Object(members) => {
            let dict = PyDict::new(py);
            for (key, value) in members {
                dict.set_item(keys.of(py, key), tree(py, value, keys)?)?;
            }
            dict.into_any()
        }
    })
}

fn number<'py>(py: Python<'py>, number: &Number) -> PyResult<Bound<'py, PyAny>> {
    if let Some(int) = number.as_i64() {
        return Ok(int.into_pyobject(py)?.into_any());
    }
    match number.as_f64().filter(|_| !number.is_integer()) {
        Some(float) => Ok(PyFloat::new(py, float).into_any()),
        None => digits::to_int(py, &number.to_string()),
    }
}

/// Why reading stopped.
enum Stop {
    Broken,
    Raised(PyErr),
}

impl From<PyErr> for Stop {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

impl From<std::convert::Infallible> for Stop {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

type Read<'py> = Result<Bound<'py, PyAny>, Stop>;

struct Reader<'a, 'py> {
    py: Python<'py>,
    text: &'a str,
    at: usize,
    keys: Keys,
}

impl<'a, 'py> Reader<'a, 'py> {
    fn value(&mut self) -> Read<'py> {
        let py = self.py;
        match self.peek() {
            b'"' => {
                let text = self.string()?;
                Ok(self.keys.text(py, &text).into_any())
            }
            b'{' => self.object(),
            b'[' => self.array(),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word("true", PyBool::new(py, true).to_owned().into_any()),
            b'f' => self.word("false", PyBool::new(py, false).to_owned().into_any()),
            b'n' => self.word("null", py.None().into_bound(py)),
            _ => Err(Stop::Broken),
        }
    }

    /// The next byte, or 0, which no JSON holds.
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str, value: Bound<'py, PyAny>) -> Read<'py> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(Stop::Broken);
        }
        self.at += word.len();
        Ok(value)
    }

    fn object(&mut self) -> Read<'py> {
        let py = self.py;
        self.at += 1;
        if self.take(b'}') {
            return Ok(PyDict::new(py).into_any());
        }
        let rest = &self.text.as_bytes()[self.at..];
        let shape = self.keys.shapes().and_then(|shapes| shapes.take_latest(rest));
        let (first, shape) = if let Some(shape) = shape {
            self.at += shape.members[0].own_key().len();
            (shape.members[0].key.bind(py).clone(), Some(shape))
        } else {
            let first = self.key()?;
            let shape = self.keys.shapes().and_then(|shapes| shapes.take(&first));
            (first, shape)
        };
        let mut key_mark = mark(0, &first);
        let (dict, mut is_new) = if let Some(mut shape) = shape {
            let members = self.members_of(&mut shape)?;
            if let Some(shapes) = self.keys.shapes() {
                shapes.put(&first, shape);
            }
            members
        } else {
            let dict = PyDict::new(py);
            dict.set_item(&first, self.value()?)?;
            (dict, true)
        };
        while self.take(b',') {
            let key = self.key()?;
            (key_mark, is_new) = (mark(key_mark, &key), true);
            dict.set_item(key, self.value()?)?;
        }
        if !self.take(b'}') {
            return Err(Stop::Broken);
        }
        if is_new && let Some(shapes) = self.keys.shapes() {
            shapes.note(&dict, &first, key_mark);
        }
        Ok(dict.into_any())
    }

    /// The members of an object as far as they are those of a shape, behind the first key; whether
    /// there are others.
    fn members_of(&mut self, shape: &mut Shape) -> Result<(Bound<'py, PyDict>, bool), Stop> {
        let mut others: SmallVec<[(usize, Bound<'py, PyAny>); 4]> = SmallVec::new();
        let mut nth = 0;
        while let Some(member) = shape.members.get(nth) {
            let rest = &self.text.as_bytes()[self.at..];
            let same = if nth == 0 { member.same_value(rest) } else { member.same(rest) };
            if let Some(length) = same {
                self.at += length;
                others.extend(shape.list(self.py, nth).map(|list| (nth, list.into_any())));
            } else {
                if nth > 0 {
                    // The comma stays there for whoever reads the others.
                    let Some(length) = member.same_key(rest) else { break };
                    self.at += length;
                }
                let start = self.at;
                let value = self.value()?;
                let text = &self.text.as_bytes()[start..self.at];
                others.extend(shape.keep(nth, text, value)?.map(|value| (nth, value)));
            }
            nth += 1;
        }
        Ok((shape.dict(self.py, nth, others)?, nth < shape.members.len()))
    }

    /// A key and its colon.
    fn key(&mut self) -> Result<Bound<'py, PyString>, Stop> {
        let key = self.string()?;
        let key = self.keys.of(self.py, &key);
        if self.take(b':') { Ok(key) } else { Err(Stop::Broken) }
    }

    fn array(&mut self) -> Read<'py> {
        self.at += 1;
        let mut items: SmallVec<[Bound<'py, PyAny>; 8]> = SmallVec::new();
        if !self.take(b']') {
            loop {
                items.push(self.value()?);
                if !self.take(b',') {
                    break;
                }
            }
            if !self.take(b']') {
                return Err(Stop::Broken);
            }
        }
        Ok(PyList::new(self.py, items)?.into_any())
    }

    fn number(&mut self) -> Read<'py> {
        let rest = &self.text.as_bytes()[self.at..];
        let digits = rest.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count() + 1;
        let is_float = matches!(rest.get(digits), Some(b'.' | b'e' | b'E'));
        let part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
        let length =
            if is_float { rest.iter().take_while(|byte| part(byte)).count() } else { digits };
        let text = &self.text[self.at..self.at + length];
        self.at += length;
        if is_float {
            let float = text.parse::<f64>().map_err(|_| Stop::Broken)?;
            return Ok(PyFloat::new(self.py, float).into_any());
        }
        match text.parse::<i64>() {
            Ok(int) => Ok(int.into_pyobject(self.py)?.into_any()),
            Err(_) => Ok(digits::to_int(self.py, text)?),
        }
    }

    /// A string at its opening quote.
    fn string(&mut self) -> Result<std::borrow::Cow<'a, str>, Stop> {
        if !self.take(b'"') {
            return Err(Stop::Broken);
        }
        let text = self.plain();
        if self.take(b'"') {
            return Ok(text.into());
        }
        let mut text = text.to_owned();
        while !self.take(b'"') {
            text.push(self.escape()?);
            text.push_str(self.plain());
        }
        Ok(text.into())
    }

    /// Everything up to a quote or a backslash: canonical text has no bare control characters.
    fn plain(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let length = plain_length(rest.as_bytes());
        self.at += length;
        &rest[..length]
    }

    /// One of the escapes that canonical text has.
    fn escape(&mut self) -> Result<char, Stop> {
        if self.peek() != b'\\' {
            return Err(Stop::Broken);
        }
        let rest = &self.text[self.at..];
        let letter = rest.as_bytes().get(1).copied().unwrap_or(0);
        let (char, length) = match letter {
            b'"' | b'\\' => (char::from(letter), 2),
            b'b' => ('\u{8}', 2),
            b't' => ('\t', 2),
            b'n' => ('\n', 2),
            b'f' => ('\u{c}', 2),
            b'r' => ('\r', 2),
            b'u' => {
                let code = rest.get(2..6).and_then(|code| u32::from_str_radix(code, 16).ok());
                (code.and_then(char::from_u32).ok_or(Stop::Broken)?, 6)
            }
            _ => return Err(Stop::Broken),
        };
        self.at += length;
        Ok(char)
    }
}
