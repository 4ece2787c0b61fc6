//! What a server refused, and what to do about it.

/// The numbers by which JetStream says why it refused.
pub mod code {
    /// A check of the last sequence failed: somebody else wrote since.
    pub const WRONG_LAST_SEQUENCE: u64 = 10_071;
    /// The same check, while another write to the subject is under way.
    pub const WRITE_UNDER_WAY: u64 = 10_164;
    /// The same id is being written.
    pub const ID_UNDER_WAY: u64 = 10_158;
    /// A batch holds an id that was stored before.
    pub const BATCH_HAS_KNOWN_ID: u64 = 10_201;
    /// A stream of that name has other settings.
    pub const STREAM_DIFFERS: u64 = 10_058;
    /// There is no such message.
    pub const NO_MESSAGE: u64 = 10_037;
    /// There is no such stream.
    pub const NO_STREAM: u64 = 10_059;
    /// A cluster that is not whole yet: it has no leader, or too few servers for the copies.
    pub const NOT_YET: [u64; 4] = [10_005, 10_008, 10_009, 10_023];
}

/// Something that NATS did not do.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// No connection, or no JetStream behind it yet.
    #[error("NATS at {servers}: {why}; {fix}")]
    Connect {
        /// The addresses tried.
        servers: String,
        /// What went wrong.
        why: String,
        /// What to do.
        fix: String,
        /// Whether the server may just be away.
        is_away: bool,
    },
    /// The server is not one live-crew works with.
    #[error("NATS at {servers}: {why}; {fix}")]
    Unfit {
        /// The addresses.
        servers: String,
        /// What is wrong with it.
        why: String,
        /// What to do.
        fix: String,
    },
    /// JetStream said no.
    #[error("NATS refused {doing}: {why} ({code})")]
    Refused {
        /// What was asked for.
        doing: String,
        /// The number of the reason.
        code: u64,
        /// The reason.
        why: String,
    },
    /// No answer came; whether it was done is not known.
    #[error("NATS did not answer {doing}: {why}; check the server and the network")]
    Unanswered {
        /// What was asked for.
        doing: String,
        /// What the client said.
        why: String,
    },
}

impl NatsError {
    pub(crate) fn unanswered(doing: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Unanswered { doing: doing.into(), why: why.to_string() }
    }

    pub(crate) fn refused(doing: impl Into<String>, error: &async_nats::jetstream::Error) -> Self {
        Self::Refused { doing: doing.into(), code: error.error_code().0, why: error.to_string() }
    }

    /// Whether the same may go well later, without anybody doing anything here.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Connect { is_away, .. } => *is_away,
            Self::Unfit { .. } => false,
            Self::Refused { code, .. } => code::NOT_YET.contains(code),
            Self::Unanswered { .. } => true,
        }
    }

    /// The number of the reason, if JetStream gave one.
    pub fn code(&self) -> Option<u64> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}
