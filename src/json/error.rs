//! What can be wrong with a JSON text, and where.

/// The bounds of one JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonLimits {
    /// How deep arrays and objects may nest; above 1 000 counts as 1 000, for the stack's sake.
    pub depth: usize,
    /// Bytes of the whole text.
    pub bytes: usize,
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self { depth: 128, bytes: 1 << 20 }
    }
}

/// A spot in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// The bytes before it.
    pub offset: usize,
}

impl Place {
    /// Finds line and column; only errors pay for it.
    pub fn of(text: &[u8], offset: usize) -> Self {
        let before = &text[..offset.min(text.len())];
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let lines = before.split(|&b| b == b'\n').count() - 1;
        let columns = before[line_start..].iter().filter(|&&b| b & 0xC0 != 0x80).count();
        let from_1 = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
        Self { line: from_1(lines), column: from_1(columns), offset }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A text that is not the JSON we accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct JsonError {
    /// What is wrong.
    pub problem: JsonProblem,
    /// Where it is wrong.
    pub place: Place,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonProblem {
    /// Something else had to come here.
    #[error("expected {expected}, found `{}`", .found.escape_debug())]
    Syntax {
        /// What would be right.
        expected: &'static str,
        /// What stands there.
        found: char,
    },
    /// The text stops too early.
    #[error("expected {expected}, found the end of the text")]
    Eof {
        /// What would be right.
        expected: &'static str,
    },
    /// Two members of one object have the same key, escapes resolved.
    #[error("key `{0}` stands twice in one object; keep one of them")]
    DuplicateKey(String),
    /// Arrays and objects nest too deep.
    #[error("nested deeper than {limit} levels; flatten the value or raise `json_depth`")]
    TooDeep {
        /// The levels allowed.
        limit: usize,
    },
    /// The text is too long.
    #[error("longer than {limit} bytes; shorten it or raise the limit")]
    TooLarge {
        /// The bytes allowed.
        limit: usize,
    },
    /// The bytes are not UTF-8.
    #[error("not UTF-8; write the text as UTF-8")]
    NotUtf8,
    /// The text starts with U+FEFF.
    #[error("starts with a byte order mark; write the text as UTF-8 without one")]
    ByteOrderMark,
    /// A `\ud800`-like escape without its other half.
    #[error("`{0}` is half of a surrogate pair; write both halves or neither")]
    LoneSurrogate(String),
    /// An escape JSON does not have.
    #[error("`\\{}` is not an escape; write `\\\\` for a backslash", .0.escape_debug())]
    Escape(char),
    /// A float beyond what 64 bits hold.
    #[error("`{0}` is beyond the range of a float; write it as a string")]
    NumberOutOfRange(String),
    /// `NaN`, `Infinity` or a signed one.
    #[error("`{0}` is not a JSON number; write `null` or a string")]
    NotANumber(String),
    /// A raw control character inside a string.
    #[error("a control character stands unescaped in a string; write it as `\\u{:04x}`", u32::from(*.0))]
    ControlCharacter(char),
    /// The value is complete and something follows it.
    #[error("expected the end of the text, found `{}`", .0.escape_debug())]
    TrailingData(char),
}

/// A problem and its byte offset, one pointer wide: line and column wait until it is reported.
#[derive(Debug)]
pub(crate) struct Fault(Box<(JsonProblem, usize)>);

impl Fault {
    pub(crate) fn new(problem: JsonProblem, offset: usize) -> Self {
        Self(Box::new((problem, offset)))
    }

    pub(crate) fn offset(&self) -> usize {
        self.0.1
    }

    pub(crate) fn into_parts(self) -> (JsonProblem, usize) {
        *self.0
    }

    pub(crate) fn locate(self, text: &[u8]) -> JsonError {
        let (problem, offset) = *self.0;
        JsonError { problem, place: Place::of(text, offset) }
    }
}

/// Enough of a text to recognise it in a message.
pub(crate) fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}
