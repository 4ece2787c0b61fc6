//! What can go wrong with a journal, and what to do about it.

use std::error::Error;

use crate::engine::StreamId;

/// A journal that could not be read or written. Unless it says otherwise, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// What is stored is not what was written.
    #[error("journal `{journal}` is damaged{}: {why}; restore it from a copy", place(.stream.as_ref(), *.seq))]
    Corrupt {
        /// The file, or `memory`.
        journal: String,
        /// The stream, if the damage is inside one.
        stream: Option<StreamId>,
        /// The frame, if the damage is at one.
        seq: Option<u64>,
        /// What was expected.
        why: String,
    },
    /// The file is something else.
    #[error(
        "`{journal}` is no journal of live-crew, or its first bytes are damaged; name another file, or restore it from a copy"
    )]
    NotAJournal {
        /// The file.
        journal: String,
    },
    /// No room for what was to be written. The store goes on once there is room again.
    #[error("journal `{journal}` is full: {why}; make room or let retention keep less, then retry")]
    Full {
        /// The file, or `memory`.
        journal: String,
        /// Which room ran out.
        why: String,
    },
    /// Another writer holds the journal.
    #[error(
        "journal `{journal}` is being written by another process; stop that one, or open the \
         journal read-only"
    )]
    Locked {
        /// The file.
        journal: String,
    },
    /// Somebody else writes the journal since.
    #[error(
        "journal `{journal}` was taken over by another scheduler; this one stops, nothing is lost"
    )]
    Deposed {
        /// The journal.
        journal: String,
    },
    /// Written by a newer live-crew (rule J6).
    #[error(
        "journal `{journal}` has format {found}, this live-crew knows {known}; use a newer live-crew"
    )]
    NewerFormat {
        /// The file.
        journal: String,
        /// The format of the file.
        found: i32,
        /// The newest format known here.
        known: i32,
    },
    /// There is no such file.
    #[error("journal `{journal}` does not exist; check the path")]
    Missing {
        /// The file.
        journal: String,
    },
    /// A write to a journal that was opened for reading.
    #[error("journal `{journal}` is open read-only; open it for writing first")]
    ReadOnly {
        /// The file.
        journal: String,
    },
    /// One frame or snapshot is bigger than a store takes.
    #[error("a {what} of stream `{stream}` has {bytes} bytes, the most is {max}; split it")]
    TooLarge {
        /// `frame` or `snapshot`.
        what: &'static str,
        /// Whose it is.
        stream: StreamId,
        /// Its size.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// A snapshot that no kept frame leads to.
    #[error(
        "a snapshot of stream `{stream}` after frame {after} has no place, frames {first} to \
         {last} are kept; append first, then snapshot"
    )]
    Misplaced {
        /// Whose it is.
        stream: StreamId,
        /// The frame the snapshot names.
        after: u64,
        /// First frame kept.
        first: u64,
        /// Last frame kept.
        last: u64,
    },
    /// The disk, the database or the server said no.
    #[error("journal `{journal}`: {doing} failed: {source}{}", fix(&**source))]
    Io {
        /// The file, or where else it is.
        journal: String,
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// What to do about it, where what was said does not say so itself.
fn fix(source: &(dyn Error + Send + Sync + 'static)) -> &'static str {
    if says_what_to_do(source) { "" } else { "; check the disk and the permissions" }
}

#[cfg(feature = "nats")]
fn says_what_to_do(source: &(dyn Error + Send + Sync + 'static)) -> bool {
    source.is::<crate::nats::NatsError>()
}

#[cfg(not(feature = "nats"))]
fn says_what_to_do(_: &(dyn Error + Send + Sync + 'static)) -> bool {
    false
}

fn place(stream: Option<&StreamId>, seq: Option<u64>) -> String {
    match (stream, seq) {
        (Some(stream), Some(seq)) => format!(" at stream `{stream}`, frame {seq}"),
        (Some(stream), None) => format!(" at stream `{stream}`"),
        (None, _) => String::new(),
    }
}
