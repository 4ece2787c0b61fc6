//! Reading what is stored. Single messages come from the server that leads the stream.

use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_nats::{
    HeaderMap,
    jetstream::{
        consumer::{AckPolicy, Consumer, DeliverPolicy, pull},
        stream::{RawMessageErrorKind, Stream},
    },
};
use bytes::Bytes;
use futures_util::StreamExt;

use super::{Connection, NatsError, code};

/// After which a server that has more to tell is taken for one that is gone.
const SILENCE: Duration = Duration::from_secs(2);
/// How often a scan is begun that hears nothing, and how long is waited between two.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(50);

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

/// What a scan is to read.
pub(crate) struct Wanted {
    pub(crate) subjects: Vec<String>,
    pub(crate) from: DeliverPolicy,
    /// Spares the payloads.
    pub(crate) headers_only: bool,
    /// Messages asked for at a time: what may come that nobody wants any more.
    pub(crate) at_once: usize,
}

/// Tells of every message that is wanted and stored by now, until `each` has enough.
///
/// Any server with a copy may answer: what was stored a moment ago may be missing.
pub(crate) async fn scan(
    stream: &Stream,
    wanted: Wanted,
    mut each: impl FnMut(Stored) -> ControlFlow<()>,
) -> Result<(), NatsError> {
    let doing = format!("a scan of `{}`", wanted.subjects.join(", "));
    let config = pull::Config {
        deliver_policy: wanted.from,
        ack_policy: AckPolicy::None,
        filter_subjects: wanted.subjects,
        headers_only: wanted.headers_only,
        memory_storage: true,
        num_replicas: 1,
        inactive_threshold: Duration::from_secs(30),
        ..pull::Config::default()
    };
    let heard = AtomicBool::new(false);
    let mut each = |stored| {
        heard.store(true, Ordering::Relaxed);
        each(stored)
    };
    let mut tries = 0;
    loop {
        tries += 1;
        let created = stream.create_consumer(config.clone()).await;
        let consumer = created.map_err(|error| NatsError::unanswered(&*doing, error))?;
        let name = consumer.cached_info().name.clone();
        let mut told = Ok(());
        if consumer.cached_info().num_pending > 0 {
            told = tell(&consumer, wanted.at_once, &mut each).await;
        }
        // It would go by itself, but not at once, and servers bound how many there are.
        let _gone = stream.delete_consumer(&name).await;
        match told {
            Ok(()) => return Ok(()),
            // In a cluster a consumer is there before all servers know the way to it.
            Err(_) if tries < TRIES && !heard.load(Ordering::Relaxed) => {
                tokio::time::sleep(PAUSE * tries).await;
            }
            Err(why) => return Err(NatsError::unanswered(doing, why)),
        }
    }
}

async fn tell(
    consumer: &Consumer<pull::Config>,
    at_once: usize,
    each: &mut impl FnMut(Stored) -> ControlFlow<()>,
) -> Result<(), String> {
    let messages = consumer
        .stream()
        .max_messages_per_batch(at_once)
        .expires(2 * SILENCE)
        .heartbeat(SILENCE)
        .messages()
        .await;
    let mut messages = messages.map_err(|error| error.to_string())?;
    for expected in 1.. {
        let message = tokio::time::timeout(2 * SILENCE, messages.next()).await;
        let message = message.map_err(|_| "it fell silent".to_owned())?.ok_or("it ended")?;
        let message = message.map_err(|error| error.to_string())?;
        let info = message.info().map_err(|error| error.to_string())?;
        if info.consumer_sequence != expected {
            return Err("messages were skipped".to_owned());
        }
        let (sequence, is_last) = (info.stream_sequence, info.pending == 0);
        let message = message.message;
        let stored = Stored {
            subject: message.subject.into_string(),
            sequence,
            headers: message.headers.unwrap_or_default(),
            payload: message.payload,
        };
        if each(stored).is_break() || is_last {
            break;
        }
    }
    Ok(())
}
