//! Why a text is not an event, and where.

use crate::{
    engine::NameError,
    json::{Fault, JsonProblem, Place},
};

use super::{TimestampError, event::FIELDS, suggest::hint};

/// A text that is not an event. The place is inside the text; whoever cut the text out of a file
/// adds where it stood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct EventError {
    /// What is wrong.
    pub problem: EventProblem,
    /// Where it is wrong.
    pub place: Place,
}

/// What is wrong with an event. Values are cut to 60 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventProblem {
    /// The text is not JSON we accept.
    #[error(transparent)]
    Json(JsonProblem),
    /// The text is JSON but no object.
    #[error("an event is an object, found `{value}`; write `{{\"ts\": ..., \"kind\": ...}}`")]
    NotAnObject {
        /// What stands there.
        value: String,
    },
    /// The text is too long.
    #[error("the event is longer than {limit} bytes; shorten it or raise `event_bytes`")]
    EventTooLarge {
        /// The bytes allowed.
        limit: usize,
    },
    /// The canonical payload is too long.
    #[error(
        "`payload` has {bytes} bytes, {limit} are allowed; shorten it or raise `payload_bytes`"
    )]
    PayloadTooLarge {
        /// Its bytes.
        bytes: usize,
        /// The bytes allowed.
        limit: usize,
    },
    /// A field events do not have.
    #[error("field `{field}` is not part of an event; {}", hint(.field, &FIELDS))]
    UnknownField {
        /// Its name.
        field: String,
    },
    /// A required field is absent.
    #[error("field `{field}` is missing; `ts`, `kind`, `stream_id` and `payload` are required")]
    MissingField {
        /// Its name.
        field: &'static str,
    },
    /// The text names another stream than the one it was sent to.
    #[error(
        "field `stream_id` is `{named}`, and the event was sent to `{sent}`; leave the field out, or send it to `live.{named}.events`"
    )]
    OtherStream {
        /// Where it was sent.
        sent: String,
        /// What it says.
        named: String,
    },
    /// A field stands twice.
    #[error("field `{field}` stands twice; keep one of them")]
    DuplicateField {
        /// Its name.
        field: &'static str,
    },
    /// A field that has to be a string is not one.
    #[error("field `{field}` is `{value}`; write a string")]
    NotAString {
        /// Its name.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// `ts` names no instant.
    #[error("field `ts` is `{value}`: {error}")]
    Timestamp {
        /// Its value.
        value: String,
        /// What is wrong with it.
        error: TimestampError,
    },
    /// `kind` or `stream_id` breaks the rule for names.
    #[error(transparent)]
    Name(NameError),
    /// A kind that belongs to live-crew.
    #[error("kind `{kind}` is reserved: kinds that start with `__` belong to live-crew; rename it")]
    ReservedKind {
        /// The kind.
        kind: String,
    },
    /// An id without a character.
    #[error("field `{field}` is empty; leave it out instead")]
    EmptyId {
        /// Its name.
        field: &'static str,
    },
    /// An id that is too long.
    #[error("field `{field}` is `{value}...`: {bytes} bytes, {limit} are allowed (`id_bytes`)")]
    LongId {
        /// Its name.
        field: &'static str,
        /// How it starts.
        value: String,
        /// Its bytes.
        bytes: usize,
        /// The bytes allowed.
        limit: usize,
    },
}

/// A problem and its byte offset, one pointer wide; line and column wait until it is reported.
pub(super) struct Refusal(Box<(EventProblem, usize)>);

impl Refusal {
    pub(super) fn new(problem: EventProblem, offset: usize) -> Self {
        Self(Box::new((problem, offset)))
    }

    pub(super) fn locate(self, text: &[u8]) -> EventError {
        let (problem, offset) = *self.0;
        EventError { problem, place: Place::of(text, offset) }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let (problem, offset) = fault.into_parts();
        let problem = match problem {
            JsonProblem::TooLarge { limit } => EventProblem::EventTooLarge { limit },
            problem => EventProblem::Json(problem),
        };
        Self::new(problem, offset)
    }
}
