//! The fixed set of JetStream streams; never one for each stream of events.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType, SubjectTransform};

use super::{Connection, NatsError, code};
use crate::engine::StreamId;

/// Every subject live-crew says something on.
pub mod subjects {
    use crate::engine::StreamId;

    /// Where foreign publishers put the events of a stream.
    pub fn events(stream: &StreamId) -> String {
        format!("live.{stream}.events")
    }

    /// Where the events of a shard, or of one stream in it, are kept.
    pub fn kept_events(shard: u32, stream: Option<&StreamId>) -> String {
        format!("p.{shard}.live.{}.events", stream.map_or("*", StreamId::as_str))
    }

    /// What a stream wants done.
    pub fn actions(stream: &StreamId) -> String {
        format!("live.{stream}.actions")
    }

    /// The frames of its journal.
    pub fn journal(stream: &StreamId) -> String {
        format!("live.{stream}.journal")
    }

    /// Its snapshots.
    pub fn snapshots(stream: &StreamId) -> String {
        format!("live.{stream}.snapshots")
    }

    /// Who may write for a shard.
    pub fn shard_term(shard: u32) -> String {
        format!("live.shard.{shard}.term")
    }

    /// Who may write for one stream, where a stream is run by itself.
    pub fn term(stream: &StreamId) -> String {
        format!("live.{stream}.term")
    }

    /// The stream a subject is about.
    pub fn stream_of(subject: &str) -> Option<StreamId> {
        StreamId::new(name_in(subject)).ok()
    }

    /// What stands for the stream in a subject: anybody may publish to anything.
    pub fn name_in(subject: &str) -> &str {
        let rest = sent_to(subject).strip_prefix("live.").unwrap_or_default();
        rest.split('.').next().unwrap_or_default()
    }

    /// The subject something was sent to. A kept event has its shard before it.
    pub fn sent_to(subject: &str) -> &str {
        let rest = subject.strip_prefix("p.").and_then(|rest| rest.split_once('.'));
        rest.map_or(subject, |(_, sent_to)| sent_to)
    }
}

/// Names and settings of the JetStream streams.
#[derive(Debug, Clone)]
pub struct Layout {
    /// How many copies the servers keep.
    pub replicas: usize,
    /// Into how many shards streams are divided.
    pub shards: u32,
    /// Bytes of events kept, beyond which publishers are refused; -1 is what the server allows.
    pub event_bytes: i64,
    /// How long events are kept.
    pub event_age: Duration,
}

impl Default for Layout {
    fn default() -> Self {
        Self { replicas: 1, shards: 8, event_bytes: -1, event_age: Duration::ZERO }
    }
}

impl Layout {
    /// Where events come in.
    pub const EVENTS: &str = "LIVE_EVENTS";
    /// What was decided: journals, snapshots, actions, terms.
    pub const LOG: &str = "LIVE_LOG";
    /// Runs for other hosts, and their answers.
    pub const RUNS: &str = "LIVE_RUNS";
    /// Failures and late events.
    pub const REPORTS: &str = "LIVE_REPORTS";
    /// Input that was refused.
    pub const DEAD_LETTERS: &str = "LIVE_DLQ";

    /// The settings of every stream, as a server of that API level has them.
    pub fn configs(&self, level: u32) -> Vec<Config> {
        let window = Duration::from_secs(600);
        let base = |name: &str, subjects: &[&str]| Config {
            name: name.to_owned(),
            subjects: subjects.iter().map(|&subject| subject.to_owned()).collect(),
            storage: StorageType::File,
            num_replicas: self.replicas,
            duplicate_window: window,
            allow_direct: true,
            max_message_size: -1,
            ..Config::default()
        };
        let day = Duration::from_secs(24 * 60 * 60);
        let transform = SubjectTransform {
            source: "live.*.events".to_owned(),
            destination: format!(
                "p.{{{{partition({},1)}}}}.live.{{{{wildcard(1)}}}}.events",
                self.shards
            ),
        };
        vec![
            Config {
                discard: DiscardPolicy::New,
                max_bytes: self.event_bytes,
                max_age: self.event_age,
                subject_transform: Some(transform),
                ..base(Self::EVENTS, &["live.*.events"])
            },
            Config {
                discard: DiscardPolicy::New,
                allow_atomic_publish: level >= 2,
                allow_batch_publish: level >= 4,
                allow_message_ttl: true,
                ..base(
                    Self::LOG,
                    &[
                        "live.*.journal",
                        "live.*.snapshots",
                        "live.*.actions",
                        "live.*.term",
                        "live.*.mark",
                        "live.shard.*.mark",
                        "live.shard.*.term",
                    ],
                )
            },
            Config {
                max_age: day,
                ..base(Self::RUNS, &["live.*.slice.*.*.ready", "live.*.slice.*.*.done"])
            },
            Config { max_age: 30 * day, ..base(Self::REPORTS, &["live.*.errors", "live.*.late"]) },
            Config { max_age: 30 * day, ..base(Self::DEAD_LETTERS, &["live.*.dlq"]) },
        ]
    }

    /// Makes the streams that are missing; one that is there with other settings is an error that
    /// says which.
    pub async fn ensure(&self, nats: &Connection) -> Result<(), NatsError> {
        for config in self.configs(nats.level()) {
            let name = config.name.clone();
            let made = nats.jetstream().create_stream(config.clone()).await;
            let Err(error) = made else { continue };
            match error.kind() {
                async_nats::jetstream::context::CreateStreamErrorKind::JetStream(refused)
                    if refused.error_code().0 == code::STREAM_DIFFERS =>
                {
                    check(nats, &config).await?;
                }
                async_nats::jetstream::context::CreateStreamErrorKind::JetStream(refused) => {
                    return Err(NatsError::refused(format!("stream `{name}`"), &refused));
                }
                _ => return Err(NatsError::unanswered(format!("stream `{name}`"), error)),
            }
        }
        Ok(())
    }
}

/// Whether a stream that is there will do as it is.
async fn check(nats: &Connection, wanted: &Config) -> Result<(), NatsError> {
    let name = &wanted.name;
    let found = nats.jetstream().get_stream(name).await;
    let found = found.map_err(|error| NatsError::unanswered(format!("stream `{name}`"), error))?;
    let found = &found.cached_info().config;
    let transform = |config: &Config| {
        config.subject_transform.as_ref().map(|transform| transform.destination.clone())
    };
    let what = if found.subjects != wanted.subjects {
        "other subjects"
    } else if transform(found) != transform(wanted) {
        "another number of shards"
    } else if wanted.allow_atomic_publish && !found.allow_atomic_publish {
        "no atomic batches"
    } else {
        // Replicas, ages and sizes are for operators to change.
        return Ok(());
    };
    Err(NatsError::Unfit {
        servers: nats.servers().to_owned(),
        why: format!("stream `{name}` has {what}"),
        fix: "use the same settings on every host, or remove the stream if its data may go"
            .to_owned(),
    })
}

/// The shard of a stream: FNV-1a of its name, as the server computes it.
pub fn shard_of(stream: &StreamId, shards: u32) -> u32 {
    let hash = stream
        .as_str()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    hash % shards.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_the_one_the_server_computes() {
        let shard = |name: &str| shard_of(&StreamId::new(name).unwrap(), 8);
        assert_eq!(["s0", "s1", "s2", "s3", "s4", "s5"].map(shard), [6, 1, 0, 3, 2, 5]);
    }
}
