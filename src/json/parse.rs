//! Text to tree.

use std::sync::Arc;

use super::{Fault, Json, JsonError, JsonLimits, JsonProblem, Number, Object, Scanner, error::cut};

/// Reads one JSON value: RFC 8259, and no duplicate keys.
pub fn parse(text: &[u8], limits: &JsonLimits) -> Result<Json, JsonError> {
    let read = || {
        let mut scanner = Scanner::new(text, limits)?;
        let value = scanner.value()?;
        scanner.finish()?;
        Ok(value)
    };
    read().map_err(|fault: Fault| fault.locate(text))
}

impl Scanner<'_> {
    /// The next value as a tree.
    pub(crate) fn value(&mut self) -> Result<Json, Fault> {
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => Ok(Json::String(self.string()?.into())),
            Some(b'-' | b'0'..=b'9') => self.parsed_number(),
            Some(b't') => self.literal("true").map(|()| Json::Bool(true)),
            Some(b'f') => self.literal("false").map(|()| Json::Bool(false)),
            Some(b'n') => self.literal("null").map(|()| Json::Null),
            Some(_) | None => Err(self.no_value()),
        }
    }

    fn parsed_number(&mut self) -> Result<Json, Fault> {
        let start = self.offset();
        let (text, is_integer) = self.number()?;
        match Number::from_scanned(text, is_integer) {
            Some(number) => Ok(Json::Number(number)),
            None => Err(Fault::new(JsonProblem::NumberOutOfRange(cut(text)), start)),
        }
    }

    fn array(&mut self) -> Result<Json, Fault> {
        let mut items = Vec::new();
        let mut more = self.open(b']')?;
        while more {
            items.push(self.value()?);
            more = self.more(b']')?;
        }
        Ok(Json::Array(Arc::new(items)))
    }

    fn object(&mut self) -> Result<Json, Fault> {
        let mut members = Object::new();
        let mut more = self.open(b'}')?;
        while more {
            self.expect_key()?;
            let start = self.offset();
            let key: Arc<str> = self.string()?.into();
            self.colon()?;
            let value = self.value()?;
            if members.insert(Arc::clone(&key), value).is_some() {
                return Err(Fault::new(JsonProblem::DuplicateKey(cut(&key)), start));
            }
            more = self.more(b'}')?;
        }
        Ok(Json::Object(members))
    }
}
