//! A process that does runs for schedulers elsewhere.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until},
};

use super::{
    lane::{Lane, News, Token, Verdict},
    ticket::{AttemptKey, Ticket, write_answer},
};
use crate::{
    engine::{CrewName, Job, Outcome, Payload, Plan, RunId, StreamId},
    nats::{Connection, Layout, NatsError},
    runtime::{Back, Crews, Ending, Started, Stop, StopSwitch, redacted},
};

/// Cancellations remembered for runs that are delivered after them.
const REMEMBERED: usize = 1_024;

/// Runs crews for schedulers elsewhere.
#[derive(Debug)]
pub struct Runner<C> {
    crews: C,
    plan: Arc<Plan>,
    news: mpsc::UnboundedReceiver<News>,
    under_way: BTreeMap<(StreamId, RunId, u32), Running>,
    /// Attempts called off before they were delivered, the oldest first.
    cancelled: (BTreeSet<AttemptKey>, VecDeque<AttemptKey>),
    lanes: JoinSet<()>,
    minders: Arc<super::lane::Minders>,
}

#[derive(Debug)]
struct Running {
    ticket: Ticket,
    /// One for each time it was delivered.
    tokens: Vec<Token>,
}

impl<C: Crews> Runner<C> {
    /// A runner for the crews that `is_here` says, `slots` runs of each at a time. Has to be called
    /// inside a tokio runtime, which fetches runs and says that they are under way.
    pub async fn open(
        nats: &Connection,
        plan: &Arc<Plan>,
        crews: C,
        is_here: impl Fn(&CrewName) -> bool,
        slots: usize,
    ) -> Result<Self, NatsError> {
        let runs = crate::nats::stream(nats, Layout::RUNS).await?;
        let (tell, news) = mpsc::unbounded_channel();
        let minders = Arc::default();
        let mut lanes = JoinSet::new();
        for spec in plan.crews.iter().map(|crew| &crew.spec).filter(|spec| is_here(&spec.name)) {
            let ix = plan.find(spec.name.as_str()).expect("it is in the plan");
            let lane = Lane::open(nats, &runs, &spec.name, ix, slots, &tell, &minders).await?;
            lanes.spawn(Arc::clone(&lane).fetch());
            lanes.spawn(lane.listen());
        }
        let (under_way, cancelled) = (BTreeMap::new(), <_>::default());
        let plan = Arc::clone(plan);
        Ok(Self { crews, plan, news, under_way, cancelled, lanes, minders })
    }

    /// Does runs until the switch is used. A drain takes no new ones, gives back those that have
    /// not begun, and waits for the others as long as `grace`.
    pub async fn run(&mut self, switch: &StopSwitch, grace: Duration) -> Ending {
        let (mut stop, mut deadline) = (None, None);
        loop {
            self.crews.breathe().await;
            if stop.is_some() && self.under_way.is_empty() {
                self.give_back();
                self.minders.finished().await;
                return Ending::Drained;
            }
            let overdue = async {
                match deadline {
                    Some(deadline) => sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            // Cancel-safe: channels lose nothing, and neither does `next_back`.
            tokio::select! {
                biased;
                asked = switch.asked(stop) => {
                    self.lanes.abort_all();
                    if asked == Stop::Abort {
                        return self.abort();
                    }
                    (stop, deadline) = (Some(asked), Some(Instant::now() + grace));
                }
                () = overdue => return self.abort(),
                back = self.crews.next_back() => self.came_back(back),
                Some(news) = self.news.recv() => match news {
                    // Its token is dropped, so it goes to somebody else at once.
                    News::Given { .. } if stop.is_some() => {}
                    News::Given { ticket, job, token } => self.begin(ticket, *job, token),
                    News::Cancelled(attempt) => self.cancel(attempt),
                },
            }
        }
    }

    fn begin(&mut self, ticket: Ticket, job: Job, token: Token) {
        if self.cancelled.0.contains(&ticket.attempt_key()) {
            return token.give(Verdict::Skip);
        }
        let key = (ticket.stream.clone(), job.run, job.attempt);
        if let Some(running) = self.under_way.get_mut(&key) {
            if running.ticket == ticket {
                // Delivered again while it runs: once is enough, but neither may be forgotten.
                running.tokens.push(token);
            } else {
                // The same attempt of another past: it waits until this one is over.
                token.give(Verdict::Later);
            }
            return;
        }
        let stream = ticket.stream.clone();
        self.under_way.insert(key.clone(), Running { ticket, tokens: vec![token] });
        match self.crews.start(&stream, job) {
            Started::Later => {}
            Started::Done(outcome) => self.land(&key, outcome, None),
        }
    }

    fn came_back(&mut self, back: Back) {
        let Back { stream, run, attempt, outcome, notes } = back;
        self.land(&(stream, run, attempt), outcome, notes.as_ref());
    }

    fn land(&mut self, key: &(StreamId, RunId, u32), outcome: Outcome, notes: Option<&Payload>) {
        // One that was cancelled is not under way any more.
        if let Some(running) = self.under_way.remove(key) {
            // On its way it is stored: rule J7.
            let outcome = redacted(outcome, &self.plan);
            let body: bytes::Bytes = write_answer(&outcome, notes).into();
            for token in running.tokens {
                token.give(Verdict::Answer(body.clone()));
            }
        }
    }

    fn cancel(&mut self, attempt: AttemptKey) {
        let found = self.under_way.iter().find(|(_, run)| run.ticket.attempt_key() == attempt);
        if let Some(key) = found.map(|(key, _)| key.clone()) {
            let running = self.under_way.remove(&key).expect("it was just found");
            running.tokens.into_iter().for_each(|token| token.give(Verdict::Skip));
            self.crews.cancel(&key.0, key.1, key.2);
        }
        let (known, order) = &mut self.cancelled;
        if known.insert(attempt.clone()) {
            order.push_back(attempt);
        }
        if order.len() > REMEMBERED
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
    }

    /// Gives back what was delivered and has not begun, also what is delivered from now on.
    fn give_back(&mut self) {
        self.news.close();
        // Each is dropped with its token.
        while self.news.try_recv().is_ok() {}
    }

    /// Gives back what is under way as well.
    fn abort(&mut self) -> Ending {
        self.give_back();
        for ((stream, run, attempt), running) in std::mem::take(&mut self.under_way) {
            drop(running);
            self.crews.cancel(&stream, run, attempt);
        }
        Ending::Aborted
    }

    /// How many runs are under way.
    pub fn under_way(&self) -> usize {
        self.under_way.len()
    }
}
