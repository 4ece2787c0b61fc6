//! One scanner over the bytes of a text; `parse`, `canonicalize` and the event reader drive it.

use std::borrow::Cow;

use super::{Fault, JsonLimits, JsonProblem, error::cut, plain_length};

/// Recursion is bounded by this whatever the limits say: a level costs a few hundred bytes of stack.
const MOST_DEPTH: usize = 1_000;

/// A position in a text that is known to be UTF-8 and within its size.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    limit: usize,
    /// Where an object's members wait while they are put in order.
    pub(crate) spare: Vec<u8>,
}

impl<'a> Scanner<'a> {
    /// Checks size and encoding once, so that nothing later has to.
    pub(crate) fn new(text: &'a [u8], limits: &JsonLimits) -> Result<Self, Fault> {
        if text.len() > limits.bytes {
            let problem = JsonProblem::TooLarge { limit: limits.bytes };
            return Err(Fault::new(problem, limits.bytes));
        }
        let text = std::str::from_utf8(text)
            .map_err(|error| Fault::new(JsonProblem::NotUtf8, error.valid_up_to()))?;
        if text.starts_with('\u{feff}') {
            return Err(Fault::new(JsonProblem::ByteOrderMark, 0));
        }
        Ok(Self { text, at: 0, depth: 0, limit: limits.depth.min(MOST_DEPTH), spare: Vec::new() })
    }

    /// The next byte that is not white space, not consumed.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
    }

    /// Starts over at `offset`, which has to be the start of a character.
    pub(crate) fn restart(&mut self, offset: usize) {
        (self.at, self.depth) = (offset, 0);
    }

    /// Bytes before the next token.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// The text from `start` to here.
    pub(crate) fn since(&self, start: usize) -> &'a str {
        &self.text[start..self.at]
    }

    /// Nothing but white space may follow.
    pub(crate) fn finish(&mut self) -> Result<(), Fault> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Fault::new(JsonProblem::TrailingData(self.here()), self.at)),
        }
    }

    /// Consumes `[` or `{` after `peek` saw it; says whether something is inside.
    pub(crate) fn open(&mut self, close: u8) -> Result<bool, Fault> {
        if self.depth == self.limit {
            return Err(Fault::new(JsonProblem::TooDeep { limit: self.limit }, self.at));
        }
        self.depth += 1;
        self.at += 1;
        Ok(self.peek() != Some(close) || self.close())
    }

    /// After an element: consumes `,` or the closing bracket; says whether another one follows.
    pub(crate) fn more(&mut self, close: u8) -> Result<bool, Fault> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(byte) if byte == close => Ok(self.close()),
            Some(_) | None => {
                Err(self.unexpected(if close == b'}' { "`,` or `}`" } else { "`,` or `]`" }))
            }
        }
    }

    fn close(&mut self) -> bool {
        self.at += 1;
        self.depth -= 1;
        false
    }

    /// Moves to the quote of a key.
    pub(crate) fn expect_key(&mut self) -> Result<(), Fault> {
        match self.peek() {
            Some(b'"') => Ok(()),
            Some(_) | None => Err(self.unexpected("a key in double quotes")),
        }
    }

    /// Consumes the colon after a key.
    pub(crate) fn colon(&mut self) -> Result<(), Fault> {
        if self.peek() != Some(b':') {
            return Err(self.unexpected("`:`"));
        }
        self.at += 1;
        Ok(())
    }

    /// A string after `peek` saw its quote. Borrowed means: no escapes, canonical as it stands.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at + 1;
        let end = self.plain_until(start);
        if self.text.as_bytes().get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(Cow::Borrowed(&self.text[start..end]));
        }
        self.escaped_string(start, end).map(Cow::Owned)
    }

    /// A string after `peek` saw its quote, as the bytes between its quotes, if it has no escapes.
    pub(super) fn plain_string(&mut self) -> Option<&'a [u8]> {
        let start = self.at + 1;
        let end = self.plain_until(start);
        let bytes = self.text.as_bytes();
        if bytes.get(end) != Some(&b'"') {
            return None;
        }
        self.at = end + 1;
        Some(&bytes[start..end])
    }

    /// The first byte from `start` that is not plain text of a string, or the end.
    fn plain_until(&self, start: usize) -> usize {
        start + plain_length(self.text.as_bytes().get(start..).unwrap_or_default())
    }

    #[cold]
    fn escaped_string(&mut self, mut start: usize, mut end: usize) -> Result<String, Fault> {
        let mut text = String::new();
        loop {
            text.push_str(&self.text[start..end]);
            self.at = end;
            match self.text.as_bytes().get(end) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => {
                    return Err(Fault::new(JsonProblem::ControlCharacter(self.here()), end));
                }
                None => return Err(self.unexpected("a closing `\"`")),
            }
            start = self.at;
            end = self.plain_until(start);
        }
    }

    /// One escape, at its backslash.
    fn escape(&mut self) -> Result<char, Fault> {
        let start = self.at;
        self.at += 1;
        let Some(letter) = self.text.as_bytes().get(self.at) else {
            return Err(self.unexpected("an escape"));
        };
        let char = match letter {
            b'"' | b'\\' | b'/' => char::from(*letter),
            b'b' => '\u{8}',
            b't' => '\t',
            b'n' => '\n',
            b'f' => '\u{c}',
            b'r' => '\r',
            b'u' => return self.unicode_escape(start),
            _ => return Err(Fault::new(JsonProblem::Escape(self.here()), start)),
        };
        self.at += 1;
        Ok(char)
    }

    /// `\uXXXX`, or two of them for a character beyond U+FFFF; `start` is the backslash.
    fn unicode_escape(&mut self, start: usize) -> Result<char, Fault> {
        let first = self.hex4()?;
        if let Some(char) = char::from_u32(first) {
            return Ok(char);
        }
        let half = JsonProblem::LoneSurrogate(self.since(start).to_owned());
        if first < 0xDC00 && self.text[self.at..].starts_with("\\u") {
            self.at += 1;
            let second = self.hex4()?;
            if (0xDC00..0xE000).contains(&second) {
                let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                return Ok(char::from_u32(code).expect("a surrogate pair names a character"));
            }
        }
        Err(Fault::new(half, start))
    }

    /// Four hexadecimal digits after the `u` at the cursor.
    fn hex4(&mut self) -> Result<u32, Fault> {
        let mut code = 0;
        for _ in 0..4 {
            self.at += 1;
            let byte = self.text.as_bytes().get(self.at);
            let digit = byte.and_then(|b| char::from(*b).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.unexpected("four hexadecimal digits after `\\u`"));
            };
            code = code * 16 + digit;
        }
        self.at += 1;
        Ok(code)
    }

    /// Consumes a number; says whether it is an integer.
    pub(crate) fn number(&mut self) -> Result<(&'a str, bool), Fault> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
        if byte(self.at) == b'-' {
            self.at += 1;
            if matches!(byte(self.at), b'I' | b'i' | b'N' | b'n') {
                return Err(self.not_a_number(start));
            }
        }
        if byte(self.at) == b'0' {
            self.at += 1;
            if byte(self.at).is_ascii_digit() {
                return Err(self.unexpected("no digit after a leading zero"));
            }
        } else {
            self.digits()?;
        }
        let mut is_integer = true;
        if byte(self.at) == b'.' {
            is_integer = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(byte(self.at), b'e' | b'E') {
            is_integer = false;
            self.at += 1;
            if matches!(byte(self.at), b'+' | b'-') {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok((self.since(start), is_integer))
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Fault> {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        self.at += count;
        if count == 0 { Err(self.unexpected("a digit")) } else { Ok(()) }
    }

    /// Consumes `true`, `false` or `null`.
    pub(crate) fn literal(&mut self, literal: &'static str) -> Result<(), Fault> {
        let rest = &self.text[self.at..];
        if rest.starts_with(literal) {
            self.at += literal.len();
            return Ok(());
        }
        if rest.starts_with("nan") {
            return Err(self.not_a_number(self.at));
        }
        let same = rest.bytes().zip(literal.bytes()).take_while(|(a, b)| a == b).count();
        self.at += same;
        Err(self.unexpected("`true`, `false` or `null`"))
    }

    /// What to say when no value starts at the cursor.
    #[cold]
    pub(crate) fn no_value(&self) -> Fault {
        let start = self.text.as_bytes()[self.at..].first_chunk::<3>();
        if start.is_some_and(|s| s.eq_ignore_ascii_case(b"nan") || s.eq_ignore_ascii_case(b"inf")) {
            return self.not_a_number(self.at);
        }
        self.unexpected("a value")
    }

    #[cold]
    fn not_a_number(&self, start: usize) -> Fault {
        let rest = &self.text[start..];
        let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let end = rest.find(|c| !word(c)).unwrap_or(rest.len());
        Fault::new(JsonProblem::NotANumber(cut(&rest[..end])), start)
    }

    #[cold]
    pub(crate) fn unexpected(&self, expected: &'static str) -> Fault {
        let problem = match self.text[self.at..].chars().next() {
            Some(found) => JsonProblem::Syntax { expected, found },
            None => JsonProblem::Eof { expected },
        };
        Fault::new(problem, self.at)
    }

    /// The character at the cursor.
    fn here(&self) -> char {
        self.text[self.at..].chars().next().unwrap_or('\0')
    }
}
