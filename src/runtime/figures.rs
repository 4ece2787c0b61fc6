//! What a runtime can be asked.

use super::{Clock, Crews, Runtime};
use crate::{
    engine::{Counters, Digest, Engine, StreamId},
    store::Store,
    transport::Sink,
};

impl<S: Store, K: Sink, C: Crews, T: Clock> Runtime<S, K, C, T> {
    /// The digest of a stream after its last commit.
    pub fn digest(&self, stream: &StreamId) -> Option<Digest> {
        self.streams[*self.by_name.get(stream)?].digest()
    }

    /// The engine of a stream, to ask it things.
    pub fn engine(&self, stream: &StreamId) -> Option<&Engine> {
        Some(&self.streams[*self.by_name.get(stream)?].engine)
    }

    /// The streams there are.
    pub fn streams(&self) -> impl Iterator<Item = &StreamId> {
        self.by_name.keys()
    }

    /// What all streams counted together, and how much input was refused.
    pub fn counters(&self) -> (Counters, u64) {
        let mut sum = Counters::default();
        self.streams.iter().for_each(|stream| sum.add(stream.engine.counters()));
        (sum, self.refused)
    }

    /// How much of what was refused was over a rate.
    pub fn too_fast(&self) -> u64 {
        self.gate.refused
    }

    /// Streams that stopped with an error (rule T5, `fail`).
    pub fn failed(&self) -> impl Iterator<Item = (&StreamId, &str)> {
        self.streams
            .iter()
            .filter_map(|stream| Some((stream.engine.stream(), stream.failed.as_deref()?)))
    }
}
