//! Runs a scenario, from crash to crash, to its end.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::Poll,
    time::Duration,
};

use live_crew::{
    engine::{Control, Pace},
    runtime::{Ending, Runtime, RuntimeError, Stop, StopSwitch, SystemClock},
    store::{MemoryStore, StoreError},
};
use tokio::time::Instant;

use super::{
    Scenario, Tally, check,
    crews::{Mishaps, SimCrews},
    disk::{Disk, PowerCut, SimStore},
    feed::{Acked, SimSource, first_stream, start},
    plans::with_new_code,
    sink::{Outside, SimSink},
};
use crate::support::rng::Rng;

/// Nothing takes longer than this in simulated time, unless it hangs.
const LIMIT: Duration = Duration::from_secs(100 * 24 * 3_600);

/// Runs a scenario with everything that goes wrong in it, and checks what is left.
pub(crate) async fn simulate(scenario: &Scenario) -> Tally {
    let broken = to_the_end(scenario, true).await;
    let mut tally = broken.tally.clone();
    if scenario.keeps_all() {
        check::journal(scenario, &broken, &mut tally).await;
    }
    if scenario.pace == Pace::Virtual {
        let unbroken = to_the_end(scenario, false).await;
        check::same_end(scenario, &broken, &unbroken).await;
    }
    tally
}

async fn to_the_end(scenario: &Scenario, with_faults: bool) -> Left {
    let world = World::new(scenario, with_faults);
    tokio::time::timeout(LIMIT, world.run()).await.expect("a run comes to its end")
}

/// What a run leaves behind.
pub(super) struct Left {
    pub(super) store: MemoryStore,
    pub(super) outside: Outside,
    pub(super) acked: Option<u64>,
    pub(super) tally: Tally,
}

/// What goes wrong next.
#[derive(Debug, Clone, Copy)]
enum Fault {
    CrashAfterPolls(u64),
    CrashAfter(Duration),
    PowerCut(u64, PowerCut),
    FullDisk(u64),
    Sink(u64),
    Stop(u64, Stop),
}

impl Fault {
    fn random(rng: &mut Rng) -> Self {
        let soon = *rng.pick(&[3, 30, 300]);
        match rng.below(8) {
            0 | 1 => Self::CrashAfterPolls(rng.below(soon)),
            2 => Self::CrashAfter(Duration::from_millis(rng.below(soon * 100))),
            3 | 4 => {
                let cuts = [PowerCut::Before, PowerCut::Torn, PowerCut::After];
                Self::PowerCut(rng.below(soon), *rng.pick(&cuts))
            }
            5 => Self::FullDisk(rng.below(soon)),
            6 => Self::Sink(rng.below(soon)),
            _ => Self::Stop(rng.below(soon), *rng.pick(&[Stop::Drain, Stop::Abort])),
        }
    }
}

struct World<'a> {
    scenario: &'a Scenario,
    rng: Rng,
    faults: u64,
    disk: Arc<Disk>,
    outside: Arc<Mutex<Outside>>,
    acked: Acked,
    mishaps: Arc<Mutex<Mishaps>>,
    clock: SystemClock,
    since: Instant,
    tally: Tally,
}

type SimRuntime = Runtime<SimStore, SimSink, SimCrews, SystemClock>;

/// How a process ended.
enum Ended {
    Itself(Result<Ending, RuntimeError>),
    Crashed,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario, with_faults: bool) -> Self {
        let mut rng = Rng::new(scenario.seed ^ 0xfa_u64);
        let faults = if with_faults { rng.between(1, 10) } else { 0 };
        let disk = Disk::new(rng.fork());
        disk.bytes.lock().unwrap().is_slow = with_faults && rng.chance(30);
        Self {
            scenario,
            rng,
            faults,
            disk,
            outside: Arc::default(),
            acked: Acked::default(),
            mishaps: Arc::default(),
            clock: SystemClock::starting_at(start()),
            since: Instant::now(),
            tally: Tally::default(),
        }
    }

    async fn run(mut self) -> Left {
        loop {
            let fault = self.next_fault();
            let mut runtime = self.open().await;
            let ended = self.run_once(&mut runtime, fault).await;
            if self.is_over(runtime, ended).await {
                return self.left();
            }
            if self.rng.chance(30) {
                let down = self.rng.below(3_000);
                tokio::time::sleep(Duration::from_millis(down)).await;
            }
        }
    }

    fn next_fault(&mut self) -> Option<Fault> {
        if self.faults == 0 {
            return None;
        }
        self.faults -= 1;
        Some(Fault::random(&mut self.rng))
    }

    /// Starts a process: it must find its way from whatever is on the disk.
    async fn open(&mut self) -> SimRuntime {
        let scenario = self.scenario;
        self.tally.opened += 1;
        let store = self.disk.open();
        let plan = if self.faults > 0 && self.rng.chance(10) {
            with_new_code(&scenario.plan, self.faults)
        } else {
            Arc::clone(&scenario.plan)
        };
        let crews = SimCrews::new(
            scenario.seed,
            Arc::clone(&scenario.tempers),
            self.rng.fork(),
            Arc::clone(&self.mishaps),
        );
        let sink = SimSink::new(Arc::clone(&self.outside), self.rng.fork());
        let options = scenario.options.clone();
        let opened = Runtime::open(plan, options, store, sink, crews, self.clock).await;
        let mut runtime = opened.expect("recovery never fails");
        if scenario.pace == Pace::Realtime && self.faults > 0 && self.rng.chance(10) {
            let crew = self.rng.pick(&scenario.plan.crews).spec.name.clone();
            let control = *self.rng.pick(&[Control::Enable, Control::Disable]);
            let _unknown_stream = runtime.control(&first_stream(), control(crew));
        }
        runtime
    }

    async fn run_once(&mut self, runtime: &mut SimRuntime, fault: Option<Fault>) -> Ended {
        let mut source = SimSource::new(
            Arc::clone(&self.scenario.feed),
            self.scenario.pace,
            Arc::clone(&self.acked),
            self.since,
            self.rng.fork(),
        );
        let switch = StopSwitch::new();
        let (mut crash_polls, mut stop, mut crash_after) = (None, None, LIMIT * 2);
        match fault {
            None => {}
            Some(Fault::CrashAfterPolls(polls)) => crash_polls = Some(polls),
            Some(Fault::CrashAfter(after)) => crash_after = after,
            Some(Fault::Stop(polls, how)) => stop = Some((polls, how)),
            Some(Fault::PowerCut(writes, cut)) => {
                self.disk.bytes.lock().unwrap().cut_at = Some((writes, cut));
            }
            Some(Fault::FullDisk(writes)) => {
                self.disk.bytes.lock().unwrap().full_at = Some(writes);
            }
            Some(Fault::Sink(batches)) => {
                self.outside.lock().unwrap().fails_at = Some(batches);
            }
        }
        let asks = switch.clone();
        let run = pin!(runtime.run(&mut source, &switch));
        let polled = polled(run, |polls| {
            if let Some((_, how)) = stop.filter(|(at, _)| *at == polls) {
                asks.stop(how);
            }
            crash_polls.is_none_or(|most| polls < most)
        });
        let ended = tokio::select! {
            biased;
            () = self.disk.power_off.notified() => Ended::Crashed,
            ended = polled => ended.map_or(Ended::Crashed, Ended::Itself),
            () = tokio::time::sleep(crash_after) => Ended::Crashed,
        };
        if let (Some((_, Stop::Drain)), Ended::Itself(Ok(ending))) = (stop, &ended) {
            assert_ne!(*ending, Ending::Aborted, "a drain comes to its end");
        }
        ended
    }

    /// Whether all is done; otherwise counts what went wrong.
    async fn is_over(&mut self, runtime: SimRuntime, ended: Ended) -> bool {
        match ended {
            Ended::Itself(Ok(Ending::Finished)) => return self.close(runtime).await,
            Ended::Itself(Ok(Ending::Drained)) => self.tally.drains += 1,
            Ended::Itself(Ok(Ending::Aborted)) => self.tally.aborts += 1,
            Ended::Itself(Err(error)) => self.check_reason(&error),
            Ended::Crashed => {
                self.count_crash();
                return false;
            }
        }
        // Closing in order is tried after faults too: it must not make anything worse.
        if self.rng.chance(50) {
            self.close(runtime).await;
        }
        false
    }

    /// Whether the journal could be closed in order: a fault may strike here too.
    async fn close(&mut self, runtime: SimRuntime) -> bool {
        let closed = tokio::select! {
            biased;
            () = self.disk.power_off.notified() => None,
            closed = runtime.close() => Some(closed),
        };
        match closed {
            Some(Ok(())) => return true,
            Some(Err(error)) => self.check_reason(&error),
            None => self.count_crash(),
        }
        false
    }

    fn check_reason(&mut self, error: &RuntimeError) {
        let mut outside = self.outside.lock().unwrap();
        match error {
            RuntimeError::Store(StoreError::Full { .. }) => {
                assert!(self.disk.bytes.lock().unwrap().was_full);
                self.tally.full_disks += 1;
            }
            RuntimeError::Transport(_) => {
                assert!(std::mem::take(&mut outside.failed));
                self.tally.sink_failures += 1;
            }
            other => panic!("the runtime stopped: {other}"),
        }
        outside.fails_at = None;
    }

    fn count_crash(&mut self) {
        self.tally.crashes += 1;
        let mut media = self.disk.bytes.lock().unwrap();
        if std::mem::take(&mut media.torn) {
            self.tally.torn_writes += 1;
        }
        if matches!(media.cut_at, Some((0, PowerCut::After))) {
            self.tally.lost_answers += 1;
        }
        self.outside.lock().unwrap().fails_at = None;
    }

    fn left(self) -> Left {
        let Self { mut tally, disk, outside, acked, mishaps, .. } = self;
        let media = disk.bytes.lock().unwrap();
        tally.scenarios = 1;
        tally.slow_appends = media.slow_appends;
        tally.failures = mishaps.lock().unwrap().failures;
        let outside = std::mem::take(&mut *outside.lock().unwrap());
        let acked = *acked.lock().unwrap();
        Left { store: media.store.clone(), outside, acked, tally }
    }
}

/// Polls a future while `goes_on` says so, given how often it was polled before.
async fn polled<F: Future>(
    mut future: Pin<&mut F>,
    mut goes_on: impl FnMut(u64) -> bool,
) -> Option<F::Output> {
    let mut polls = 0;
    poll_fn(|context| {
        if !goes_on(polls) {
            return Poll::Ready(None);
        }
        polls += 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}
