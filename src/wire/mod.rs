//! What crosses a wall as bytes: events and outputs coming in, actions going out, the journal.
//!
//! | file | what is in it |
//! |---|---|
//! | `event` | events as JSON, instants as RFC 3339 |
//! | `output` | what a crew answered, turned into actions and context changes (§11) |
//! | `emission` | actions, errors and late events as JSON |
//! | `record`, `header` | journal frames and snapshots |
//! | `redact` | what must never be written down |

mod emission;
mod event;
mod event_error;
mod header;
mod record;
mod redact;
mod suggest;
mod timestamp;

pub use emission::{write_action, write_error, write_late};
pub use event::{EventReader, parse_event, write_event};
pub use event_error::{EventError, EventProblem};
pub use header::{Change, Header};
pub use record::{
    Body, DecodeError, FORMAT, decode_body, decode_snapshot, encode_header, encode_records,
    encode_snapshot,
};
pub use redact::{REDACTED, is_secret, redact_diff, redact_event, redact_keys, redact_payload};
pub use timestamp::{TimestampError, parse_timestamp, write_timestamp};
