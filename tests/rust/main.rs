//! Contracts and laws that cross module walls.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod model;
mod properties;
mod support;
