//! A session on NATS: a runtime for each part of the streams that this process is to run, and the
//! runs that schedulers elsewhere want done.

use std::{sync::Arc, time::Duration};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::{sync::mpsc, task::JoinSet};

use super::{
    crews::Members,
    input::{Input, Taken, Watched},
    kept::{self, Notices},
    output::Output,
    place::{Place, unreachable},
    summary::{Summaries, Summary},
};
use crate::{
    cluster::{self, Elsewhere, Keeper, KeeperHandle, Runner, ServerTime, Told},
    context::{ContextError, Projection},
    engine::{CrewName, Plan},
    nats::{Connection, Layout, NatsError, patiently, shard_of},
    runtime::{Ending, Options, Runtime, RuntimeError, Stop, StopSwitch},
    store::{JetStreamStore, Scope, StoreError},
    transport::{NatsSink, NatsSource, TransportError},
};

/// Runs of one crew that this process does for others at a time.
const SLOTS: usize = 32;
/// How long parts that are aborted have to write what is left: their server may be away.
const GOODBYE: Duration = Duration::from_secs(5);

/// Everything a session is made of.
pub(super) struct Parts<M> {
    pub(super) place: Arc<Place>,
    pub(super) plan: Arc<Plan>,
    pub(super) options: Options,
    pub(super) stop: StopSwitch,
    pub(super) taken: Arc<Taken>,
    /// Where contexts are kept, and who hears of outages.
    pub(super) context: Option<String>,
    pub(super) notices: Notices,
    /// Makes the crews and the outlet of one runtime.
    pub(super) make: M,
}

/// Everything that is there once a session has begun.
struct Begun {
    nats: Connection,
    runner: Option<Runner<Members>>,
    deciding: Option<Deciding>,
}

/// What a session has that may schedule.
struct Deciding {
    keeper: KeeperHandle,
    told: mpsc::UnboundedReceiver<Told>,
    time: ServerTime,
}

/// How a part ended, well or not.
struct Ended {
    summary: Summary,
    error: Option<RuntimeError>,
}

/// Why a session has not begun.
struct Fault {
    why: RuntimeError,
    is_passing: bool,
}

impl From<NatsError> for Fault {
    fn from(error: NatsError) -> Self {
        Self { why: unreachable(&error), is_passing: error.is_passing() }
    }
}

impl From<ContextError> for Fault {
    fn from(error: ContextError) -> Self {
        let why = TransportError::Custom(error.to_string()).into();
        Self { why, is_passing: error.is_passing() }
    }
}

impl From<RuntimeError> for Fault {
    fn from(why: RuntimeError) -> Self {
        Self { why, is_passing: false }
    }
}

impl<M: Fn() -> Result<(Members, Output), RuntimeError>> Parts<M> {
    /// Schedules and runs, as far as each is this process's part, until it is stopped.
    pub(super) async fn run(self) -> Result<Summary, RuntimeError> {
        let beginning = patiently(
            || self.begin(),
            |fault: &Fault| {
                let waits = self.place.waits && fault.is_passing;
                if waits {
                    self.place.standing.wait_for(&fault.why);
                }
                waits
            },
        );
        // Cancel-safe: what is dropped decides nothing yet, and has taken no run.
        let begun = tokio::select! {
            biased;
            asked = self.stop.asked(None) => return Ok(Summary::nothing(ending(asked))),
            begun = beginning => begun.map_err(|fault| fault.why)?,
        };
        self.place.standing.begin();
        self.go_on(begun).await
    }

    /// Connects, and opens all that is needed. Nothing is to be undone when it fails.
    async fn begin(&self) -> Result<Begun, Fault> {
        let place = &*self.place;
        let nats = place.connect().await?;
        let (may_schedule, may_run) = place.tasks();
        let mut runner = None;
        if may_run {
            let (crews, _) = (self.make)()?;
            let is_here = |crew: &CrewName| place.has(crew);
            runner = Some(Runner::open(&nats, &self.plan, crews, is_here, SLOTS).await?);
        }
        let mut deciding = None;
        if may_schedule {
            // Parts are tried for again and again: what will never do is told here.
            kept::check(self.context.as_deref(), &nats, place.layout.replicas).await?;
            // Events have the servers' time. By a clock of its own that is wrong this host would
            // close slices long before or after them, or refuse what is new.
            let time = ServerTime::follow(&nats, Layout::EVENTS).await?;
            let (layout, role) = (&place.layout, place.role());
            let kept = Keeper::start(&nats, layout, &place.who, role, place.lease).await;
            let (keeper, told) = kept?;
            deciding = Some(Deciding { keeper, told, time });
        }
        Ok(Begun { nats, runner, deciding })
    }

    async fn go_on(&self, begun: Begun) -> Result<Summary, RuntimeError> {
        let Begun { nats, runner, deciding } = begun;
        let mut needed = Vec::new();
        needed.extend(deciding.iter().flat_map(|_| [Layout::EVENTS, Layout::LOG]));
        needed.extend(runner.iter().map(|_| Layout::RUNS));
        let running = async {
            if let Some(mut runner) = runner {
                let grace = u64::try_from(self.options.grace.micros()).unwrap_or(0);
                runner.run(&self.stop, Duration::from_micros(grace)).await;
            }
        };
        let scheduling = async {
            let scheduled = match deciding {
                Some(deciding) => self.schedule(&nats, deciding).await,
                None => Ok(Summary::nothing(ending(self.stop.asked(None).await))),
            };
            if scheduled.is_err() {
                self.stop.stop(Stop::Abort);
            }
            scheduled
        };
        let mut watching = JoinSet::new();
        if let Some(every) = self.options.heartbeat {
            let every = u64::try_from(every.micros()).unwrap_or(0);
            // Beside Python: it must hear and tell also while that is busy.
            watching.spawn(cluster::watch(nats.clone(), Duration::from_micros(every)));
        }
        let work = async { tokio::join!(scheduling, running).0 };
        // What is dropped is as after a crash: another host goes on, or this one when it is back.
        tokio::select! {
            biased;
            ended = work => ended,
            why = cluster::unfit(&nats, &needed) => Err(TransportError::Custom(why).into()),
        }
    }

    /// Runs what the keeper of leases says is this process's, as long as it is.
    async fn schedule(
        &self,
        nats: &Connection,
        deciding: Deciding,
    ) -> Result<Summary, RuntimeError> {
        let Deciding { keeper, mut told, time } = deciding;
        let mut switches: Vec<(Scope, StopSwitch)> = Vec::new();
        let mut running = FuturesUnordered::new();
        let (mut stop, mut summaries, mut failed) = (None, Summaries::default(), None);
        let mut deadline = None;
        loop {
            let overdue = async {
                match deadline {
                    Some(deadline) => tokio::time::sleep_until(deadline).await,
                    None => std::future::pending().await,
                }
            };
            self.place.standing.decide_for(switches.len());
            if running.is_empty() && stop.is_some() {
                break;
            }
            // Cancel-safe: channels and sets of futures lose nothing.
            tokio::select! {
                biased;
                asked = self.stop.asked(stop) => {
                    if stop.replace(asked).is_none() {
                        keeper.leave();
                    }
                    for (_, switch) in &switches {
                        switch.stop(asked);
                    }
                    if asked == Stop::Abort {
                        deadline = Some(tokio::time::Instant::now() + GOODBYE);
                    }
                }
                // What is dropped is as after a crash: another host goes on.
                () = overdue => break,
                Some((scope, ended)) = running.next(), if !running.is_empty() => {
                    switches.retain(|(other, _)| *other != scope);
                    let error = match ended {
                        Ok(Ended { summary, error }) => {
                            let goes_on = stop.is_none() || error.is_some();
                            let summary = if goes_on { summary.passed_on() } else { summary };
                            summaries.take(scope.clone(), summary);
                            error
                        }
                        // It had not begun, so nothing of it is lost.
                        Err(error) if stop.is_some() && may_pass(&error) => None,
                        Err(error) => Some(error),
                    };
                    match error {
                        Some(error) if stop.is_none() && may_pass(&error) => {
                            tracing::warn!(%scope, %error, "a part is given up, and tried for again");
                        }
                        None | Some(RuntimeError::Store(StoreError::Deposed { .. })) => {}
                        Some(error) => {
                            failed.get_or_insert(error);
                            self.stop.stop(Stop::Abort);
                        }
                    }
                    keeper.released(scope);
                }
                told = told.recv() => match told {
                    Some(Told::Owned(scope)) if stop.is_none() => {
                        let switch = StopSwitch::new();
                        switches.push((scope.clone(), switch.clone()));
                        running.push(self.run_scope(nats.clone(), time.clone(), scope, switch));
                    }
                    Some(Told::Owned(scope)) => keeper.released(scope),
                    Some(Told::Release(scope)) => tell(&switches, &scope, Stop::Drain, &keeper),
                    Some(Told::Lost(scope)) => tell(&switches, &scope, Stop::Abort, &keeper),
                    // The keeper ends when it is told to.
                    None => break,
                },
            }
        }
        let _left = tokio::time::timeout(GOODBYE, keeper.stop()).await;
        failed.map_or_else(|| Ok(summaries.whole()), Err)
    }

    async fn run_scope(
        &self,
        nats: Connection,
        time: ServerTime,
        scope: Scope,
        switch: StopSwitch,
    ) -> (Scope, Result<Ended, RuntimeError>) {
        // On the heap: there are as many of them as parts.
        let ended = Box::pin(self.run_part(nats, time, &scope, &switch)).await;
        (scope, ended)
    }

    async fn run_part(
        &self,
        nats: Connection,
        time: ServerTime,
        scope: &Scope,
        switch: &StopSwitch,
    ) -> Result<Ended, RuntimeError> {
        let store = JetStreamStore::take_over(nats.clone(), scope.clone(), &self.place.who).await?;
        let (crews, mut output) = (self.make)()?;
        let contexts = kept::begin_part(
            self.context.as_deref(),
            &nats,
            self.place.layout.replicas,
            store.term(),
            &self.notices,
        )
        .await?;
        output.contexts = contexts.as_ref().map(Projection::teller);
        let is_here = |crew: &CrewName| self.place.has(crew);
        let crews = Elsewhere::open(&nats, &self.plan, scope, store.term(), crews, is_here).await;
        let crews = crews.map_err(|error| unreachable(&error))?;
        output.nats = Some(NatsSink::new(nats.clone(), false));
        let (plan, mut options) = (Arc::clone(&self.plan), self.options.clone());
        if let (Scope::Shard { of, .. }, Some(bytes)) = (scope, &mut options.retention.max_bytes) {
            // It bounds the whole.
            *bytes /= u64::from(*of);
        }
        let grace = options.grace;
        let limits = plan.settings.limits.clone();
        let mut runtime = Runtime::open(plan, options, store, output, crews, time).await?;
        let (shard, only) = match scope {
            Scope::Stream(stream) => (shard_of(stream, self.place.layout.shards), Some(stream)),
            Scope::Shard { number, .. } => (*number, None),
            Scope::All => (0, None),
        };
        let source = NatsSource::new(nats, shard, only, &limits);
        let taken = Arc::clone(&self.taken);
        let mut input = Watched { input: Input::Nats(Box::new(source)), taken };
        let ran = runtime.run(&mut input, switch).await;
        let mut summary = Summary::of(&runtime, *ran.as_ref().unwrap_or(&Ending::Aborted));
        let closed = match ran {
            Ok(_) => runtime.close().await,
            Err(error) => Err(error),
        };
        if closed.is_ok() {
            // Whoever has the part now writes its contexts.
            summary.unsaved = kept::finish(contexts, grace, &self.notices).await.unwrap_or(0);
        }
        Ok(Ended { summary, error: closed.err() })
    }
}

fn tell(switches: &[(Scope, StopSwitch)], scope: &Scope, stop: Stop, keeper: &KeeperHandle) {
    match switches.iter().find(|(other, _)| other == scope) {
        Some((_, switch)) => switch.stop(stop),
        // It has ended by itself.
        None => keeper.released(scope.clone()),
    }
}

/// How a session ends that was stopped before it had anything.
fn ending(stop: Stop) -> Ending {
    match stop {
        Stop::Drain => Ending::Drained,
        Stop::Abort => Ending::Aborted,
    }
}

/// Whether a part may go on elsewhere, or here later: the journal says where. A program that
/// cannot be told anything any more cannot be later either, and others can have its parts.
fn may_pass(error: &RuntimeError) -> bool {
    match error {
        RuntimeError::Transport(error) => {
            !matches!(error, TransportError::Program(_) | TransportError::Behind { .. })
        }
        RuntimeError::Store(error) => matches!(
            error,
            StoreError::Deposed { .. } | StoreError::Io { .. } | StoreError::Full { .. }
        ),
        _ => false,
    }
}
