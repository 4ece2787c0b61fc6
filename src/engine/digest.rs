//! The digest chain (rule J4): two runs are equal iff their last digests are.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Clock, StreamId};

/// BLAKE3 over everything a stream did up to a slice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest before slice 0: the stream, its beat and its epoch.
    pub fn genesis(stream: &StreamId, clock: Clock) -> Self {
        let text = format!(
            r#"{{"epoch0":{},"slice_ms":{},"stream_id":"{stream}"}}"#,
            clock.epoch0.micros(),
            clock.beat.ms(),
        );
        Self(*blake3::hash(text.as_bytes()).as_bytes())
    }

    /// The digest after a slice whose report is this canonical text, in pieces.
    #[must_use]
    pub fn after<'a>(&self, report: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0);
        for piece in report {
            hasher.update(piece);
        }
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
