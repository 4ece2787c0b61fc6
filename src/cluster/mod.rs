//! Several processes as one: who runs which streams, and runs that others do.
//!
//! | file | what is in it |
//! |---|---|
//! | `keeper` | [`Keeper`]: the task that keeps leases, and tells the session what it owns |
//! | `claims` | what it decides, stepped by hand |
//! | `lease`, `nodes`, `shards` | the lease of one scope; who is there; who is to run which shard |
//! | `bucket` | keys that end by themselves |

mod bucket;
mod claims;
mod keeper;
mod lease;
mod nodes;
mod shards;

pub use claims::{Role, Told};
pub use keeper::{Keeper, KeeperHandle, LEASE};
