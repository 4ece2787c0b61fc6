//! What a server is and has, for whoever asks what is promised on it.

use std::time::Duration;

use async_nats::jetstream::{account::Limits, context::GetStreamErrorKind, stream};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::time::timeout;

use super::{Connection, Layout, NatsError, code, connect::advice};

/// The buckets, as the streams that they are.
const BUCKETS: [&str; 3] = ["KV_live_ctx", "KV_live_lease", "KV_live_nodes"];

/// A user who may not ask about a stream gets no answer at all.
const TIMEOUT: Duration = Duration::from_secs(2);

/// What a server is and has.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Its name.
    pub server: String,
    /// Its version.
    pub version: String,
    /// Why to upgrade it, if so.
    pub advice: Option<String>,
    /// What its JetStream understands.
    pub level: u32,
    /// Whether messages can be stored together or not at all.
    pub has_batches: bool,
    /// The name of its cluster.
    pub cluster: Option<String>,
    /// How many servers of the cluster it tells clients of; 0 if none.
    pub servers: usize,
    /// How this client signed in.
    pub sign_in: &'static str,
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
    /// The largest message, in bytes.
    pub max_payload: usize,
    /// Bytes JetStream may keep in files for this account; absent: no limit.
    pub max_storage: Option<i64>,
    /// Streams this account may have; absent: no limit.
    pub max_streams: Option<i64>,
    /// Bytes it keeps now.
    pub storage: u64,
    /// The streams of live-crew that are there.
    pub streams: Vec<Found>,
    /// Those about which this user got no answer.
    pub unknown: Vec<String>,
}

/// A stream that is there.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// How many copies are kept.
    pub replicas: usize,
    /// What it takes.
    pub subjects: Vec<String>,
    /// How much it holds.
    pub messages: u64,
    /// The same in bytes.
    pub bytes: u64,
    /// Whether it stores messages together or not at all.
    pub has_batches: bool,
    /// Whether messages are acknowledged before they are written.
    pub is_hasty: bool,
}

impl Report {
    /// Asks the server behind a connection.
    pub async fn of(nats: &Connection) -> Result<Self, NatsError> {
        let account = nats.jetstream().query_account().await;
        let account = account.map_err(|error| NatsError::unanswered("its limits", error))?;
        let info = nats.client().server_info();
        let Limits { max_storage, max_streams, .. } = account.limits;
        let mut report = Self {
            server: info.server_name,
            version: info.version,
            advice: advice(nats.client()),
            level: nats.level(),
            has_batches: nats.has_batches(),
            cluster: info.cluster,
            servers: info.connect_urls.len(),
            sign_in: nats.target().sign_in.kind(),
            is_encrypted: info.tls_required || nats.target().needs_tls,
            max_payload: info.max_payload,
            max_storage,
            max_streams,
            storage: account.storage,
            streams: Vec::new(),
            unknown: Vec::new(),
        };
        let layout =
            [Layout::EVENTS, Layout::LOG, Layout::RUNS, Layout::REPORTS, Layout::DEAD_LETTERS];
        let names = layout.into_iter().chain(BUCKETS);
        for (name, found) in join_all(names.map(|name| look(nats, name))).await {
            match found {
                Ok(Some(found)) => report.streams.push(found),
                Ok(None) => {}
                Err(()) => report.unknown.push(name.to_owned()),
            }
        }
        Ok(report)
    }
}

/// A stream, or nothing if it is not there, or no answer.
async fn look<'a>(nats: &Connection, name: &'a str) -> (&'a str, Result<Option<Found>, ()>) {
    let asked = timeout(TIMEOUT, nats.jetstream().get_stream(name)).await;
    let found = match asked {
        Ok(Ok(stream)) => Ok(Some(describe(stream.cached_info()))),
        Ok(Err(error)) => match error.kind() {
            GetStreamErrorKind::JetStream(why) if why.error_code().0 == code::NO_STREAM => Ok(None),
            _ => Err(()),
        },
        Err(_) => Err(()),
    };
    (name, found)
}

fn describe(info: &stream::Info) -> Found {
    let config = &info.config;
    Found {
        name: config.name.clone(),
        replicas: config.num_replicas,
        subjects: config.subjects.clone(),
        messages: info.state.messages,
        bytes: info.state.bytes,
        has_batches: config.allow_atomic_publish,
        is_hasty: config.persist_mode == Some(stream::PersistenceMode::Async),
    }
}
