//! A JSON value as a tree that is cheap to clone.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{JsonLimits, Number, parse, string_size, write_string};

/// Members in byte order of their keys. Persistent: a clone shares everything, so the engine keeps
/// a snapshot by cloning.
pub type Object = imbl::OrdMap<Arc<str>, Json>;

/// Any JSON value; `Debug` prints its canonical text.
#[derive(Clone, PartialEq, Eq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An exact number.
    Number(Number),
    /// Text.
    String(Arc<str>),
    /// Values in their order.
    #[allow(clippy::rc_buffer, reason = "`append` grows the vector in place when nobody shares it")]
    Array(Arc<Vec<Self>>),
    /// Values by key.
    Object(Object),
}

impl Json {
    /// Appends the canonical text.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend_from_slice(b"null"),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Number(number) => number.write(out),
            Self::String(text) => write_string(text, out),
            Self::Array(items) => {
                out.push(b'[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write(out);
                }
                out.push(b']');
            }
            Self::Object(members) => {
                out.push(b'{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_string(key, out);
                    out.push(b':');
                    value.write(out);
                }
                out.push(b'}');
            }
        }
    }

    /// The canonical text.
    pub fn to_canonical(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.size());
        self.write(&mut out);
        out.into()
    }

    /// Bytes of the canonical text, counted without building it.
    pub fn size(&self) -> usize {
        match self {
            Self::Null | Self::Bool(true) => 4,
            Self::Bool(false) => 5,
            Self::Number(number) => number.size(),
            Self::String(text) => string_size(text),
            Self::Array(items) => {
                let values: usize = items.iter().map(Self::size).sum();
                2 + values + items.len().saturating_sub(1)
            }
            Self::Object(members) => {
                let pairs: usize = members.iter().map(|(k, v)| string_size(k) + 1 + v.size()).sum();
                2 + pairs + members.len().saturating_sub(1)
            }
        }
    }

    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    /// The members, if it is an object.
    pub fn as_object(&self) -> Option<&Object> {
        if let Self::Object(members) = self { Some(members) } else { None }
    }

    /// What it is, for messages: `an object`, `a string`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_canonical()))
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<i64> for Json {
    fn from(int: i64) -> Self {
        Self::Number(Number::from_i64(int))
    }
}

impl From<bool> for Json {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

/// One string that holds the canonical text: the same in every format, checked when read.
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.to_canonical();
        serializer.serialize_str(std::str::from_utf8(&text).expect("canonical text is UTF-8"))
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // What was kept once must come back, however large: limits are for what comes in.
        let limits = JsonLimits { depth: usize::MAX, bytes: usize::MAX };
        parse(text.as_bytes(), &limits).map_err(de::Error::custom)
    }
}
