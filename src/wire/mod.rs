//! What crosses a wall as bytes: events and outputs coming in, actions going out, the journal.
//!
//! | file | what is in it |
//! |---|---|
//! | `event` | events as JSON, instants as RFC 3339 |
//! | `answer` | the JSON inside a crew's raw text (rule A2) |
//! | `template` | JSON with expressions in its strings (rule A3) |
//! | `output` | what a crew answered, turned into actions and context changes (§11) |
//! | `emission` | actions, errors and late events as JSON |
//! | `record`, `header` | journal frames and snapshots |
//! | `redact` | what must never be written down |

mod answer;
mod emission;
mod encode;
mod event;
mod event_error;
mod header;
mod output;
mod output_error;
mod record;
mod redact;
mod suggest;
mod template;
mod timestamp;

pub use answer::{Parse, find_json};
pub use emission::{split_context, write_action, write_context, write_error, write_late};
pub use event::{Envelope, EventReader, parse_event, write_event};
pub use event_error::{EventError, EventProblem};
pub use header::{Change, Header};
pub use output::{Answer, Emits, Scope, read_output};
pub use output_error::{OutputError, OutputProblem};
pub use record::{
    Body, DecodeError, FORMAT, decode_body, decode_snapshot, encode_header, encode_records,
    encode_snapshot, write_records,
};
pub use redact::{REDACTED, is_secret, redact_diff, redact_event, redact_keys, redact_payload};
pub use template::{Template, TemplateError};
pub use timestamp::{TimestampError, parse_timestamp, write_timestamp};
