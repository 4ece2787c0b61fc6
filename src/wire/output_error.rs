//! Why what a crew answered is no output (rule A4).

use super::{TemplateError, TimestampError, suggest::hint};
use crate::{engine::NameError, json::JsonError};

/// An answer that cannot be mapped; the run fails with this as its reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {problem}")]
pub struct OutputError {
    /// Where: `output`, `actions[2].ttl_ms`, `emits.payload`.
    pub at: String,
    /// What is wrong.
    pub problem: OutputProblem,
}

/// What is wrong with an answer. Values are cut to 60 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputProblem {
    /// The text breaks off, or is not quite JSON.
    #[error("the text holds no valid JSON: {0}")]
    BrokenJson(JsonError),
    /// The text holds no JSON at all.
    #[error("the text `{0}` holds no JSON; ask for JSON in the prompt or set `emits.parse: auto`")]
    NoJson(String),
    /// A key that has no meaning there.
    #[error("key `{key}` has no meaning here; {}", hint(.key, .known))]
    UnknownKey {
        /// The key.
        key: String,
        /// The keys that have one.
        known: &'static [&'static str],
    },
    /// A key that has to be there.
    #[error("key `{0}` is missing; an action needs `kind` and `payload`")]
    MissingKey(&'static str),
    /// A value of another sort was needed.
    #[error("found `{value}`, which is {found}; write {expected}")]
    Wrong {
        /// What would be right.
        expected: &'static str,
        /// What it is.
        found: &'static str,
        /// How it reads.
        value: String,
    },
    /// A kind or a stream that breaks the rule for names.
    #[error(transparent)]
    Name(NameError),
    /// A kind that belongs to live-crew.
    #[error("kind `{0}` is reserved: kinds that start with `__` belong to live-crew; rename it")]
    ReservedKind(String),
    /// `ts` names no instant.
    #[error("`{value}`: {error}")]
    Timestamp {
        /// The text.
        value: String,
        /// What is wrong with it.
        error: TimestampError,
    },
    /// A value that is too long.
    #[error("it has {bytes} bytes, {limit} are allowed; shorten it or raise `{name}`")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// The bytes allowed.
        limit: usize,
        /// The limit to raise.
        name: &'static str,
    },
    /// A template that could not be filled in.
    #[error(transparent)]
    Template(TemplateError),
}

impl OutputProblem {
    pub(super) fn at(self, at: impl Into<String>) -> OutputError {
        OutputError { at: at.into(), problem: self }
    }
}
