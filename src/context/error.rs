//! What can go wrong where contexts are kept, and what to do about it.

use crate::engine::StreamId;

/// A context that was not saved or loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContextError {
    /// Somebody took the stream over.
    #[error(
        "context of stream `{stream}` in {place} is written by a newer session ({by}, this one is {writer}); stop one of them, or give each its own place"
    )]
    Deposed {
        /// Where it is kept.
        place: String,
        /// The stream.
        stream: StreamId,
        /// The writer that was refused.
        writer: u64,
        /// The one that is newer.
        by: u64,
    },
    /// No answer, or none yet. Trying again may help; saying the same twice does no harm.
    #[error("contexts in {place}: {why}; check that the server runs and can be reached")]
    Unavailable {
        /// Where they are kept.
        place: String,
        /// What went wrong.
        why: String,
    },
    /// The place does not do, or does not let us in.
    #[error("contexts in {place}: {why}; {fix}")]
    Refused {
        /// Where they are kept.
        place: String,
        /// What is wrong.
        why: String,
        /// What to do.
        fix: String,
    },
    /// What is kept there is none of ours.
    #[error(
        "context of stream `{stream}` in {place} cannot be read: {why}; let nobody else write there, and remove it"
    )]
    Foreign {
        /// Where it is kept.
        place: String,
        /// The stream.
        stream: StreamId,
        /// What was found.
        why: String,
    },
}

impl ContextError {
    /// Whether the same may go well later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
