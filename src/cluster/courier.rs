//! The task that publishes runs for other hosts and brings their answers back, so that the loop
//! never waits for it.

use std::{collections::BTreeMap, time::Duration};

use async_nats::jetstream::{
    consumer::{DeliverPolicy, pull},
    stream::{DirectGetErrorKind, Stream},
};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};

use super::ticket::{AttemptKey, Ticket, failed, read_answer};
use crate::{
    engine::{Outcome, Payload, Reason, RunId},
    nats::{Connection, Layout, Message, NatsError, Stored, store_together},
    runtime::Back,
    store::Scope,
};

/// Runs published at a time.
const AT_ONCE: usize = 256;
/// How often a run is published that the server refuses.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// Silence after which it is looked whether there is an answer to be heard.
const SILENCE: Duration = Duration::from_secs(5);

/// Something to be done.
#[derive(Debug)]
pub(super) enum Errand {
    Run {
        run: RunId,
        ticket: Ticket,
        body: Vec<u8>,
        /// Whether an earlier scheduler may have published it.
        is_again: bool,
    },
    Cancel(AttemptKey),
}

/// Publishes runs, and waits for their answers.
pub(super) struct Courier {
    nats: Connection,
    runs: Stream,
    term: u64,
    waiting: BTreeMap<AttemptKey, (Ticket, RunId)>,
    posting: FuturesUnordered<BoxFuture<'static, (Ticket, Posted)>>,
    backs: mpsc::UnboundedSender<Back>,
}

/// What became of publishing a run.
enum Posted {
    /// It is stored.
    Ready,
    /// It had been answered before.
    Answered(Stored),
    /// The server will not have it.
    Refused(NatsError),
}

impl Courier {
    pub(super) fn new(
        nats: Connection,
        runs: Stream,
        term: u64,
        backs: mpsc::UnboundedSender<Back>,
    ) -> Self {
        let (waiting, posting) = (BTreeMap::new(), FuturesUnordered::new());
        Self { nats, runs, term, waiting, posting, backs }
    }

    pub(super) async fn carry(
        mut self,
        mut errands: mpsc::Receiver<Errand>,
        mut answers: mpsc::Receiver<Stored>,
    ) {
        loop {
            // Cancel-safe: channels and streams lose nothing.
            tokio::select! {
                biased;
                Some(answer) = answers.recv() => self.answered(&answer),
                Some((ticket, posted)) = self.posting.next() => self.posted(&ticket, posted).await,
                errand = errands.recv(), if self.posting.len() < AT_ONCE => match errand {
                    Some(Errand::Run { run, ticket, body, is_again }) => {
                        self.waiting.insert(ticket.attempt_key(), (ticket.clone(), run));
                        let id = format!("{}:{}", ticket.id(), self.term);
                        let post = post(self.nats.clone(), self.runs.clone(), ticket, id, body, is_again);
                        self.posting.push(post.boxed());
                    }
                    Some(Errand::Cancel(attempt)) => {
                        if let Some((ticket, _)) = self.waiting.remove(&attempt) {
                            call_off(&self.nats, &ticket).await;
                        }
                    }
                    None => return,
                },
            }
        }
    }

    async fn posted(&mut self, ticket: &Ticket, posted: Posted) {
        match posted {
            // It was cancelled meanwhile, when nobody could have heard of it.
            Posted::Ready if !self.is_awaited(ticket) => call_off(&self.nats, ticket).await,
            Posted::Ready => {}
            Posted::Answered(answer) => self.answered(&answer),
            Posted::Refused(error) => {
                let outcome = failed(Reason::Error, format!("no other host was asked: {error}"));
                self.land(ticket, outcome, None);
            }
        }
    }

    fn answered(&mut self, answer: &Stored) {
        if let Some(ticket) = Ticket::of(&answer.subject, &answer.headers)
            && self.is_awaited(&ticket)
        {
            let (outcome, notes) = read_answer(&answer.payload);
            self.land(&ticket, outcome, notes);
        }
    }

    /// The first answer counts; for a second one nobody waits.
    fn land(&mut self, ticket: &Ticket, outcome: Outcome, notes: Option<Payload>) {
        if let Some((_, run)) = self.waiting.remove(&ticket.attempt_key()) {
            let (stream, attempt) = (ticket.stream.clone(), ticket.attempt);
            // Where the scheduler is gone the answer stays stored.
            let _gone = self.backs.send(Back { stream, run, attempt, outcome, notes });
        }
    }

    fn is_awaited(&self, ticket: &Ticket) -> bool {
        self.waiting.get(&ticket.attempt_key()).is_some_and(|(known, _)| known == ticket)
    }
}

async fn call_off(nats: &Connection, ticket: &Ticket) {
    let text = ticket.cancellation().into();
    if let Err(error) = nats.client().publish(ticket.cancel(), text).await {
        // It goes on for nothing until its time is up.
        tracing::warn!(%error, run = ticket.id(), "a run on another host cannot be cancelled");
    }
}

async fn post(
    nats: Connection,
    runs: Stream,
    ticket: Ticket,
    id: String,
    body: Vec<u8>,
    is_again: bool,
) -> (Ticket, Posted) {
    let payload = Bytes::from(body);
    let mut tries = 0;
    loop {
        let posted = try_post(&nats, &runs, &ticket, &id, &payload, is_again).await;
        tries += 1;
        match posted {
            Ok(None) => return (ticket, Posted::Ready),
            Ok(Some(answer)) => return (ticket, Posted::Answered(answer)),
            Err(error) if tries >= TRIES && error.code().is_some() => {
                return (ticket, Posted::Refused(error));
            }
            Err(error) => tracing::warn!(%error, tries, "a run is published again"),
        }
        sleep((PAUSE * tries).min(LONGEST_PAUSE)).await;
    }
}

/// Publishes a run unless it was answered before; its id makes a second time harmless.
async fn try_post(
    nats: &Connection,
    runs: &Stream,
    ticket: &Ticket,
    id: &str,
    payload: &Bytes,
    is_again: bool,
) -> Result<Option<Stored>, NatsError> {
    if is_again && let Some(answer) = find_answer(runs, ticket).await? {
        return Ok(Some(answer));
    }
    let message = Message {
        subject: ticket.ready(),
        id: Some(id.to_owned()),
        headers: ticket.headers(),
        payload: payload.clone(),
        after: None,
    };
    store_together(nats, Layout::RUNS, None, vec![message]).await?;
    Ok(None)
}

/// Whether an attempt was answered, asked so that a runner may ask it of its own crew only: by a
/// question whose subject names the crew. It tells of the last answer of a subject.
pub(super) async fn is_answered(runs: &Stream, ticket: &Ticket) -> Result<bool, NatsError> {
    let subject = ticket.done();
    match runs.direct_get_last_for_subject(&subject).await {
        Ok(found) if Ticket::of(&subject, &found.headers).as_ref() == Some(ticket) => Ok(true),
        // Another run of the crew shares it.
        Ok(_) => Ok(find_answer(runs, ticket).await?.is_some()),
        Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(false),
        Err(error) => Err(NatsError::unanswered(format!("for a message on `{subject}`"), error)),
    }
}

/// The answer that is stored for an attempt. Only a few runs share a subject.
async fn find_answer(runs: &Stream, ticket: &Ticket) -> Result<Option<Stored>, NatsError> {
    let (subject, mut from) = (ticket.done(), 1);
    while let Some(found) = crate::nats::next(runs, &subject, from).await? {
        if Ticket::of(&found.subject, &found.headers).as_ref() == Some(ticket) {
            return Ok(Some(found));
        }
        from = found.sequence + 1;
    }
    Ok(None)
}

/// Reads answers as they come, for ever.
pub(super) async fn read_answers(
    runs: Stream,
    scope: Scope,
    mut from: u64,
    answers: mpsc::Sender<Stored>,
) {
    // A shard's streams have no subject in common, so it sees the answers of all.
    let stream = match &scope {
        Scope::Stream(stream) => stream.as_str(),
        Scope::Shard { .. } | Scope::All => "*",
    };
    let filter = format!("live.{stream}.slice.*.*.done");
    loop {
        let read = read_on(&runs, &filter, &scope, &mut from, &answers).await;
        match read {
            Ok(()) => return,
            Err(error) => tracing::warn!(%error, "answers of other hosts cannot be read"),
        }
        sleep(LONGEST_PAUSE).await;
    }
}

async fn read_on(
    runs: &Stream,
    filter: &str,
    scope: &Scope,
    from: &mut u64,
    answers: &mpsc::Sender<Stored>,
) -> Result<(), NatsError> {
    let failed =
        |error: &dyn std::fmt::Display| NatsError::unanswered(format!("for `{filter}`"), error);
    let config = pull::OrderedConfig {
        filter_subject: filter.to_owned(),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: *from },
        ..pull::OrderedConfig::default()
    };
    let consumer = runs.create_consumer(config).await.map_err(|error| failed(&error))?;
    let mut messages = consumer.messages().await.map_err(|error| failed(&error))?;
    loop {
        let Ok(message) = timeout(SILENCE, messages.next()).await else {
            let last = crate::nats::last(runs, filter).await?;
            if last.is_some_and(|last| last.sequence >= *from) {
                return Err(failed(&"the consumer fell silent"));
            }
            continue;
        };
        let Some(message) = message else { return Err(failed(&"the consumer ended")) };
        let message = message.map_err(|error| failed(&error))?;
        let sequence = message.info().map_err(|error| failed(&error))?.stream_sequence;
        *from = sequence + 1;
        let message = message.message;
        let subject = message.subject.into_string();
        if crate::nats::subjects::stream_of(&subject).is_none_or(|stream| !scope.has(&stream)) {
            continue;
        }
        let (headers, payload) = (message.headers.unwrap_or_default(), message.payload);
        if answers.send(Stored { subject, sequence, headers, payload }).await.is_err() {
            return Ok(());
        }
    }
}
