//! What can go wrong with a transport itself. Bad input is not here: that is a dead letter.

use std::io;

/// Why a source cannot go on giving, or a sink taking.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The input cannot be opened.
    #[error("cannot open `{name}`: {error}; check that the file exists and may be read")]
    Open {
        /// The path.
        name: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The path names a directory.
    #[error("`{name}` is a directory; name a file of events in it")]
    Directory {
        /// The path.
        name: String,
    },
    /// The output cannot be opened.
    #[error("cannot write to `{name}`: {error}; check that its folder exists and may be written")]
    Create {
        /// The path.
        name: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// Reading stopped before the end.
    #[error(
        "cannot read on in `{name}` after byte {offset}: {error}; resume when that is repaired"
    )]
    Read {
        /// The path, or `stdin`.
        name: String,
        /// How much was read.
        offset: u64,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The input is shorter than it was.
    #[error(
        "`{name}` ends at byte {length}, before byte {cursor} where this run is to resume; \
         give the file it was started with, or start over"
    )]
    Shrunk {
        /// The path, or `stdin`.
        name: String,
        /// How long it is now.
        length: u64,
        /// Where it was to resume.
        cursor: u64,
    },
    /// A stream of a server has less than was read of it.
    #[error(
        "stream `{name}` ends at {last}, and the journals have what was read of it up to {cursor}: \
         it lost its end, or was made anew, and new events would be passed over; restore it, or \
         let it go on behind them (`nats stream purge {name} --seq={next}`), or remove the \
         streams and buckets of live-crew to start over", next = cursor + 1
    )]
    Behind {
        /// The stream of the server.
        name: String,
        /// Where it ends.
        last: u64,
        /// Up to where it was read.
        cursor: u64,
    },
    /// Writing failed.
    #[error("cannot write to `{name}`: {error}; free space or choose another output, then resume")]
    Write {
        /// The path, or `stdout`.
        name: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// Nobody reads what is written.
    #[error("nobody reads `{name}` any more; keep its reader running, or write to a file")]
    BrokenPipe {
        /// The path, or `stdout`.
        name: String,
    },
    /// A memory channel holds all it may.
    #[error(
        "the channel holds {capacity} events, its capacity; wait with `publish`, or give it more"
    )]
    Full {
        /// How many events it may hold.
        capacity: usize,
    },
    /// The other side of a memory channel is gone.
    #[error("the channel is closed: its source was dropped; publish before the run ends")]
    Closed,
    /// A transport of the program's own failed, and says why.
    #[error("{0}")]
    Custom(String),
    /// What the program does with what it is told failed, such as a pipe that nobody reads any more.
    #[error("{0}")]
    Program(String),
}

impl TransportError {
    /// A failed write to `name`.
    pub(super) fn write(name: &str, error: io::Error) -> Self {
        let name = String::from(name);
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe { name }
        } else {
            Self::Write { name, error }
        }
    }
}
