//! Reading what is stored, from the server that leads the stream: never from a copy that lags.

use std::time::Duration;

use async_nats::{
    HeaderMap,
    jetstream::{
        consumer::{AckPolicy, DeliverPolicy, pull},
        stream::{RawMessageErrorKind, Stream},
    },
};
use bytes::Bytes;
use futures_util::StreamExt;

use super::{Connection, NatsError, code};

/// A message as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) subject: String,
    pub(crate) sequence: u64,
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
}

impl Stored {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(async_nats::HeaderValue::as_str)
    }
}

/// A JetStream stream, without asking whether it is there.
pub(crate) async fn stream(nats: &Connection, name: &str) -> Result<Stream, NatsError> {
    let found = nats.jetstream().get_stream(name).await;
    found.map_err(|error| NatsError::unanswered(format!("for stream `{name}`"), error))
}

/// The first message on a subject at or after a sequence.
pub(crate) async fn next(
    stream: &Stream,
    subject: &str,
    from: u64,
) -> Result<Option<Stored>, NatsError> {
    raw(subject, stream.get_first_raw_message_by_subject(subject, from.max(1)).await)
}

/// The last message on a subject.
pub(crate) async fn last(stream: &Stream, subject: &str) -> Result<Option<Stored>, NatsError> {
    raw(subject, stream.get_last_raw_message_by_subject(subject).await)
}

fn raw(
    subject: &str,
    found: Result<
        async_nats::jetstream::message::StreamMessage,
        async_nats::jetstream::stream::RawMessageError,
    >,
) -> Result<Option<Stored>, NatsError> {
    match found {
        Ok(message) => Ok(Some(Stored {
            subject: message.subject.into_string(),
            sequence: message.sequence,
            headers: message.headers,
            payload: message.payload,
        })),
        Err(error) => match error.kind() {
            RawMessageErrorKind::NoMessageFound => Ok(None),
            RawMessageErrorKind::JetStream(refused)
                if refused.error_code().0 == code::NO_MESSAGE =>
            {
                Ok(None)
            }
            _ => Err(NatsError::unanswered(format!("for a message on `{subject}`"), error)),
        },
    }
}

/// Every message on some subjects that is stored by now; `headers_only` spares the payloads.
pub(crate) async fn scan(
    stream: &Stream,
    subjects: Vec<String>,
    policy: DeliverPolicy,
    headers_only: bool,
    mut each: impl FnMut(Stored),
) -> Result<(), NatsError> {
    let doing = || format!("a scan of `{}`", subjects.join(", "));
    let config = pull::Config {
        deliver_policy: policy,
        ack_policy: AckPolicy::None,
        filter_subjects: subjects.clone(),
        headers_only,
        memory_storage: true,
        num_replicas: 1,
        inactive_threshold: Duration::from_secs(30),
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await;
    let consumer = consumer.map_err(|error| NatsError::unanswered(doing(), error))?;
    let name = consumer.cached_info().name.clone();
    if consumer.cached_info().num_pending == 0 {
        // It would go by itself, but not at once, and servers bound how many there are.
        let _gone = stream.delete_consumer(&name).await;
        return Ok(());
    }
    let messages = consumer.stream().max_messages_per_batch(1_000).messages().await;
    let mut messages = messages.map_err(|error| NatsError::unanswered(doing(), error))?;
    while let Some(message) = messages.next().await {
        let message = message.map_err(|error| NatsError::unanswered(doing(), error))?;
        let info = message.info().map_err(|error| NatsError::unanswered(doing(), error))?;
        let (sequence, is_last) = (info.stream_sequence, info.pending == 0);
        let message = message.message;
        each(Stored {
            subject: message.subject.into_string(),
            sequence,
            headers: message.headers.unwrap_or_default(),
            payload: message.payload,
        });
        if is_last {
            break;
        }
    }
    let _gone = stream.delete_consumer(&name).await;
    Ok(())
}
