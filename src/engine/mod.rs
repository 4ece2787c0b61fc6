//! The state machine of one stream. Facts in, commands out, time as data.
//!
//! | file | what is in it |
//! |---|---|
//! | `machine` | [`Engine`]: `handle`, `take_records`, `poll_command`, `replay`, `resume` |
//! | `protocol` | [`Input`], [`Record`], [`Command`]: the whole conversation |
//! | `decide` | which slices close, which timers fire, when all is done |
//! | `apply` | how a record takes effect |
//! | `turn`, `deliver`, `start`, `results`, `land` | a slice in work, in this order |
//! | `plan`, `spec`, `graph` | what users declare, checked |
//! | `context`, `diff`, `conflicts` | the shared context |
//! | `report`, `digest` | what happened as canonical text, and its chain of hashes |
//!
//! Nothing here reads a clock, does I/O, waits, or depends on the order of a hash map.
#![deny(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::iter_over_hash_type,
    clippy::float_arithmetic
)]

mod action;
mod apply;
mod conflicts;
mod context;
mod crew;
mod decide;
mod deliver;
mod diff;
mod digest;
mod event;
mod facts;
mod graph;
mod ids;
mod inbox;
mod land;
mod limits;
mod machine;
mod output;
mod pattern;
mod plan;
mod plan_error;
mod protocol;
mod random;
mod report;
mod results;
mod run;
mod spec;
mod start;
mod suggest;
mod time;
mod turn;
mod view;

pub use action::DEFAULT_TTL_MS;
pub use context::{ChangeError, Context};
pub use diff::{Change, Diff, Op};
pub use digest::Digest;
pub use event::{Event, Ids, Payload};
pub use facts::{Counters, Fact};
pub use ids::{CrewName, Kind, NameError, StreamId};
pub use limits::Limits;
pub use machine::{Divergence, Engine, Rejection, State};
pub use output::{Draft, Output};
pub use pattern::{Pattern, PatternError, grants};
pub use plan::{Plan, Planned};
pub use plan_error::{PlanError, Problem};
pub use protocol::{Command, Control, Emission, ErrorEvent, Input, Parcel, Record, Timer, Trouble};
pub use random::Seed;
pub(crate) use report::write_run_name;
pub use run::{
    Action, ActionId, Arrived, CrewIx, Failure, Job, Met, Outcome, Reason, RunId, RunKey, Triggers,
};
pub use spec::{
    Access, Backlog, Batch, Conflicts, ContextSettings, CrewSpec, LatePolicy, Need, OnMiss, Redact,
    Retry, StartAt, StreamSettings, Timing, WaitPolicy,
};
pub use suggest::closest;
pub use time::{Beat, Clock, EpochPolicy, Pace, Slice, Span, Timestamp};
