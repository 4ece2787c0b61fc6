//! JSON as live-crew keeps it: exact numbers, one canonical text, an error that names its place.
//!
//! Canonical text has no white space, object keys in byte order, the shortest escapes, integers as
//! their digits and floats in the shortest form that reads back (`1` and `1.0` stay different).
//! `serde_json` is not enough here: it rounds large integers and keeps the last of two equal keys,
//! both silent changes of somebody's data.
#![deny(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::iter_over_hash_type,
    clippy::float_arithmetic
)]

mod canonical;
mod error;
mod number;
mod parse;
mod scan;
mod text;
mod value;

#[cfg(test)]
mod laws;

pub use canonical::canonicalize;
pub use error::{JsonError, JsonLimits, JsonProblem, Place};
pub use number::Number;
pub use parse::parse;
pub use text::{string_size, write_string};
pub use value::{Json, Object};

pub(crate) use error::Fault;
pub(crate) use scan::Scanner;
pub(crate) use text::plain_length;
