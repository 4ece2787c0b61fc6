//! Events out of `LIVE_EVENTS`, in the order in which the server stored them.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_nats::jetstream::{
    consumer::{AckPolicy, DeliverPolicy, pull},
    message::Message,
    stream::Stream,
};
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::{sync::mpsc, task::JoinSet};

use super::super::{BATCH_BYTES, Cursor, DeadLetter, Delivery, Source, TransportError};
use crate::{
    engine::{Limits, NameError, StreamId, Timestamp},
    nats::{Connection, Layout, NatsError, last, stream, subjects},
    wire::{Envelope, EventReader},
};

/// Messages asked for at a time, and how many bytes they may have together.
const AHEAD: usize = 2_048;
const AHEAD_BYTES: usize = 32 << 20;
/// Silence after which it is looked whether there is something to be heard.
const SILENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(200);
/// How often it is looked whether the server has what was taken before: one that begins to lead
/// may not have come that far.
const LOOKS: u32 = 10;
/// Events read at a time, and how many times that much may wait here.
const BATCH: usize = 256;
const BATCHES: usize = 4;
/// Streams whose subjects are remembered.
const STREAMS: usize = 16_384;

/// The events of a shard, or of one stream in it. A cursor is a sequence of `LIVE_EVENTS`.
///
/// They are read ahead on a task of its own: whoever asks for them may be the thread that runs
/// handlers.
#[derive(Debug)]
pub struct NatsSource {
    /// Until the first events are asked for, and where it will put them.
    reading: Option<(Reading, mpsc::Sender<Vec<Delivery>>)>,
    task: JoinSet<()>,
    read: mpsc::Receiver<Vec<Delivery>>,
    /// What was read and did not fit.
    left: VecDeque<Delivery>,
}

/// Reads events.
///
/// Nothing is acknowledged: the journal knows how far it is. A consumer that was lost, skipped
/// something or fell silent is made anew from the last event delivered.
struct Reading {
    nats: Connection,
    subject: String,
    taken: Cursor,
    reader: EventReader,
    events: Option<Stream>,
    messages: Option<pull::Stream>,
    /// What the consumer counts its next message as.
    expected: u64,
    streams: HashMap<String, StreamId>,
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { subject, taken, .. } = self;
        f.debug_struct("Reading").field("subject", subject).field("taken", taken).finish()
    }
}

impl NatsSource {
    /// The events of a shard, or of one stream of it.
    pub fn new(nats: Connection, shard: u32, only: Option<&StreamId>, limits: &Limits) -> Self {
        let reading = Reading {
            nats,
            subject: subjects::kept_events(shard, only),
            taken: Cursor(0),
            reader: EventReader::new(limits),
            events: None,
            messages: None,
            expected: 1,
            streams: HashMap::new(),
        };
        let (feed, read) = mpsc::channel(BATCHES);
        let (task, left) = (JoinSet::new(), VecDeque::new());
        Self { reading: Some((reading, feed)), task, read, left }
    }
}

impl Reading {
    /// Reads until nobody wants it any more.
    async fn read_on(mut self, feed: mpsc::Sender<Vec<Delivery>>) {
        loop {
            let deliveries = self.next().await;
            if feed.send(deliveries).await.is_err() {
                return;
            }
        }
    }

    /// Makes sure that the server stored as much: what it stores next would else be numbered as
    /// what is in the journals.
    async fn confirm(&self, Cursor(cursor): Cursor) -> Result<(), TransportError> {
        for look in 1.. {
            let events = stream(&self.nats, Layout::EVENTS).await;
            let events = events.map_err(|error| TransportError::Custom(error.to_string()))?;
            let last = events.cached_info().state.last_sequence;
            if last >= cursor {
                break;
            }
            if look == LOOKS {
                let name = Layout::EVENTS.to_owned();
                return Err(TransportError::Behind { name, last, cursor });
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Begins to read behind what was taken.
    async fn begin(&mut self) -> Result<(), NatsError> {
        if self.events.is_none() {
            self.events = Some(stream(&self.nats, Layout::EVENTS).await?);
        }
        let events = self.events.as_ref().expect("it was just set");
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: self.taken.0 + 1 },
            ack_policy: AckPolicy::None,
            filter_subject: self.subject.clone(),
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: Duration::from_secs(60),
            ..pull::Config::default()
        };
        let doing = || format!("a reader of `{}`", self.subject);
        let consumer = events.create_consumer(config).await;
        let consumer = consumer.map_err(|error| NatsError::unanswered(doing(), error))?;
        let largest = self.nats.client().server_info().max_payload;
        let messages = consumer
            .stream()
            .max_messages_per_batch(AHEAD)
            .max_bytes_per_batch(AHEAD_BYTES.max(2 * largest))
            .expires(Duration::from_secs(30))
            .heartbeat(Duration::from_secs(5))
            .messages()
            .await;
        self.messages = Some(messages.map_err(|error| NatsError::unanswered(doing(), error))?);
        self.expected = 1;
        Ok(())
    }

    /// Whether the server has something that did not come.
    async fn is_behind(&self) -> bool {
        let Some(events) = &self.events else { return true };
        match last(events, &self.subject).await {
            Ok(last) => last.is_some_and(|last| last.sequence > self.taken.0),
            Err(_) => true,
        }
    }

    fn deliver(&mut self, message: &Message) -> Result<Option<Delivery>, String> {
        let info = message.info().map_err(|error| error.to_string())?;
        if info.consumer_sequence != self.expected {
            return Err("messages were skipped".to_owned());
        }
        self.expected += 1;
        let cursor = Cursor(info.stream_sequence);
        if cursor <= self.taken {
            return Ok(None);
        }
        self.taken = cursor;
        let micros = info.published.unix_timestamp_nanos() / 1_000;
        let refused = |place, reason| {
            let (raw, truncated) = DeadLetter::cut(&message.payload);
            let source = subjects::sent_to(&message.subject).into();
            Delivery::Refused(DeadLetter { source, place, reason, raw, truncated, cursor })
        };
        let stream = match self.stream_of(&message.subject) {
            Ok(stream) => stream,
            Err(error) => return Ok(Some(refused(None, error.to_string()))),
        };
        let envelope = Envelope {
            stream: Some(stream),
            ts: i64::try_from(micros).ok().and_then(Timestamp::from_micros),
            id: message
                .headers
                .as_ref()
                .and_then(|headers| headers.get("Nats-Msg-Id"))
                .map(|id| Arc::from(id.as_str())),
        };
        Ok(Some(match self.reader.read_sent(&message.payload, envelope) {
            Ok((stream, event)) => Delivery::Event { stream, event, cursor },
            Err(error) => refused(Some(error.place), error.problem.to_string()),
        }))
    }

    /// The stream of a subject. A shard has the same ones again and again.
    fn stream_of(&mut self, subject: &str) -> Result<StreamId, NameError> {
        if let Some(stream) = self.streams.get(subject) {
            return Ok(stream.clone());
        }
        let stream = StreamId::new(subjects::name_in(subject))?;
        if self.streams.len() == STREAMS {
            self.streams.clear();
        }
        self.streams.insert(subject.to_owned(), stream.clone());
        Ok(stream)
    }

    /// Drops the consumer: the next one begins where this one ended.
    fn lose(&mut self, why: &str) {
        tracing::debug!(subject = self.subject, why, "the reader of events is made anew");
        self.messages = None;
    }

    async fn next(&mut self) -> Vec<Delivery> {
        loop {
            if self.messages.is_none()
                && let Err(error) = self.begin().await
            {
                // The server may be away for a while; events wait there, not here.
                tracing::warn!(%error, "events cannot be read, trying again");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            let Some(messages) = self.messages.as_mut() else { continue };
            let Ok(first) = tokio::time::timeout(SILENCE, messages.next()).await else {
                if self.is_behind().await {
                    self.lose("it fell silent");
                }
                continue;
            };
            let (mut deliveries, mut bytes) = (Vec::new(), 0);
            let mut next = Some(first);
            while let Some(message) = next.take() {
                let delivered = match message {
                    Some(Ok(message)) => self.deliver(&message),
                    Some(Err(error)) => Err(error.to_string()),
                    None => Err("it ended".to_owned()),
                };
                match delivered {
                    Ok(delivery) => {
                        bytes += delivery.as_ref().map_or(0, Delivery::bytes);
                        deliveries.extend(delivery);
                    }
                    Err(why) => {
                        self.lose(&why);
                        break;
                    }
                }
                if deliveries.len() < BATCH && bytes < BATCH_BYTES {
                    next =
                        self.messages.as_mut().and_then(|messages| messages.next().now_or_never());
                }
            }
            if !deliveries.is_empty() {
                return deliveries;
            }
            if self.messages.is_none() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Source for NatsSource {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        if let Some((reading, feed)) = self.reading.take() {
            self.task.spawn(reading.read_on(feed));
        }
        if self.left.is_empty() {
            let Some(read) = self.read.recv().await else {
                let why = "events are not read any more: their reader failed";
                return Err(TransportError::Custom(why.to_owned()));
            };
            self.left = read.into();
        }
        if self.left.len() <= max {
            return Ok(std::mem::take(&mut self.left).into());
        }
        Ok(self.left.drain(..max).collect())
    }

    async fn resume_after(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        if let Some((reading, _)) = &mut self.reading {
            reading.taken = cursor;
        }
        Ok(())
    }

    async fn confirm(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        match &self.reading {
            Some((reading, _)) => reading.confirm(cursor).await,
            None => Ok(()),
        }
    }

    async fn ack(&mut self, _cursor: Cursor) -> Result<(), TransportError> {
        Ok(())
    }
}
