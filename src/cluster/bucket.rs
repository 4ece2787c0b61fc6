//! A bucket of keys that end by themselves.
//!
//! The client's own key-value calls forget the time to live when a key is written again, so that a
//! lease would never end. Keys are therefore written as plain messages, and read all in one
//! question: a watch is a consumer, and a consumer can fall silent.

use std::{collections::BTreeMap, time::Duration};

use async_nats::{
    HeaderMap,
    jetstream::{
        context::CreateStreamErrorKind,
        stream::{Config, DiscardPolicy, StorageType},
    },
};
use bytes::Bytes;
use futures_util::StreamExt;

use crate::nats::{Connection, Message, NatsError, code, store_together};

/// How long it stays known that a key was removed, and by which message.
const MARKERS: Duration = Duration::from_secs(30);

/// A bucket.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    nats: Connection,
    name: &'static str,
}

/// The last that was written to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub sequence: u64,
    /// Nothing where the key was removed or has ended.
    pub value: Option<Bytes>,
}

impl Bucket {
    /// Makes the bucket unless it is there.
    pub(super) async fn open(
        nats: &Connection,
        name: &'static str,
        replicas: usize,
    ) -> Result<Self, NatsError> {
        let config = Config {
            name: format!("KV_{name}"),
            subjects: vec![format!("$KV.{name}.>")],
            storage: StorageType::File,
            num_replicas: replicas,
            max_messages_per_subject: 1,
            discard: DiscardPolicy::New,
            allow_direct: true,
            allow_rollup: true,
            deny_delete: true,
            allow_message_ttl: true,
            subject_delete_marker_ttl: Some(MARKERS),
            max_message_size: -1,
            duplicate_window: Duration::from_secs(120),
            ..Config::default()
        };
        let made = nats.jetstream().create_stream(config).await;
        let doing = || format!("bucket `{name}`");
        match made.map_err(|error| (error.kind(), error)) {
            Ok(_) => {}
            // How many copies there are is for operators to change.
            Err((CreateStreamErrorKind::JetStream(refused), _))
                if refused.error_code().0 == code::STREAM_DIFFERS =>
            {
                let found = crate::nats::stream(nats, &format!("KV_{name}")).await?;
                if !found.cached_info().config.allow_message_ttl {
                    return Err(NatsError::Unfit {
                        servers: nats.servers().to_owned(),
                        why: format!("bucket `{name}` was made without a time to live for keys"),
                        fix: "remove it; live-crew makes it again as it has to be".to_owned(),
                    });
                }
            }
            Err((CreateStreamErrorKind::JetStream(refused), _)) => {
                return Err(NatsError::refused(doing(), &refused));
            }
            Err((_, error)) => return Err(NatsError::unanswered(doing(), error)),
        }
        Ok(Self { nats: nats.clone(), name })
    }

    /// Writes a key if its last message is still the one known; gives the sequence of the new one.
    pub(super) async fn write(
        &self,
        key: &str,
        value: Bytes,
        after: Option<u64>,
        ttl: Duration,
    ) -> Result<u64, NatsError> {
        let mut headers = HeaderMap::new();
        // Servers count in whole seconds, and less than one is refused.
        headers.insert("Nats-TTL", ttl.as_millis().div_ceil(1_000).max(1).to_string());
        self.store(key, headers, value, after).await
    }

    /// Removes a key if its last message is still the one known.
    pub(super) async fn remove(&self, key: &str, after: Option<u64>) -> Result<u64, NatsError> {
        let mut headers = HeaderMap::new();
        headers.insert("KV-Operation", "PURGE");
        headers.insert("Nats-Rollup", "sub");
        headers.insert("Nats-TTL", MARKERS.as_secs().to_string());
        self.store(key, headers, Bytes::new(), after).await
    }

    async fn store(
        &self,
        key: &str,
        headers: HeaderMap,
        payload: Bytes,
        after: Option<u64>,
    ) -> Result<u64, NatsError> {
        let subject = format!("$KV.{}.{key}", self.name);
        let message = Message { subject, id: None, headers, payload, after };
        let stream = format!("KV_{}", self.name);
        let stored = store_together(&self.nats, &stream, None, vec![message]).await?;
        Ok(stored.last().copied().unwrap_or(0))
    }

    /// The last of each key, in one question. Any server that holds a copy may answer, so it may
    /// be a moment behind; writes are checked against the one that leads.
    pub(super) async fn read(&self, keys: &[String]) -> Result<BTreeMap<String, Entry>, NatsError> {
        let doing = || format!("for the keys of `{}`", self.name);
        let unanswered = |why: String| NatsError::unanswered(doing(), why);
        let prefix = format!("$KV.{}.", self.name);
        let subjects: Vec<String> = keys.iter().map(|key| format!("{prefix}{key}")).collect();
        let ask = serde_json::json!({ "multi_last": subjects, "batch": 1_000 }).to_string();
        let client = self.nats.client();
        let inbox = client.new_inbox();
        let mut answers =
            client.subscribe(inbox.clone()).await.map_err(|error| unanswered(error.to_string()))?;
        let subject = format!("$JS.API.DIRECT.GET.KV_{}", self.name);
        let sent = client.publish_with_reply(subject, inbox, ask.into()).await;
        sent.map_err(|error| unanswered(error.to_string()))?;
        let mut entries = BTreeMap::new();
        while let Some(answer) = answers.next().await {
            match answer.status.map(|status| status.as_u16()) {
                None | Some(200) => {}
                Some(204 | 404) => return Ok(entries),
                Some(status) => {
                    let why = answer.description.unwrap_or_default();
                    return Err(unanswered(format!("status {status} {why}")));
                }
            }
            let headers = answer.headers.unwrap_or_default();
            let header = |name: &str| headers.get(name).map(async_nats::HeaderValue::as_str);
            let key = header("Nats-Subject").and_then(|subject| subject.strip_prefix(&prefix));
            let sequence = header("Nats-Sequence").and_then(|number| number.parse().ok());
            let (Some(key), Some(sequence)) = (key, sequence) else {
                return Err(unanswered("an answer without subject and sequence".to_owned()));
            };
            let is_gone =
                header("KV-Operation").is_some() || header("Nats-Marker-Reason").is_some();
            let value = (!is_gone).then_some(answer.payload);
            entries.insert(key.to_owned(), Entry { sequence, value });
        }
        Err(unanswered("the answer ended before it was complete".to_owned()))
    }
}
