//! Events, actions and reports over NATS JetStream.

mod sink;
mod source;

pub use sink::NatsSink;
pub use source::NatsSource;
