//! live-crew runs many crews over live event streams, in deterministic logical time.
//!
//! A stream is one ordered journal of inputs; everything else is a pure function folded over that
//! journal. The rules are in `docs/semantics.md`, the rooms and walls in `ARCHITECTURE.md`.
//!
//! | room | what it holds | may use |
//! |---|---|---|
//! | [`json`] | JSON with exact numbers, one canonical text | nothing |
//! | [`engine`] | the state machine of one stream: inputs in, commands out | `json` |
//! | [`wire`] | events, journal records and crew outputs as bytes | `engine`, `json` |
//! | `nats` | JetStream: connections, streams, fenced writes | `engine` |
//! | [`context`] | where the context can be read from outside: memory, SQLite, Redis, JetStream | `engine`, `nats` |
//! | [`store`] | journals: memory, SQLite, JetStream | `wire` and below, `nats` |
//! | [`transport`] | where events come from and actions go to: memory, files, NATS | `wire` and below, `nats` |
//! | [`runtime`] | the one loop that drives all of it | everything above |
//! | `cluster` | several processes as one: leases, runs that others do | everything above |
//! | `py` | the Python face | everything above |

#[cfg(feature = "runtime")]
pub mod context;
pub mod engine;
pub mod json;
pub mod wire;

#[cfg(feature = "nats")]
pub mod cluster;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "python")]
mod py;
#[cfg(feature = "runtime")]
pub mod runtime;
#[cfg(feature = "runtime")]
pub mod store;
#[cfg(feature = "runtime")]
pub mod transport;
