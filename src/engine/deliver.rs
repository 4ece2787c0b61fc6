//! A crew's turn in a slice: its triggers become runs, its waiting runs are looked at.

use std::{collections::BTreeSet, sync::Arc};

use smallvec::SmallVec;

use super::{
    Backlog, Batch, CrewIx, CrewSpec, Engine, Event, Fact, Met, OnMiss, Pace, Payload, Plan,
    Reason, RunId, RunKey, Slice, Span, Timer, Timestamp, Timing, Triggers, WaitPolicy,
    crew::{CrewState, Phase, Run},
    plan::NeedIx,
};

impl Engine {
    pub(super) fn deliver(&mut self, crew: CrewIx, slice: Slice) {
        let plan = Arc::clone(&self.plan);
        let spec = &plan.crew(crew).spec;
        let ended = std::mem::take(&mut self.state.crews[crew.at()].ended);
        for (key, reason) in ended {
            self.end_run(RunId { crew, key }, reason, &[]);
        }
        self.release(crew, spec, slice);
        if self.is_disabled(crew, spec, slice) {
            self.purge(crew, slice);
            return;
        }
        self.look(crew, spec, slice);
        self.make_runs(crew, spec, slice);
        self.start_ready(&plan, crew, slice);
        if !super::crew::in_step(spec, plan.settings.pace)
            || matches!(spec.timing, Timing::Let { .. })
        {
            self.expire_later(crew, spec, slice);
        }
    }

    /// §7: `let` runs whose slice has come are free to land; those not ready have missed it.
    fn release(&mut self, crew: CrewIx, spec: &CrewSpec, slice: Slice) {
        let Timing::Let { on_miss, .. } = spec.timing else {
            return;
        };
        let virtual_pace = self.plan.settings.pace == Pace::Virtual;
        let mut at = 0;
        while at < self.state.crews[crew.at()].running.len() {
            let running = &mut self.state.crews[crew.at()].running[at];
            if running.land_at.is_none_or(|land| land > slice) {
                at += 1;
                continue;
            }
            match (&running.phase, on_miss) {
                (Phase::Held(_), _) => {
                    let Phase::Held(outcome) = std::mem::replace(&mut running.phase, Phase::Paused)
                    else {
                        return;
                    };
                    let plan = Arc::clone(&self.plan);
                    self.finish(&plan, crew, at, outcome);
                }
                _ if virtual_pace => at += 1,
                (_, OnMiss::Late) => {
                    running.land_at = None;
                    at += 1;
                }
                (_, OnMiss::Fail) => self.miss(crew, at, slice),
            }
        }
    }

    /// Rule C8. A crew that comes back after its cooldown has one failure left.
    fn is_disabled(&mut self, crew: CrewIx, spec: &CrewSpec, slice: Slice) -> bool {
        let health = &mut self.state.crews[crew.at()].health;
        match health.disabled {
            Some(disabled) if disabled.is_over(slice) => {
                health.disabled = None;
                health.failures = spec.max_errors - 1;
                false
            }
            Some(disabled) => disabled.from <= slice,
            None => false,
        }
    }

    /// Ends everything a disabled crew was still to do.
    fn purge(&mut self, crew: CrewIx, slice: Slice) {
        let state: &mut CrewState = &mut self.state.crews[crew.at()];
        let pending = std::mem::take(&mut state.pending);
        let mut keys: Vec<(RunKey, Vec<usize>)> = Vec::new();
        let unstarted =
            state.ready.drain(..).chain(std::mem::take(&mut state.waiting).into_values());
        keys.extend(unstarted.map(|run| (run.key, run.missing())));
        state.lacking.iter_mut().for_each(BTreeSet::clear);
        state.looks.clear();
        let unmade = pending.iter().zip(0..).map(|(_, place)| RunKey { trigger: slice, place });
        keys.extend(unmade.map(|key| (key, Vec::new())));
        for (key, missing) in keys {
            self.forget_expiry(crew, key);
            self.end_run(RunId { crew, key }, Reason::Disabled, &missing);
        }
    }

    /// Waiting runs that may start now (rules N2, N4).
    fn look(&mut self, crew: CrewIx, spec: &CrewSpec, slice: Slice) {
        if !is_on_stride(spec, slice) {
            return;
        }
        loop {
            let state = &mut self.state.crews[crew.at()];
            let Some((at, key)) = state.looks.first().copied().filter(|(at, _)| *at <= slice)
            else {
                return;
            };
            state.looks.remove(&(at, key));
            if let Some(mut run) = state.stop_waiting(key) {
                self.look_up_needs(crew, &mut run);
                hide_unseen(&self.plan, crew, &mut run, slice);
                self.state.crews[crew.at()].make_ready(run);
            }
        }
    }

    /// Rules C1, C2, C4: triggers become runs.
    fn make_runs(&mut self, crew: CrewIx, spec: &CrewSpec, slice: Slice) {
        if self.state.crews[crew.at()].pending.is_empty() {
            return;
        }
        if !is_on_stride(spec, slice) {
            let until = on_stride(spec, slice);
            self.state.agenda.insert((until, crew));
            self.note(|| Fact::Accumulated { crew, slice, until });
            return;
        }
        self.make_room(crew, spec);
        let mut pending = std::mem::take(&mut self.state.crews[crew.at()].pending);
        if spec.batch == Batch::Slice {
            let key = RunKey { trigger: slice, place: 0 };
            self.queue_run(crew, spec, key, Triggers::Many(pending.into()), slice);
            return;
        }
        for (event, place) in pending.drain(..).zip(0..) {
            let key = RunKey { trigger: slice, place };
            self.queue_run(crew, spec, key, Triggers::One(event), slice);
        }
        if pending.capacity() < 1_000 {
            self.state.crews[crew.at()].pending = pending;
        }
    }

    /// Rule C5: what waits from earlier slices makes room for the triggers of this one.
    fn make_room(&mut self, crew: CrewIx, spec: &CrewSpec) {
        let (room, reason) = match spec.backlog {
            Backlog::Fifo => (spec.max_backlog, Reason::Overflow),
            Backlog::Latest => (0, Reason::Replaced),
        };
        loop {
            let state = &mut self.state.crews[crew.at()];
            if state.waiting_runs() <= room {
                return;
            }
            let waiting = state.waiting.first_key_value().map(|(key, _)| *key);
            let oldest = match (state.ready.front().map(|run| run.key), waiting) {
                (Some(ready), Some(waiting)) if waiting < ready => state.stop_waiting(waiting),
                (Some(_), _) => state.ready.pop_front(),
                (None, Some(waiting)) => state.stop_waiting(waiting),
                (None, None) => return,
            };
            let Some(oldest) = oldest else { return };
            self.forget_expiry(crew, oldest.key);
            self.end_run(RunId { crew, key: oldest.key }, reason, &oldest.missing());
        }
    }

    /// A new run, which may start from a slice on, is ready or begins to wait. A run made by a
    /// landing always waits: its crew's turn is still to come.
    pub(super) fn queue_run(
        &mut self,
        crew: CrewIx,
        spec: &CrewSpec,
        key: RunKey,
        triggers: Triggers,
        from: Slice,
    ) {
        let met = std::iter::repeat_n(None, spec.needs.len()).collect();
        let mut run = Run { key, triggers, from, met, base: None };
        let slice = self.state.turn.as_ref().map_or(from, |turn| turn.slice);
        self.note(|| Fact::Queued { run: RunId { crew, key }, slice });
        if spec.needs.is_empty() {
            self.state.crews[crew.at()].ready.push_back(run);
            return;
        }
        match self.look_up_needs(crew, &mut run) {
            look if look <= from && !self.plan.crew(crew).by_landing => {
                hide_unseen(&self.plan, crew, &mut run, from);
                self.state.crews[crew.at()].make_ready(run);
            }
            look => self.wait(crew, spec, run, look),
        }
    }

    fn wait(&mut self, crew: CrewIx, spec: &CrewSpec, run: Run, look: Slice) {
        let key = run.key;
        let state = &mut self.state.crews[crew.at()];
        for need in run.missing() {
            state.lacking[need].insert(key);
        }
        state.waiting.insert(key, run);
        if look < NEVER {
            self.look_at(crew, spec, look, key);
        }
        if let (WaitPolicy::Timeout(span), Pace::Realtime) = (spec.wait, self.plan.settings.pace) {
            let closed_at = self.state.turn.as_ref().map_or(self.state.now, |turn| turn.closed_at);
            // A landing may make a run of a slice that is not closed yet.
            let clock = self.state.inbox.clock;
            let ends_at = clock.map_or(Timestamp::MIN, |clock| clock.end(key.trigger));
            let timer = Timer::Wait(RunId { crew, key });
            self.state.timers.insert((closed_at.max(ends_at).plus(span), timer));
        }
        self.expire_at(crew, spec, key);
    }

    /// Has a waiting run looked at in a slice, or in the first one the crew may run in after it.
    pub(super) fn look_at(&mut self, crew: CrewIx, spec: &CrewSpec, look: Slice, key: RunKey) {
        let look = on_stride(spec, look);
        self.state.crews[crew.at()].looks.insert((look, key));
        self.state.agenda.insert((look, crew));
    }

    /// Rule N2 from what has landed so far: fills in what is met, and says when the run may start
    /// ([`NEVER`] when something must land first).
    pub(super) fn look_up_needs(&mut self, crew: CrewIx, run: &mut Run) -> Slice {
        let plan = Arc::clone(&self.plan);
        let planned = plan.crew(crew);
        let mut looks: SmallVec<[Slice; 4]> = SmallVec::new();
        for (at, need) in planned.spec.needs.iter().enumerate() {
            let since = run.key.trigger.shift(need.offset());
            let found = match (&run.met[at], planned.needs[at]) {
                (Some(met), _) => Some(met.clone()),
                (None, NeedIx::Crew(needed)) => self.state.crews[needed.at()]
                    .landing_since(since)
                    .map(|(landed, output)| Met { slice: *landed, output: output.clone() }),
                (None, NeedIx::Event(kind)) => {
                    let seen = &self.state.seen_kinds[kind];
                    let first = seen.get(seen.partition_point(|(at, _)| *at < since));
                    first.map(|(at, event)| Met { slice: *at, output: event.clone() })
                }
            };
            let look = found.as_ref().map_or(NEVER, |met| {
                visible_from(planned.needs[at], need.offset(), met.slice).max(run.from)
            });
            run.met[at] = found;
            looks.push(look);
        }
        let all = looks.iter().copied().max().unwrap_or(run.from);
        match planned.spec.wait {
            WaitPolicy::None | WaitPolicy::Timeout(Span::ZERO) => run.from,
            WaitPolicy::Any => looks.into_iter().min().unwrap_or(run.from),
            WaitPolicy::All => all,
            WaitPolicy::Timeout(span) => match plan.settings.pace {
                Pace::Virtual => {
                    let waited = run.key.trigger.shift(plan.settings.beat.slices_in(span));
                    all.min(waited.max(run.from))
                }
                // A timer tells when it is over.
                Pace::Realtime => all,
            },
        }
    }

    /// An event of a kind was binned: needs on it are met (rule N2).
    pub(super) fn see_kind(&mut self, event: &Event, slice: Slice, active: &mut BTreeSet<CrewIx>) {
        if self.plan.needed_kinds.is_empty() {
            return;
        }
        let plan = Arc::clone(&self.plan);
        let Ok(at) = plan.needed_kinds.binary_search_by(|needed| needed.kind.cmp(&event.kind))
        else {
            return;
        };
        if self.state.seen_kinds[at].back().is_some_and(|(last, _)| *last == slice) {
            return;
        }
        let oldest = slice.shift(-plan.needed_kinds[at].horizon);
        let seen = &mut self.state.seen_kinds[at];
        seen.push_back((slice, event.payload.clone()));
        while seen.front().is_some_and(|(at, _)| *at < oldest) {
            seen.pop_front();
        }
        for dependent in &plan.needed_kinds[at].dependents {
            let look = visible_from(NeedIx::Event(at), dependent.offset, slice);
            self.meet(*dependent, slice, look, &event.payload);
            if self.state.agenda.remove(&(slice, dependent.crew)) {
                active.insert(dependent.crew);
            }
        }
    }

    /// Every waiting run whose need this landing satisfies: `true` when there was one.
    pub(super) fn meet(
        &mut self,
        dependent: super::plan::Dependent,
        landed: Slice,
        look: Slice,
        output: &Payload,
    ) -> bool {
        let plan = Arc::clone(&self.plan);
        let spec = &plan.crew(dependent.crew).spec;
        let state = &mut self.state.crews[dependent.crew.at()];
        let past = RunKey { trigger: landed.shift(1 - dependent.offset), place: 0 };
        let later = state.lacking[dependent.need].split_off(&past);
        let met = std::mem::replace(&mut state.lacking[dependent.need], later);
        for key in &met {
            let Some(run) = self.state.crews[dependent.crew.at()].waiting.get_mut(key) else {
                continue;
            };
            run.met[dependent.need] = Some(Met { slice: landed, output: output.clone() });
            let look = match spec.wait {
                WaitPolicy::Any | WaitPolicy::None => Some(look),
                WaitPolicy::All | WaitPolicy::Timeout(_) => all_visible(&plan, dependent.crew, run),
            };
            let from = run.from;
            let run = RunId { crew: dependent.crew, key: *key };
            self.note(|| Fact::Met { run, need: dependent.need, slice: landed });
            if let Some(look) = look {
                self.look_at(dependent.crew, spec, look.max(from), *key);
            }
        }
        !met.is_empty()
    }

    /// Runs that did not start in their own slice will expire (rule N5).
    fn expire_later(&mut self, crew: CrewIx, spec: &CrewSpec, slice: Slice) {
        let fresh = |run: &&Run| run.key.trigger == slice;
        let keys: Vec<RunKey> = self.state.crews[crew.at()]
            .ready
            .iter()
            .rev()
            .take_while(fresh)
            .map(|run| run.key)
            .collect();
        for key in keys {
            self.expire_at(crew, spec, key);
        }
    }

    fn expire_at(&mut self, crew: CrewIx, spec: &CrewSpec, key: RunKey) {
        self.state.expiry.insert((spec.expires(key), RunId { crew, key }));
    }

    pub(super) fn forget_expiry(&mut self, crew: CrewIx, key: RunKey) {
        if !self.state.expiry.is_empty() {
            let spec = &self.plan.crew(crew).spec;
            self.state.expiry.remove(&(spec.expires(key), RunId { crew, key }));
        }
    }
}

/// No slice ever comes this late.
const NEVER: Slice = Slice(i64::MAX);

/// From which slice on a landing can be seen through a need with this offset: the smallest `n`
/// whose upper bound `u` in rule N2 reaches the landing.
pub(super) fn visible_from(need: NeedIx, offset: i64, landed: Slice) -> Slice {
    match need {
        _ if offset < 0 => landed.shift(-offset),
        NeedIx::Crew(_) if offset > 0 => landed.next(),
        NeedIx::Crew(_) | NeedIx::Event(_) => landed,
    }
}

/// What is met but cannot be seen yet is missing to a run that starts in this slice.
pub(super) fn hide_unseen(plan: &Plan, crew: CrewIx, run: &mut Run, slice: Slice) {
    let planned = plan.crew(crew);
    for ((need, declared), met) in planned.needs.iter().zip(&planned.spec.needs).zip(&mut run.met) {
        let seen = |met: &Met| visible_from(*need, declared.offset(), met.slice) <= slice;
        *met = met.take().filter(seen);
    }
}

fn all_visible(plan: &Plan, crew: CrewIx, run: &Run) -> Option<Slice> {
    let planned = plan.crew(crew);
    let looks = planned.needs.iter().zip(&planned.spec.needs).zip(&run.met);
    looks
        .map(|((need, declared), met)| {
            met.as_ref().map(|met| visible_from(*need, declared.offset(), met.slice))
        })
        .try_fold(Slice(i64::MIN), |latest, look| Some(latest.max(look?)))
}

/// Rule C4: the first slice at or after this one in which the crew runs.
pub(super) fn on_stride(spec: &CrewSpec, slice: Slice) -> Slice {
    let stride = i64::from(spec.stride);
    slice.shift((stride - slice.0.rem_euclid(stride)) % stride)
}

fn is_on_stride(spec: &CrewSpec, slice: Slice) -> bool {
    on_stride(spec, slice) == slice
}
