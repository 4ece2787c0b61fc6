//! Randomness that replays (rule T9): one stream of bytes for each name a run asks for.

use super::{CrewName, RunKey, Slice, StreamId};

/// Where the randomness of one run comes from.
#[derive(Debug, Clone)]
pub struct Seed(blake3::Hasher);

impl Seed {
    /// The seed of a run: the same whenever it runs again.
    pub fn of_run(stream: &StreamId, slice: Slice, crew: &CrewName, run: RunKey) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("live-crew run randomness");
        let text = format!("{stream}/{}/{crew}/{run}/", slice.0);
        hasher.update(text.as_bytes());
        Self(hasher)
    }

    /// Fills `out` with the bytes of a name. Asking for one name changes no other.
    pub fn fill(&self, name: &str, out: &mut [u8]) {
        let mut hasher = self.0.clone();
        hasher.update(name.as_bytes());
        hasher.finalize_xof().fill(out);
    }

    /// A version 4 UUID for a name.
    pub fn uuid(&self, name: &str) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.fill(name, &mut bytes);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        bytes
    }
}
