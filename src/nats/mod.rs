//! NATS JetStream as live-crew uses it: connections, the fixed set of streams, fenced writes.
//!
//! | file | what is in it |
//! |---|---|
//! | `address`, `urls`, `sign_in` | where the servers are, how to sign in; what that needs |
//! | `connect`, `state`, `version` | a connection, how it is doing, and which servers will do |
//! | `refused`, `patience` | why there is no connection; trying again while a server is away |
//! | `report` | what is promised on a server |
//! | `layout` | subjects, JetStream streams and their settings |
//! | `batch` | messages that are stored together or not at all |
//! | `fast` | messages that are stored in their order and acknowledged together |
//! | `letters` | dead letters, to be looked at and sent again |
//! | `scan` | reading what is stored |
//! | `error` | what a server refused, and what to do about it |

mod address;
mod batch;
mod connect;
mod error;
mod fast;
mod layout;
mod letters;
mod patience;
mod refused;
mod report;
mod scan;
mod sign_in;
mod state;
mod urls;
mod version;

pub use address::{Address, SignIn, Tls};
pub use batch::{Fence, Message, store_together};
pub(crate) use batch::{MAX_BATCH, Receipt, store_each};
pub use connect::Connection;
pub use error::{NatsError, code};
pub(crate) use fast::InOrder;
pub use layout::{Layout, shard_of, subjects};
pub use letters::{Letter, letters, requeue};
pub use patience::patiently;
pub use report::{Found, Report};
pub(crate) use scan::{Stored, Wanted, last, next, scan, stream};
pub use state::State;
