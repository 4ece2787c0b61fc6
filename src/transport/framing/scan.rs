//! Where one element of an array ends.

use memchr::memchr;

/// How the end of an element is looked for. Fed piece by piece.
#[derive(Debug)]
pub(super) enum Scan {
    /// Starts with a bracket or a quote and ends with its partner.
    Value(Value),
    /// The same in an array known to have unclosed elements: ends where the next one seems to
    /// start, too.
    Suspect(Value, NextElement),
    /// Starts with anything else and ends before what can follow or start an element.
    Bare,
    /// Is not closed where it had to be, and ends where the next one seems to start.
    Unclosed(NextElement),
    /// Everything behind the array.
    Rest,
}

/// Only brackets of the sort that opened the element count: others that do not match spoil this
/// element and not the ones after it.
#[derive(Debug)]
pub(super) struct Value {
    open: u8,
    close: u8,
    /// Where it starts.
    column: u32,
    depth: usize,
    quoted: bool,
    escaped: bool,
}

/// Whether an element ends in the bytes at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// It ends after so many of them.
    Closed(usize),
    /// A string of it runs over the end of its line, which JSON does not allow, after so many.
    Unclosed(usize),
    /// It does not.
    Later,
}

impl End {
    /// How many of the bytes were looked at, unless all.
    pub(super) fn length(self) -> Option<usize> {
        match self {
            Self::Closed(length) | Self::Unclosed(length) => Some(length),
            Self::Later => None,
        }
    }
}

impl From<Option<usize>> for End {
    fn from(end: Option<usize>) -> Self {
        end.map_or(Self::Later, Self::Closed)
    }
}

/// Looks for a line that starts with `{`, no further to the right than the element before did:
/// what stands further right is inside it.
#[derive(Debug, Clone)]
pub(super) struct NextElement {
    rightmost: u32,
    /// The column, while the line is blank so far.
    column: Option<u32>,
}

impl Scan {
    /// For an element that starts with `first` in `column`.
    pub(super) fn new(first: u8, column: u32, suspect: bool) -> Self {
        let (open, close) = match first {
            b'[' => (b'[', b']'),
            b'{' | b'"' => (b'{', b'}'),
            _ => return Self::Bare,
        };
        let value = Value { open, close, column, depth: 0, quoted: false, escaped: false };
        if suspect { Self::Suspect(value, NextElement::after(column)) } else { Self::Value(value) }
    }

    /// At the start of a line: from now on looks for the next element.
    pub(super) fn unclose(&mut self) {
        if let Self::Value(Value { column, .. }) = *self {
            *self = Self::Unclosed(NextElement { rightmost: column, column: Some(1) });
        }
    }

    /// Whether the element ends in the next `bytes`.
    pub(super) fn end(&mut self, bytes: &[u8]) -> End {
        match self {
            Self::Rest => End::Later,
            Self::Bare => {
                let ends = |byte: &u8| matches!(byte, b',' | b']' | b'{' | b'[' | b'"');
                bytes.iter().position(ends).into()
            }
            Self::Unclosed(next) => next.find(bytes).into(),
            Self::Value(value) => value.end(bytes),
            Self::Suspect(value, next) => {
                let start = next.find(bytes);
                match value.end(&bytes[..start.unwrap_or(bytes.len())]) {
                    End::Closed(at) => End::Closed(at),
                    End::Later if start.is_none() => End::Later,
                    End::Later | End::Unclosed(_) => {
                        *self = Self::Unclosed(next.clone());
                        start.into()
                    }
                }
            }
        }
    }
}

impl Value {
    fn end(&mut self, bytes: &[u8]) -> End {
        let mut at = 0;
        while at < bytes.len() {
            if std::mem::take(&mut self.escaped) && bytes[at] != b'\n' {
                at += 1;
                continue;
            }
            let rest = &bytes[at..];
            // Strings and what is between them are short: a plain loop beats a vector search.
            let found = if self.quoted {
                rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | b'\n'))
            } else {
                let (open, close) = (self.open, self.close);
                rest.iter().position(|&byte| byte == b'"' || byte == open || byte == close)
            };
            let Some(found) = found else {
                return End::Later;
            };
            at += found + 1;
            match (self.quoted, rest[found]) {
                (true, b'\n') => return End::Unclosed(at),
                (true, b'\\') => self.escaped = true,
                (quoted, b'"') => self.quoted = !quoted,
                (_, byte) if byte == self.open => self.depth += 1,
                (_, _) => self.depth -= 1,
            }
            if self.depth == 0 && !self.quoted {
                return End::Closed(at);
            }
        }
        End::Later
    }
}

impl NextElement {
    /// The one after an element that starts in `column`.
    pub(super) fn after(column: u32) -> Self {
        Self { rightmost: column, column: None }
    }

    /// Where it starts in `bytes`.
    pub(super) fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            let Some(column) = self.column else {
                at += memchr(b'\n', &bytes[at..])? + 1;
                self.column = Some(1);
                continue;
            };
            self.column = match bytes[at] {
                b'\n' => Some(1),
                b' ' | b'\t' | b'\r' | b',' => Some(column.saturating_add(1)),
                b'{' if column <= self.rightmost => return Some(at),
                _ => None,
            };
            at += 1;
        }
        None
    }
}
