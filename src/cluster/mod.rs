//! Several processes as one: who runs which streams, and runs that others do.
//!
//! | file | what is in it |
//! |---|---|
//! | `keeper` | [`Keeper`]: the task that keeps leases, and tells the session what it owns |
//! | `told` | [`Role`], [`Told`]: what a process may run, what its session is told |
//! | `claims` | what the keeper decides, stepped by hand |
//! | `lease`, `nodes`, `shards` | the lease of one scope; who is there; who is to run which shard |
//! | `bucket` | keys that end by themselves |
//! | `remote` | [`Elsewhere`]: crews of other hosts, as a scheduler sees them |
//! | `courier` | the task that publishes their runs and brings the answers back |
//! | `runner` | [`Runner`]: does runs for schedulers elsewhere |
//! | `lane` | runs of one crew on their way in and out |
//! | `guard` | looks whether the server and the streams will still do |
//! | `watch` | hears heartbeats, and says when a stream is silent |
//! | `ticket` | a run as it travels |
//! | `age` | [`ServerTime`]: what time it is for the servers |

mod age;
mod bucket;
mod claims;
mod courier;
mod guard;
mod keeper;
mod lane;
mod lease;
mod nodes;
mod remote;
mod runner;
mod shards;
mod ticket;
mod told;
mod watch;

pub use age::ServerTime;
pub use guard::unfit;
pub use keeper::{Keeper, KeeperHandle, LEASE};
pub use remote::Elsewhere;
pub use runner::Runner;
pub use told::{Role, Told};
pub use watch::watch;
