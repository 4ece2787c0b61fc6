//! Contracts and laws that cross module walls.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod architecture;
#[cfg(feature = "nats")]
mod cluster;
mod context_contract;
#[cfg(feature = "nats")]
mod context_jetstream;
mod context_projection;
#[cfg(feature = "redis")]
mod context_redis;
mod inspect;
mod model;
#[cfg(feature = "nats")]
mod nats_reconnect;
mod properties;
mod rules;
mod runtime;
#[cfg(any(feature = "nats", feature = "redis"))]
mod servers;
mod sim;
mod simulator;
#[cfg(feature = "sqlite")]
mod store_contract;
#[cfg(feature = "sqlite")]
mod store_fixture;
#[cfg(feature = "sqlite")]
mod store_kill;
#[cfg(feature = "sqlite")]
mod store_model;
#[cfg(feature = "sqlite")]
mod store_tamper;
mod support;
