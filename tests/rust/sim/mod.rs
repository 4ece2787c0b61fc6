//! A simulator over the real runtime, under a clock that only moves when nothing else can.
//!
//! | file | what is in it |
//! |---|---|
//! | `scenario` | a plan, its input and what goes wrong, all out of one seed |
//! | `plans`, `feed` | random plans, random events and the source that gives them |
//! | `disk`, `sink`, `crews` | a store, a sink and crews that fail |
//! | `drive` | runs a scenario, from crash to crash, to its end |
//! | `check` | what must be true of what is left |
//! | `tally` | what happened, so that one sees it did |

mod check;
mod crews;
mod disk;
mod drive;
mod feed;
mod plans;
mod scenario;
mod sink;
mod tally;

pub(crate) use drive::simulate;
pub(crate) use scenario::Scenario;
pub(crate) use tally::Tally;
