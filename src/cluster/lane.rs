//! Runs of one crew on their way in: fetched as there is room, kept alive while they are under
//! way, answered and acknowledged.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_nats::jetstream::{
    self, AckKind,
    consumer::{AckPolicy, Consumer, pull},
    stream::{ConsumerErrorKind, Stream},
};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    task::JoinSet,
    time::sleep,
};

use super::{
    age::ServerClock,
    courier::is_answered,
    ticket::{AttemptKey, Ticket, failed, write_answer},
};
use crate::{
    engine::{CrewIx, CrewName, Job, Reason, Span},
    nats::{Connection, Layout, Message, NatsError, store_together},
};

/// How long a run may be without a word from its runner, and how often there is one.
const SILENCE: Duration = Duration::from_secs(10);
const WORD: Duration = Duration::from_secs(3);
/// How long one request for runs waits: a request that is lost is missed for no longer.
const FETCH: Duration = Duration::from_secs(5);
/// How often a run may be delivered: one that kills its runners would go on for ever.
const DELIVERIES: i64 = 5;
const PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How often an answer is published before the run is left to somebody else.
const TRIES: u32 = 20;
/// Runs fetched with one request.
const AT_ONCE: usize = 64;
/// Room for the headers of a message of the greatest size.
const HEADER_ROOM: usize = 4 << 10;

/// What the loop of a runner hears.
#[derive(Debug)]
pub(super) enum News {
    Given { ticket: Ticket, job: Box<Job>, token: Token },
    Cancelled(AttemptKey),
}

/// What the loop owes a run it was given: dropped without a verdict, the run is given back.
#[derive(Debug)]
pub(super) struct Token(oneshot::Sender<Verdict>);

/// What is to become of a message.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Publish this, then it is done.
    Answer(Bytes),
    /// Nobody wants it.
    Skip,
    /// Not now.
    Later,
}

impl Token {
    pub(super) fn give(self, verdict: Verdict) {
        // Its minder ends only with the process.
        let _gone = self.0.send(verdict);
    }
}

/// The tasks that mind one delivered run each. They outlive the runner by what it takes to give
/// runs back.
#[derive(Debug, Default)]
pub(super) struct Minders(Mutex<JoinSet<()>>);

impl Minders {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    /// Waits until all of them are done.
    pub(super) async fn finished(&self) {
        let mut tasks = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        while tasks.join_next().await.is_some() {}
    }
}

impl Drop for Minders {
    fn drop(&mut self) {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).detach_all();
    }
}

/// The runs of one crew.
#[derive(Debug)]
pub(super) struct Lane {
    nats: Connection,
    runs: Stream,
    crew: CrewName,
    ix: CrewIx,
    slots: Arc<Semaphore>,
    clock: Mutex<ServerClock>,
    news: mpsc::UnboundedSender<News>,
    minders: Arc<Minders>,
}

/// What a delivered message is.
enum Sort {
    Run(Ticket, Box<Job>),
    Settled(Ticket, Verdict),
    /// Nobody can be told about it.
    Nameless,
}

impl Lane {
    pub(super) async fn open(
        nats: &Connection,
        runs: &Stream,
        crew: &CrewName,
        ix: CrewIx,
        slots: usize,
        news: &mpsc::UnboundedSender<News>,
        minders: &Arc<Minders>,
    ) -> Result<Arc<Self>, NatsError> {
        let lane = Self {
            nats: nats.clone(),
            runs: runs.clone(),
            crew: crew.clone(),
            ix,
            slots: Arc::new(Semaphore::new(slots.max(1))),
            clock: Mutex::new(ServerClock::read(nats, Layout::RUNS).await?),
            news: news.clone(),
            minders: Arc::clone(minders),
        };
        // What is wrong with the consumer is told at once, not in the log of a task. A cluster that
        // has just begun may not answer yet, and is asked again by that task.
        match lane.consumer().await {
            Err(error) if !error.is_passing() => Err(error),
            _ => Ok(Arc::new(lane)),
        }
    }

    async fn consumer(&self) -> Result<Consumer<pull::Config>, NatsError> {
        let name = format!("run-{}", self.crew);
        let config = pull::Config {
            durable_name: Some(name.clone()),
            filter_subject: format!("live.*.slice.*.{}.ready", self.crew),
            ack_policy: AckPolicy::Explicit,
            ack_wait: SILENCE,
            // Runners count: a run the server no longer delivers would be waited for for ever.
            max_deliver: -1,
            max_ack_pending: 100_000,
            ..pull::Config::default()
        };
        let made = self.runs.create_consumer(config).await;
        made.map_err(|error| match error.kind() {
            ConsumerErrorKind::JetStream(refused) => {
                NatsError::refused(format!("consumer `{name}`"), &refused)
            }
            _ => NatsError::unanswered(format!("for consumer `{name}`"), error),
        })
    }

    /// Fetches runs as long as there is room for them.
    pub(super) async fn fetch(self: Arc<Self>) {
        loop {
            if let Err(error) = self.fetch_on().await {
                tracing::warn!(%error, crew = %self.crew, "runs cannot be fetched");
            }
            sleep(PAUSE).await;
        }
    }

    async fn fetch_on(self: &Arc<Self>) -> Result<(), NatsError> {
        let failed = |error: &dyn std::fmt::Display| NatsError::unanswered("for runs", error);
        let consumer = self.consumer().await?;
        loop {
            let slots = Arc::clone(&self.slots);
            let first = slots.acquire_owned().await.expect("it is never closed");
            let mut room = vec![first];
            while room.len() < AT_ONCE
                && let Ok(more) = Arc::clone(&self.slots).try_acquire_owned()
            {
                room.push(more);
            }
            // No heartbeats: a batch that hears one is not woken again.
            let batch = consumer.batch().max_messages(room.len()).expires(FETCH).messages().await;
            let mut batch = batch.map_err(|error| failed(&error))?;
            while let Some(message) = batch.next().await {
                let message = message.map_err(|error| failed(&error))?;
                let slot = room.pop().expect("no more messages come than were asked for");
                self.minders.spawn(Arc::clone(self).mind(message, slot));
            }
        }
    }

    /// Hears what is called off.
    pub(super) async fn listen(self: Arc<Self>) {
        let subject = format!("live.*.slice.*.{}.cancel", self.crew);
        loop {
            match self.nats.client().subscribe(subject.clone()).await {
                Ok(mut cancellations) => {
                    while let Some(message) = cancellations.next().await {
                        let attempt = Ticket::cancelled(&message.subject, &message.payload);
                        let told = attempt.map(|attempt| self.news.send(News::Cancelled(attempt)));
                        if told.is_some_and(|told| told.is_err()) {
                            return;
                        }
                    }
                }
                Err(error) => tracing::warn!(%error, "cancellations cannot be heard"),
            }
            sleep(LONGEST_PAUSE).await;
        }
    }

    /// Sees one delivered run through.
    async fn mind(self: Arc<Self>, message: jetstream::Message, _slot: OwnedSemaphorePermit) {
        let (ticket, verdict) = match self.sort(&message).await {
            Sort::Nameless => {
                tracing::warn!(subject = %message.subject, "a message there is no run");
                return acknowledge(&message, AckKind::Term).await;
            }
            Sort::Settled(ticket, verdict) => (ticket, Some(verdict)),
            Sort::Run(ticket, job) => {
                let (token, verdict) = oneshot::channel();
                let news = News::Given { ticket: ticket.clone(), job, token: Token(token) };
                // Without a loop the token is dropped, and the run given back.
                let _gone = self.news.send(news);
                (ticket, keep_alive(&message, verdict).await.ok())
            }
        };
        let kind = match verdict {
            Some(Verdict::Answer(body)) => {
                let answered = keep_alive(&message, Box::pin(self.answer(&ticket, body))).await;
                if answered { AckKind::Ack } else { AckKind::Nak(None) }
            }
            Some(Verdict::Skip) => AckKind::Ack,
            Some(Verdict::Later) => AckKind::Nak(Some(Duration::from_secs(1))),
            None => AckKind::Nak(None),
        };
        acknowledge(&message, kind).await;
    }

    /// What is to be done with a message.
    async fn sort(&self, message: &jetstream::Message) -> Sort {
        let headers = message.headers.clone().unwrap_or_default();
        let ticket = Ticket::of(&message.subject, &headers);
        let (Some(ticket), Ok(info)) = (ticket, message.info()) else {
            return Sort::Nameless;
        };
        let answer = |why| {
            let outcome = failed(Reason::Error, why);
            Verdict::Answer(write_answer(&outcome, None).into())
        };
        if info.delivered > 1 {
            match is_answered(&self.runs, &ticket).await {
                Ok(true) => return Sort::Settled(ticket, Verdict::Skip),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "whether a run was answered is not known"),
            }
        }
        if info.delivered > DELIVERIES {
            let why = format!(
                "run {} of `{}` was given to runners {DELIVERIES} times and none came back with \
                 an answer; see their logs for why they ended",
                ticket.key, ticket.crew
            );
            return Sort::Settled(ticket, answer(why));
        }
        let (job, timeout) = match ticket.job(self.ix, &message.payload) {
            Ok(given) => given,
            Err(why) => return Sort::Settled(ticket, answer(why)),
        };
        let published = info.published.unix_timestamp_nanos();
        match timeout {
            Some(timeout) if self.is_past(published, timeout).await => {
                Sort::Settled(ticket, Verdict::Skip)
            }
            _ => Sort::Run(ticket, Box::new(job)),
        }
    }

    /// Whether a run has no time left. Another server may lead by now, whose clock is behind: by
    /// the clock of the one before, everything would look old.
    async fn is_past(&self, published_nanos: i128, timeout: Span) -> bool {
        let known = *self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.is_past(published_nanos, timeout) {
            return false;
        }
        // Without an answer it is run: the scheduler's own timeout stands either way.
        let Ok(clock) = ServerClock::read(&self.nats, Layout::RUNS).await else { return false };
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = clock;
        clock.is_past(published_nanos, timeout)
    }

    /// Stores an answer; whether it is stored.
    async fn answer(&self, ticket: &Ticket, mut body: Bytes) -> bool {
        let most = self.nats.client().server_info().max_payload.saturating_sub(HEADER_ROOM);
        if body.len() > most {
            let why = format!(
                "the answer of `{}` has {} bytes, and the server takes {most}; answer with less, \
                 or raise `max_payload` of the server",
                ticket.crew,
                body.len()
            );
            body = write_answer(&failed(Reason::Limit, why), None).into();
        }
        for tries in 1..=TRIES {
            let message = Message {
                subject: ticket.done(),
                // The first one that is stored is the answer.
                id: Some(format!("{}:done", ticket.id())),
                headers: ticket.headers(),
                payload: body.clone(),
                after: None,
            };
            match store_together(&self.nats, Layout::RUNS, None, vec![message]).await {
                Ok(_) => return true,
                Err(error) => tracing::warn!(%error, tries, "an answer is published again"),
            }
            sleep((PAUSE * tries).min(LONGEST_PAUSE)).await;
        }
        false
    }
}

/// Waits for something, and tells the server meanwhile that the run is under way.
async fn keep_alive<T>(
    message: &jetstream::Message,
    mut done: impl Future<Output = T> + Unpin,
) -> T {
    loop {
        tokio::select! {
            biased;
            done = &mut done => return done,
            () = sleep(WORD) => {
                if let Err(error) = message.ack_with(AckKind::Progress).await {
                    tracing::warn!(%error, "a run cannot be kept; another runner may do it too");
                }
            }
        }
    }
}

async fn acknowledge(message: &jetstream::Message, kind: AckKind) {
    for tries in 1..=3 {
        match message.double_ack_with(kind).await {
            Ok(()) => return,
            Err(error) => tracing::debug!(%error, tries, "an acknowledgement was not heard"),
        }
    }
    // It is delivered again, and found to be answered.
}
