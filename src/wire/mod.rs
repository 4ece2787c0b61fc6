//! Bytes to values and back: events, timestamps.

mod event;
mod event_error;
mod suggest;
mod timestamp;

pub use event::{EventReader, parse_event, write_event};
pub use event_error::{EventError, EventProblem};
pub use timestamp::{TimestampError, parse_timestamp, write_timestamp};
