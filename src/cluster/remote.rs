//! Crews of other hosts, as a scheduler sees them.

use std::sync::Arc;

use tokio::{sync::mpsc, task::JoinSet};

use super::{
    courier::{Courier, Errand, read_answers},
    ticket::{Ticket, failed},
};
use crate::{
    engine::{CrewIx, CrewName, Job, Plan, Reason, RunId, StreamId},
    nats::{Connection, Layout, NatsError},
    runtime::{Back, Crews, Started},
    store::Scope,
};

/// Runs that may wait to be published. More than this are under way only when the server is gone.
const QUEUE: usize = 65_536;
/// Room for the headers of a message of the greatest size.
const HEADER_ROOM: usize = 4 << 10;

/// Crews of which some run here, and all others wherever there is a [`Runner`](super::Runner).
#[derive(Debug)]
pub struct Elsewhere<C> {
    local: C,
    plan: Arc<Plan>,
    is_here: Vec<bool>,
    errands: mpsc::Sender<Errand>,
    backs: mpsc::UnboundedReceiver<Back>,
    /// What the server takes.
    most: usize,
    /// Until the loop takes its first breath, what starts was under way when an earlier scheduler
    /// went, and may have been answered meanwhile.
    is_recovering: bool,
    /// Ends with it.
    _tasks: JoinSet<()>,
}

impl<C: Crews> Elsewhere<C> {
    /// Crews for the scheduler of a scope: `local` does those that `is_here` says. `term` is that
    /// of the store. Has to be called inside a tokio runtime, which does the publishing.
    pub async fn open(
        nats: &Connection,
        plan: &Arc<Plan>,
        scope: &Scope,
        term: u64,
        local: C,
        is_here: impl Fn(&CrewName) -> bool,
    ) -> Result<Self, NatsError> {
        let is_here: Vec<bool> = plan.crews.iter().map(|crew| is_here(&crew.spec.name)).collect();
        let (errands, todo) = mpsc::channel(QUEUE);
        let (tell, backs) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        if is_here.contains(&false) {
            let runs = crate::nats::stream(nats, Layout::RUNS).await?;
            // What is stored by now is looked up for each run that was under way.
            let from = runs.cached_info().state.last_sequence + 1;
            let (answers, answered) = mpsc::channel(1_024);
            tasks.spawn(read_answers(runs.clone(), scope.clone(), from, answers));
            let courier = Courier::new(nats.clone(), runs, term, tell);
            tasks.spawn(courier.carry(todo, answered));
        }
        let most = nats.client().server_info().max_payload.saturating_sub(HEADER_ROOM);
        let (plan, is_recovering) = (Arc::clone(plan), true);
        Ok(Self { local, plan, is_here, errands, backs, most, is_recovering, _tasks: tasks })
    }

    /// The crews that run here.
    pub fn local(&self) -> &C {
        &self.local
    }

    fn is_here(&self, crew: CrewIx) -> bool {
        self.is_here[crew.0 as usize]
    }
}

impl<C: Crews> Crews for Elsewhere<C> {
    fn is_immediate(&self, crew: CrewIx) -> bool {
        self.is_here(crew) && self.local.is_immediate(crew)
    }

    fn start(&mut self, stream: &StreamId, job: Job) -> Started {
        if self.is_here(job.run.crew) {
            return self.local.start(stream, job);
        }
        let spec = &self.plan.crew(job.run.crew).spec;
        let run = job.run;
        let (ticket, body) = Ticket::issue(stream, &spec.name, spec.timeout, job);
        let limit = |why: String| Started::Done(failed(Reason::Limit, why));
        if body.len() > self.most {
            return limit(format!(
                "what a run of `{}` is given has {} bytes, and the server takes {}; keep less in \
                 the context, or raise `max_payload` of the server",
                spec.name,
                body.len(),
                self.most,
            ));
        }
        let errand = Errand::Run { run, ticket, body, is_again: self.is_recovering };
        match self.errands.try_send(errand) {
            Ok(()) => Started::Later,
            Err(_) => limit(format!(
                "{QUEUE} runs for other hosts wait to be published; check the NATS server"
            )),
        }
    }

    fn cancel(&mut self, stream: &StreamId, run: RunId, attempt: u32) {
        if self.is_here(run.crew) {
            return self.local.cancel(stream, run, attempt);
        }
        // Where the queue is full the answer comes, and is not wanted.
        let name = self.plan.crew(run.crew).spec.name.clone();
        let _full = self.errands.try_send(Errand::Cancel((stream.clone(), name, run.key, attempt)));
    }

    async fn next_back(&mut self) -> Back {
        tokio::select! {
            biased;
            back = self.local.next_back() => back,
            Some(back) = self.backs.recv() => back,
            else => std::future::pending().await,
        }
    }

    fn is_tired(&self) -> bool {
        self.local.is_tired()
    }

    async fn breathe(&mut self) {
        self.is_recovering = false;
        self.local.breathe().await;
    }
}
