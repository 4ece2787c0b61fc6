//! What several tests stand on.
//!
//! | file | what is in it |
//! |---|---|
//! | `timeline`, `declare`, `script`, `stage`, `print` | stories: text in, text out |
//! | `cases`, `behaviour` | random plans, events and crews |
//! | `reference`, `plain` | the naive scheduler the engine is compared with |
//! | `drive` | an engine driven by hand through a random case |
//! | `store` | stores that stand before another one |
//! | `build`, `rng` | events and crews in few words, numbers out of a seed |

pub(crate) mod behaviour;
pub(crate) mod build;
pub(crate) mod cases;
pub(crate) mod declare;
pub(crate) mod drive;
pub(crate) mod plain;
pub(crate) mod print;
pub(crate) mod reference;
pub(crate) mod rng;
pub(crate) mod script;
pub(crate) mod stage;
pub(crate) mod store;
pub(crate) mod timeline;

pub(crate) use store::as_the_store_inside;
pub(crate) use timeline::{check, tell};
