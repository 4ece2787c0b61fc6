//! Contexts in a bucket of JetStream, which any client of NATS reads:
//! `nats kv get live_ctx match-1` gives the JSON. Slice and writer are in its headers.

use std::{
    collections::{BTreeMap, VecDeque},
    error::Error as _,
    time::Duration,
};

use async_nats::{
    HeaderMap, HeaderValue,
    jetstream::{
        context::{CreateStreamErrorKind, GetStreamErrorKind, PublishAckFuture, PublishError},
        stream::{Config, DiscardPolicy, LastRawMessageErrorKind, StorageType, Stream},
    },
};
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{ContextError, ContextStore, Kept, Verdict, judge, newest};
use crate::{
    engine::{Slice, StreamId},
    nats::{Connection, Message, NatsError, code, store_together},
};

/// The bucket.
const BUCKET: &str = "live_ctx";
/// The stream a bucket is for clients of NATS.
const STREAM: &str = "KV_live_ctx";
const SLICE: &str = "Live-Slice";
const WRITER: &str = "Live-Writer";
const OPERATION: &str = "KV-Operation";
const LAST: &str = "Nats-Expected-Last-Subject-Sequence";

/// Keys in one atomic batch, and questions under way at a time.
const BATCH: usize = 500;
const UNDER_WAY: usize = 256;
/// Room for the headers of a message, which count as well.
const HEADERS: usize = 1 << 10;
/// Somebody else may write between a look and a save, but not for ever.
const ATTEMPTS: u32 = 8;

/// Keeps contexts in a JetStream bucket.
///
/// Every write names the message it follows, so one that was overtaken is refused by the server,
/// also when it arrives long after it was given up. Where there are several copies of the bucket, up
/// to 500 streams of one save are stored together; elsewhere each for itself, none waiting for
/// another.
#[derive(Debug)]
pub struct JetStreamContext {
    nats: Connection,
    place: String,
    bucket: Stream<()>,
    /// Whether batches are worth it.
    has_batches: bool,
    /// The last message of each key, as far as it is known here.
    last: BTreeMap<StreamId, Last>,
}

/// The last message of a key.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    /// 0 if there is none.
    seq: u64,
    /// Absent when nothing is kept, or somebody else wrote.
    kept: Option<(u64, Slice)>,
}

impl JetStreamContext {
    /// Opens the bucket; makes it if there is none.
    pub async fn open(nats: Connection, replicas: usize) -> Result<Self, ContextError> {
        let place = format!("bucket `{BUCKET}` at {}", nats.servers());
        let at = |error: &NatsError| fault(&place, error);
        let has_batches = ensure(&nats, replicas).await.map_err(|error| at(&error))?;
        let bucket = nats.jetstream().get_stream_no_info(STREAM).await;
        let bucket = bucket
            .map_err(|error| at(&NatsError::unanswered(format!("bucket `{BUCKET}`"), error)))?;
        Ok(Self { nats, place, bucket, has_batches, last: BTreeMap::new() })
    }

    /// Saves keys together even where that takes longer.
    #[must_use]
    pub fn together(self) -> Self {
        Self { has_batches: true, ..self }
    }

    /// Saves keys one by one even if the bucket takes batches, as with servers before 2.12.
    #[must_use]
    pub fn one_by_one(self) -> Self {
        Self { has_batches: false, ..self }
    }

    /// Reads the last messages of the keys that are not known here. What is known is enough to
    /// write, since the server checks it; to leave a key alone it has to be looked at.
    async fn look_up(&mut self, kept: &[&Kept]) -> Result<(), ContextError> {
        for one in kept {
            let known = self.last.get(&one.stream);
            if known.is_some_and(|last| judge(last.kept, one) != Verdict::Write) {
                self.last.remove(&one.stream);
            }
        }
        let unknown = kept.iter().filter(|one| !self.last.contains_key(&one.stream));
        let unknown: Vec<StreamId> = unknown.map(|one| one.stream.clone()).collect();
        let (bucket, place) = (&self.bucket, &self.place);
        let looks = unknown.into_iter().map(|stream| async move {
            let found = read(bucket, &stream).await.map_err(|error| fault(place, &error))?;
            let last = found.map_or_else(Last::default, |found| found.last);
            Ok::<_, ContextError>((stream, last))
        });
        let found: Vec<_> = stream::iter(looks).buffer_unordered(UNDER_WAY).try_collect().await?;
        self.last.extend(found);
        Ok(())
    }

    /// What of it is to be written.
    fn judge_all<'a>(&self, kept: &[&'a Kept]) -> Result<Vec<&'a Kept>, ContextError> {
        let mut writes = Vec::new();
        for &one in kept {
            match judge(self.last[&one.stream].kept, one) {
                Verdict::Write => writes.push(one),
                Verdict::Leave => {}
                Verdict::Deposed(by) => {
                    return Err(ContextError::Deposed {
                        place: self.place.clone(),
                        stream: one.stream.clone(),
                        writer: one.writer,
                        by,
                    });
                }
            }
        }
        Ok(writes)
    }

    /// The client refuses what is too big as well, without saying which it is.
    fn check_sizes(&self, writes: &[&Kept]) -> Result<(), ContextError> {
        let most = self.nats.client().max_payload().saturating_sub(HEADERS);
        let Some(big) = writes.iter().find(|one| one.context.len() > most) else {
            return Ok(());
        };
        let (stream, bytes) = (&big.stream, big.context.len());
        Err(ContextError::Refused {
            place: self.place.clone(),
            why: format!("the context of `{stream}` has {bytes} bytes, the most here is {most}"),
            fix: "give `context.max_bytes` less, or `max_payload` of the server more".to_owned(),
        })
    }

    /// Writes, each after the message it is known to follow.
    async fn write(&mut self, writes: &[&Kept]) -> Result<(), NatsError> {
        if self.has_batches && writes.len() > 1 {
            for writes in writes.chunks(BATCH) {
                let messages = writes.iter().map(|one| self.message(one)).collect();
                let seqs = store_together(&self.nats, STREAM, None, messages).await?;
                let known = writes.iter().zip(seqs).map(|(one, seq)| note(one, seq));
                self.last.extend(known.collect::<Vec<_>>());
            }
            return Ok(());
        }
        let (mut acks, mut known, mut failed) = (VecDeque::new(), Vec::new(), None);
        // Every one is waited for: one that is not may be stored all the same.
        for &one in writes {
            if acks.len() == UNDER_WAY {
                take_ack(&mut acks, &mut known, &mut failed).await;
            }
            let Message { subject, mut headers, payload, after, .. } = self.message(one);
            headers.insert(LAST, after.unwrap_or(0).to_string());
            let sent = self.nats.jetstream().publish_with_headers(subject, headers, payload).await;
            match sent {
                Ok(ack) => acks.push_back((one, ack)),
                Err(error) => failed = Some(NatsError::unanswered(doing(one), error)),
            }
        }
        while !acks.is_empty() {
            take_ack(&mut acks, &mut known, &mut failed).await;
        }
        self.last.extend(known);
        failed.map_or(Ok(()), Err)
    }

    fn message(&self, one: &Kept) -> Message {
        let mut headers = HeaderMap::new();
        headers.insert(SLICE, one.slice.0.to_string());
        headers.insert(WRITER, one.writer.to_string());
        Message {
            subject: subject(&one.stream),
            id: None,
            headers,
            payload: one.context.clone(),
            after: Some(self.last[&one.stream].seq),
        }
    }
}

impl ContextStore for JetStreamContext {
    async fn save(&mut self, kept: &[Kept]) -> Result<(), ContextError> {
        let kept = newest(kept);
        let mut attempt = 0;
        loop {
            self.look_up(&kept).await?;
            let writes = self.judge_all(&kept)?;
            if writes.is_empty() {
                return Ok(());
            }
            self.check_sizes(&writes)?;
            let Err(error) = self.write(&writes).await else {
                return Ok(());
            };
            // Some of it may be stored, so none of what is known here is certain any more.
            for one in &writes {
                self.last.remove(&one.stream);
            }
            attempt += 1;
            let overtaken =
                matches!(error.code(), Some(code::WRONG_LAST_SEQUENCE | code::WRITE_UNDER_WAY));
            if !overtaken || attempt == ATTEMPTS {
                return Err(fault(&self.place, &error));
            }
            tokio::time::sleep(Duration::from_millis(1 << attempt)).await;
        }
    }

    async fn load(&mut self, stream: &StreamId) -> Result<Option<Kept>, ContextError> {
        let found = read(&self.bucket, stream).await;
        let Some(found) = found.map_err(|error| fault(&self.place, &error))? else {
            return Ok(None);
        };
        match found.last.kept {
            Some((writer, slice)) => {
                Ok(Some(Kept { stream: stream.clone(), slice, context: found.context, writer }))
            }
            None if found.is_gone => Ok(None),
            None => Err(ContextError::Foreign {
                place: self.place.clone(),
                stream: stream.clone(),
                why: format!("it has no `{SLICE}` and `{WRITER}`"),
            }),
        }
    }

    async fn forget(&mut self, stream: &StreamId) -> Result<(), ContextError> {
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, "PURGE");
        headers.insert("Nats-Rollup", "sub");
        let (subject, payload) = (subject(stream), Bytes::new());
        let message = Message { subject, id: None, headers, payload, after: None };
        self.last.remove(stream);
        let gone = store_together(&self.nats, STREAM, None, vec![message]).await;
        gone.map(|_| ()).map_err(|error| fault(&self.place, &error))
    }
}

async fn take_ack(
    acks: &mut VecDeque<(&Kept, PublishAckFuture)>,
    known: &mut Vec<(StreamId, Last)>,
    failed: &mut Option<NatsError>,
) {
    let Some((one, ack)) = acks.pop_front() else { return };
    match ack.await {
        Ok(ack) => known.push(note(one, ack.sequence)),
        Err(error) => *failed = Some(why(one, &error)),
    }
}

/// Why a context is not stored, as far as that is known.
fn why(one: &Kept, error: &PublishError) -> NatsError {
    let refused = error.source().and_then(|error| error.downcast_ref());
    match refused {
        Some(refused) => NatsError::refused(doing(one), refused),
        None => NatsError::unanswered(doing(one), error),
    }
}

fn doing(one: &Kept) -> String {
    format!("the context of `{}`", one.stream)
}

/// A message of the bucket.
struct Found {
    last: Last,
    context: Bytes,
    /// Whether it says that the key was removed.
    is_gone: bool,
}

/// The last message of a key, from the leader: others may not know it yet.
async fn read(bucket: &Stream<()>, stream: &StreamId) -> Result<Option<Found>, NatsError> {
    let doing = || format!("the context of `{stream}`");
    let message = match bucket.get_last_raw_message_by_subject(&subject(stream)).await {
        Ok(message) => message,
        Err(error) => match error.kind() {
            LastRawMessageErrorKind::NoMessageFound => return Ok(None),
            LastRawMessageErrorKind::JetStream(refused)
                if refused.error_code().0 == code::NO_MESSAGE =>
            {
                return Ok(None);
            }
            LastRawMessageErrorKind::JetStream(refused) => {
                return Err(NatsError::refused(doing(), &refused));
            }
            _ => return Err(NatsError::unanswered(doing(), error)),
        },
    };
    let header = |name: &str| message.headers.get(name).map(HeaderValue::as_str);
    let is_gone = header(OPERATION).is_some();
    let number = |name: &str| header(name)?.parse().ok();
    let kept = header(SLICE).and_then(|slice| Some((number(WRITER)?, Slice(slice.parse().ok()?))));
    let last = Last { seq: message.sequence, kept: kept.filter(|_| !is_gone) };
    Ok(Some(Found { last, context: message.payload, is_gone }))
}

/// Makes the bucket if it is missing; says whether batches are worth it: it takes them (one that
/// somebody else made may not), and does not make a store of files for each, as a server does that
/// keeps one copy on disk.
async fn ensure(nats: &Connection, replicas: usize) -> Result<bool, NatsError> {
    let doing = || format!("bucket `{BUCKET}`");
    match nats.jetstream().get_stream(STREAM).await {
        Ok(found) => return Ok(is_worth_it(&found.cached_info().config)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(no) if no.error_code().0 == code::NO_STREAM => {}
            GetStreamErrorKind::JetStream(no) => return Err(NatsError::refused(doing(), &no)),
            _ => return Err(NatsError::unanswered(doing(), error)),
        },
    }
    // As clients of NATS make a bucket, which cannot ask for batches.
    let config = Config {
        name: STREAM.to_owned(),
        subjects: vec![format!("$KV.{BUCKET}.>")],
        max_messages_per_subject: 1,
        discard: DiscardPolicy::New,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        storage: StorageType::File,
        num_replicas: replicas,
        max_message_size: -1,
        allow_atomic_publish: nats.has_batches(),
        ..Config::default()
    };
    match nats.jetstream().create_stream(config).await {
        Ok(made) => Ok(is_worth_it(&made.cached_info().config)),
        Err(error) => match error.kind() {
            CreateStreamErrorKind::JetStream(no) => Err(NatsError::refused(doing(), &no)),
            _ => Err(NatsError::unanswered(doing(), error)),
        },
    }
}

fn is_worth_it(bucket: &Config) -> bool {
    let is_in_memory = bucket.num_replicas > 1 || bucket.storage == StorageType::Memory;
    bucket.allow_atomic_publish && is_in_memory
}

fn subject(stream: &StreamId) -> String {
    format!("$KV.{BUCKET}.{stream}")
}

fn note(one: &Kept, seq: u64) -> (StreamId, Last) {
    (one.stream.clone(), Last { seq, kept: Some((one.writer, one.slice)) })
}

fn fault(place: &str, error: &NatsError) -> ContextError {
    let (place, why) = (place.to_owned(), error.to_string());
    match error {
        // Another host may be making the bucket, and two who save the same meet in the middle.
        NatsError::Unanswered { .. } | NatsError::Connect { .. } => {
            ContextError::Unavailable { place, why }
        }
        NatsError::Refused { code, .. }
            if [code::WRONG_LAST_SEQUENCE, code::WRITE_UNDER_WAY].contains(code) =>
        {
            ContextError::Unavailable { place, why }
        }
        NatsError::Refused { .. } | NatsError::Unfit { .. } => ContextError::Refused {
            place,
            why,
            fix: "look at the limits and the permissions of the account".to_owned(),
        },
    }
}
