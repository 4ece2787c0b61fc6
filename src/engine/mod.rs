//! The state machine of one stream. Facts in, commands out, time as data.
#![deny(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::iter_over_hash_type,
    clippy::float_arithmetic
)]

mod event;
mod ids;
mod limits;
mod time;

pub use event::{Event, Ids, Payload};
pub use ids::{CrewName, Kind, NameError, StreamId};
pub use limits::Limits;
pub use time::{Beat, Clock, EpochPolicy, Pace, Slice, Span, Timestamp};
