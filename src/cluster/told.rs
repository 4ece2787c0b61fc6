//! What a process may run, and what its session is told about it.

use crate::{engine::StreamId, store::Scope};

/// What a process may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// Its share of all shards, among all processes with this role.
    Shards,
    /// These streams, each as soon as nobody else does.
    Streams(Vec<StreamId>),
}

/// What a session is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Run it from now on: take over its journal and open a runtime.
    Owned(Scope),
    /// Drain it, close it, then say [`released`](super::KeeperHandle::released): another process
    /// is to go on.
    Release(Scope),
    /// Abort it, then say [`released`](super::KeeperHandle::released): another process may have
    /// taken it already. It is not owned again before that.
    Lost(Scope),
}
