//! Python values as canonical JSON, and back, in one pass each.
//!
//! `json.loads(json.dumps(value))` would be shorter and is not enough: it lets NaN and lone
//! surrogates through, turns keys that are numbers into text, sorts nothing, and costs ten times as
//! much. What Python has and JSON has not is an error that names the place and what to write there.

mod digits;
mod keys;
mod not_json;
mod read;
mod shape;
mod write;

pub(super) use not_json::NotJson;
pub(super) use read::{json_to_python, to_python};
pub(super) use write::{from_python, to_json, write_python};
