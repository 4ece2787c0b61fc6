//! What stops a runtime.

use crate::{
    engine::{Divergence, PlanError, Slice, StreamId},
    store::StoreError,
    transport::TransportError,
    wire::DecodeError,
};

/// What stops a runtime. What was acknowledged until then is in the journal.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The journal cannot be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Events cannot be read, or actions not be published.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// A frame of the journal cannot be understood.
    #[error("journal of stream `{stream}`, frame {frame}: {error}")]
    Decode {
        /// The stream.
        stream: StreamId,
        /// The frame.
        frame: u64,
        /// Why.
        error: DecodeError,
    },
    /// Folding the journal does not give what it says.
    #[error("journal of stream `{stream}`, frame {frame}: {error}")]
    Diverged {
        /// The stream.
        stream: StreamId,
        /// The frame.
        frame: u64,
        /// How.
        error: Box<Divergence>,
    },
    /// The plan in a journal does not pass the checks of this version.
    #[error("journal of stream `{stream}`: its plan is refused: {error}")]
    Plan {
        /// The stream.
        stream: StreamId,
        /// Why.
        error: PlanError,
    },
    /// The journal was written with another plan.
    #[error(
        "journal of stream `{stream}` was written with another plan: {what}; go on with the old plan, or give this one a new journal"
    )]
    OtherPlan {
        /// The stream.
        stream: StreamId,
        /// What differs first, as a clause.
        what: String,
    },
    /// An earlier run of this runtime failed or was dropped.
    #[error(
        "an earlier run failed or was dropped, so the journal may hold more or less than is known here; open it again and go on"
    )]
    Broken,
    /// The journal does not begin as one.
    #[error(
        "journal of stream `{0}` has neither a header nor a snapshot; it is not one, or was cut"
    )]
    NoHeader(StreamId),
    /// The stream is not in the journal.
    #[error("the journal has no stream `{stream}`{}", .meant.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    UnknownStream {
        /// The stream.
        stream: StreamId,
        /// What was probably meant.
        meant: Option<String>,
    },
    /// A slice beyond the end of the journal.
    #[error(
        "slice {} of stream `{stream}` is not committed; {}",
        .slice.0,
        .last.map_or_else(|| "no slice is yet".to_owned(), |last| format!("the last one is {}", last.0))
    )]
    NotCommitted {
        /// The stream.
        stream: StreamId,
        /// The slice asked for.
        slice: Slice,
        /// The last slice committed.
        last: Option<Slice>,
    },
    /// A slice before the beginning of what is kept.
    #[error(
        "slice {} of stream `{stream}` is pruned; the journal begins after slice {}, keep more with `retention`",
        .slice.0, .from.0
    )]
    Pruned {
        /// The stream.
        stream: StreamId,
        /// The slice asked for.
        slice: Slice,
        /// The slice the journal begins after.
        from: Slice,
    },
    /// A crew that the plan of the journal does not have.
    #[error("the plan has no crew `{crew}`{}", .meant.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    UnknownCrew {
        /// The name asked for.
        crew: String,
        /// What was probably meant.
        meant: Option<String>,
    },
}
