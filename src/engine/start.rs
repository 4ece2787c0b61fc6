//! Runs start: what they read, when they must be back (rules X1, T8, C6).

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    Command, Context, CrewIx, CrewSpec, Engine, Fact, Job, Need, Outcome, Pace, Plan, Record,
    RunId, Slice, StartAt, State, Timer, Timing,
    crew::{CachedView, CrewState, Phase, Run, Running},
    deliver::on_stride,
};

impl Engine {
    /// Starts ready runs while there is a free place. `slice` is the one worked on, or the open
    /// one between slices.
    pub(super) fn start_ready(&mut self, plan: &Plan, crew: CrewIx, slice: Slice) {
        let spec = &plan.crew(crew).spec;
        let state = &self.state.crews[crew.at()];
        // A run on arrival was asked in its own slice, and starts in that one.
        let disabled = spec.start == StartAt::Close && state.health.is_disabled(slice);
        if state.ready.is_empty() || !state.has_place(spec) || disabled {
            return;
        }
        if spec.stride > 1 && on_stride(spec, slice) > slice {
            self.state.agenda.insert((on_stride(spec, slice), crew));
            return;
        }
        while self.state.crews[crew.at()].has_place(spec) {
            let Some(run) = self.state.crews[crew.at()].ready.pop_front() else {
                return;
            };
            let slice = match (spec.start, plan.settings.pace) {
                (StartAt::Close, _) => slice,
                // Its slice waits for it, however far the input has gone on since.
                (StartAt::Arrival, Pace::Virtual) => run.key.trigger,
                (StartAt::Arrival, Pace::Realtime) => run.key.trigger.max(self.state.inbox.open),
            };
            self.start(crew, spec, run, slice);
        }
    }

    fn start(&mut self, crew: CrewIx, spec: &CrewSpec, run: Run, slice: Slice) {
        self.forget_expiry(crew, run.key);
        let land_at = match (spec.timing, self.plan.settings.pace) {
            (Timing::Let { slices, .. }, _) => Some(slice.shift(i64::from(slices))),
            (Timing::Sync, _) | (Timing::Async, Pace::Virtual) => Some(slice),
            (Timing::Async, Pace::Realtime) if spec.start == StartAt::Arrival => Some(slice),
            (Timing::Async, Pace::Realtime) => None,
        };
        // Its slice waits for the run and takes its output even if nothing else happens there.
        if let Some(land_at) = land_at
            && self.state.turn.as_ref().is_none_or(|turn| turn.slice != land_at)
        {
            self.state.agenda.insert((land_at, crew));
        }
        let view = self.view(crew, spec, &run, slice);
        let phase = Phase::InFlight { deadline: None };
        let running = Running { run, attempt: 1, slice, land_at, view, phase };
        self.state.crews[crew.at()].running.push(running);
        self.state.counters.started += 1;
        let last = self.state.crews[crew.at()].running.len() - 1;
        self.begin_attempt(crew, last);
    }

    /// Begins an attempt of a run that has its place.
    pub(super) fn begin_attempt(&mut self, crew: CrewIx, at: usize) {
        let timeout = self.plan.crew(crew).spec.timeout;
        let now = self.state.now;
        let running = &mut self.state.crews[crew.at()].running[at];
        let run = RunId { crew, key: running.run.key };
        let (attempt, slice) = (running.attempt, running.slice);
        let deadline = timeout.map(|timeout| now.plus(timeout));
        running.phase = Phase::InFlight { deadline };
        let met: Vec<Option<Slice>> =
            running.run.met.iter().map(|met| met.as_ref().map(|met| met.slice)).collect();
        if let Some(deadline) = deadline {
            self.state.timers.insert((deadline, Timer::Deadline(run, attempt)));
        }
        if self.facts.is_some() {
            let met = met.clone();
            self.note(|| Fact::Started { run, attempt, slice, met });
        }
        self.derive(Record::Start { run, attempt, slice, met });
        self.command_start(crew, at);
    }

    /// Hands a run under way to whoever does the work.
    pub(super) fn command_start(&mut self, crew: CrewIx, at: usize) {
        if self.replaying && self.facts.is_none() {
            return;
        }
        let running = &self.state.crews[crew.at()].running[at];
        let clock = self.state.inbox.clock.expect("a run starts in a slice, which has an epoch");
        let access = &self.plan.settings.context.access;
        let access =
            if access.is_empty() { None } else { access.get(&self.plan.crew(crew).spec.name) };
        let job = Job {
            run: RunId { crew, key: running.run.key },
            attempt: running.attempt,
            slice: running.slice,
            now: clock.end(running.slice),
            triggers: running.run.triggers.clone(),
            view: running.view.readable(access),
            met: running.run.met.clone(),
        };
        if self.replaying {
            self.note(|| Fact::Given { job: Box::new(job) });
        } else {
            self.command(Command::Start(job));
        }
    }

    /// Rule X1: the last commit, what needed crews changed in this slice, what the crew's own
    /// earlier runs changed in this slice.
    fn view(&mut self, crew: CrewIx, spec: &CrewSpec, run: &Run, slice: Slice) -> Context {
        let saw = self.seen_crews(spec, crew, run, slice);
        let State { crews, turn, context, commits, .. } = &mut self.state;
        let CrewState { view, finished, .. } = &mut *crews[crew.at()];
        let commits = run.base.as_ref().map_or(*commits, |base| base.commits);
        let is_same = |view: &&mut CachedView| {
            view.slice == slice && view.commits == commits && view.saw == saw
        };
        let view = if let Some(same) = view.as_mut().filter(is_same) {
            same
        } else {
            let mut base = run.base.as_ref().map_or(&*context, |base| &base.context).clone();
            let diffs = turn.as_ref().map(|turn| &turn.diffs);
            for diff in saw.iter().filter_map(|crew| diffs?.get(crew)).flatten() {
                // It was applied to what has landed; where that cannot be repeated on this
                // view, the view goes without it.
                let _skipped = base.apply_all(diff);
            }
            view.insert(CachedView { slice, commits, saw, context: base, applied: 0 })
        };
        if spec.concurrency == 1 {
            let own = finished[view.applied..].iter().filter(|finished| finished.land == slice);
            for diff in own.filter_map(|finished| finished.diff.as_ref()) {
                let _skipped = view.context.apply_all(diff);
            }
        }
        view.applied = finished.len();
        view.context.clone()
    }

    /// The crews whose changes of this slice a run reads: its satisfied offset-0 needs.
    fn seen_crews(
        &self,
        spec: &CrewSpec,
        crew: CrewIx,
        run: &Run,
        slice: Slice,
    ) -> SmallVec<[CrewIx; 2]> {
        let turn = self.state.turn.as_ref();
        let turn = turn.filter(|turn| turn.slice == slice && !turn.diffs.is_empty());
        let Some(turn) = turn.filter(|_| !run.met.is_empty()) else {
            return SmallVec::new();
        };
        let needs = spec.needs.iter().zip(&self.plan.crew(crew).needs).zip(&run.met);
        let mut saw: SmallVec<[CrewIx; 2]> = needs
            .filter_map(|((need, ix), met)| match (need, ix, met) {
                (Need::Crew { offset: 0, .. }, super::plan::NeedIx::Crew(ix), Some(met))
                    if met.slice == slice && turn.diffs.contains_key(ix) =>
                {
                    Some(*ix)
                }
                _ => None,
            })
            .collect();
        saw.sort_unstable();
        saw.dedup();
        saw
    }

    /// The crews a run that came back had seen, for conflicts (rule X2).
    pub(super) fn saw(&self, plan: &Plan, crew: CrewIx, at: usize) -> SmallVec<[CrewIx; 2]> {
        let running = &self.state.crews[crew.at()].running[at];
        self.seen_crews(&plan.crew(crew).spec, crew, &running.run, running.slice)
    }

    /// Rule N4 in realtime pace: a run has waited long enough.
    pub(super) fn stop_waiting(&mut self, run: RunId) {
        let plan = Arc::clone(&self.plan);
        let spec = &plan.crew(run.crew).spec;
        let open = self.state.inbox.open;
        if spec.stride > 1 {
            self.look_at(run.crew, spec, open, run.key);
            return;
        }
        let Some(mut waited) = self.state.crews[run.crew.at()].stop_waiting(run.key) else {
            return;
        };
        self.look_up_needs(run.crew, &mut waited);
        super::deliver::hide_unseen(&plan, run.crew, &mut waited, open);
        self.state.crews[run.crew.at()].make_ready(waited);
        self.start_ready(&plan, run.crew, open);
    }

    /// Whether an attempt is with the crew right now.
    pub(super) fn is_in_flight(&self, run: RunId, attempt: u32) -> bool {
        let Some(crew) = self.state.crews.get(run.crew.at()) else {
            return false;
        };
        crew.running.iter().any(|running| {
            running.run.key == run.key
                && running.attempt == attempt
                && matches!(running.phase, Phase::InFlight { .. })
        })
    }

    /// What a failed attempt is, when nothing better is known.
    pub(super) fn failure(reason: super::Reason, message: String) -> Outcome {
        Outcome::Failed(super::Failure { reason, message })
    }
}
