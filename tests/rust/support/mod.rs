//! Stories about streams: text in, text out, compared exactly.
//!
//! | file | what is in it |
//! |---|---|
//! | `timeline` | [`check`]: tells a story and compares what came of it |
//! | `declare` | the lines that declare crews and settings |
//! | `script` | what crews do in a story |
//! | `stage` | an engine driven by hand through a story |
//! | `print` | what the engine says, as lines |

pub(crate) mod declare;
pub(crate) mod print;
pub(crate) mod script;
pub(crate) mod stage;
pub(crate) mod timeline;

pub(crate) use timeline::{check, tell};
