//! How each record takes effect, and how the work it makes goes on until it must wait.

use std::sync::Arc;

use super::{
    Arrived, Clock, Command, Control, CrewIx, Digest, Emission, Engine, Fact, LatePolicy, Pace,
    Record, RunId, RunKey, Slice, StartAt, Timer, Triggers,
    crew::{Base, Disabled, Phase, Run},
    machine::Work,
};

impl Engine {
    pub(super) fn apply(&mut self, record: Record) {
        match record {
            Record::Event(arrived) => self.take_in(arrived),
            Record::Late(arrived, policy) => self.take_late(&arrived, policy),
            Record::Duplicate { cursor, .. } => {
                self.state.inbox.note_cursor(cursor);
                self.state.counters.duplicates += 1;
            }
            Record::Epoch(epoch0) => {
                let clock = Clock { epoch0, beat: self.plan.settings.beat };
                self.state.digest = Some(Digest::genesis(&self.state.stream, clock));
                let early = self.state.inbox.fix_epoch(clock, &self.plan.settings);
                for arrived in &early {
                    self.wake_on_arrival(arrived);
                }
            }
            Record::Close(through) => {
                self.state.inbox.close(through, &self.plan.settings);
                self.state.queue.push_back(Work::Close(through, self.state.now));
            }
            Record::Result { run, attempt, outcome } => self.take_result(run, attempt, outcome),
            Record::Stale { run, attempt } => {
                self.state.counters.stale += 1;
                self.note(|| Fact::Stale { run, attempt });
            }
            Record::Notes { run, attempt, notes } => {
                self.note(|| Fact::Noted { run, attempt, notes });
            }
            Record::Timer(timer) => self.fire(timer),
            Record::Control(control) => self.take_control(&control),
            Record::Published(through) => self.published(through),
            Record::End => self.state.ended = true,
            Record::Finish => self.state.queue.push_back(Work::Finish),
            Record::Resume => self.start_again(),
            Record::Start { .. } | Record::Commit { .. } => {
                unreachable!("derived records are made here, never taken in")
            }
        }
    }

    /// Works on closed slices until there are none, or until runs must come back first.
    pub(super) fn advance(&mut self) {
        loop {
            if self.state.turn.is_some() {
                if !self.step_turn() {
                    return;
                }
                continue;
            }
            match self.state.queue.front() {
                None => return,
                Some(Work::Close(through, at)) => {
                    let (through, at) = (*through, *at);
                    let next = self.next_slice_of_interest().filter(|slice| *slice <= through);
                    if let Some(slice) = next {
                        self.begin_turn(slice, at, false);
                    } else {
                        self.state.queue.pop_front();
                        self.state.done = self.state.done.max(Some(through));
                    }
                }
                // It waits for a place here, so that what is between two answers changes nothing.
                Some(Work::Arrival(crew, _)) if !self.has_place(*crew) => return,
                Some(Work::Arrival(..)) => {
                    let Some(Work::Arrival(crew, run)) = self.state.queue.pop_front() else {
                        return;
                    };
                    self.arrive(crew, run);
                }
                Some(Work::Finish) => {
                    self.state.queue.pop_front();
                    self.begin_turn(self.state.inbox.open, self.state.now, true);
                }
            }
        }
    }

    /// The first slice not done with that has events, runs to look at or runs that expire (T6).
    fn next_slice_of_interest(&self) -> Option<Slice> {
        let state = &self.state;
        let first = state.done.map_or(Slice(i64::MIN), Slice::next);
        state
            .inbox
            .first_bin(first)
            .into_iter()
            .chain(state.agenda.first().map(|(slice, _)| *slice))
            .chain(state.expiry.first().map(|(slice, _)| *slice))
            .min()
            .map(|slice| slice.max(first))
    }

    fn take_in(&mut self, arrived: Arc<Arrived>) {
        self.state.counters.events += 1;
        self.remember(&arrived);
        let woken = self.plan.starts_on_arrival.then(|| Arc::clone(&arrived));
        self.state.inbox.take_in(arrived);
        if let Some(arrived) = woken {
            self.wake_on_arrival(&arrived);
        }
    }

    fn take_late(&mut self, arrived: &Arc<Arrived>, policy: LatePolicy) {
        let kinds = self.plan.settings.limits.kinds;
        self.state.counters.late(&arrived.event.kind, policy, kinds);
        self.remember(arrived);
        let open = self.state.inbox.open;
        match policy {
            LatePolicy::Next => {
                self.state.inbox.take_in(Arc::clone(arrived));
                self.wake_on_arrival(arrived);
            }
            LatePolicy::Drop => self.state.inbox.note(arrived),
            LatePolicy::DeadLetter => {
                self.state.inbox.note(arrived);
                self.send(open, vec![Emission::Late(Arc::clone(arrived), policy)]);
            }
            LatePolicy::Fail => {
                self.state.inbox.note(arrived);
                let why = format!(
                    "event of kind `{}` came {} slices late, and its late policy is `fail`",
                    arrived.event.kind,
                    open.0 - arrived.intended.unwrap_or(open).0,
                );
                self.state.failed = Some(why.clone());
                self.command(Command::Fail(why));
            }
        }
    }

    fn remember(&mut self, arrived: &Arrived) {
        let Some(id) = arrived.event.id() else { return };
        let settings = &self.plan.settings;
        let (ts, limit) = (arrived.event.ts, settings.limits.dedupe_ids);
        let inbox = &mut self.state.inbox;
        let oldest = inbox.dedupe_from(ts, settings.dedupe_window);
        inbox.dedupe.remember(id, ts, oldest, limit);
    }

    /// Rule C10: crews with `start: arrival` need not wait for the slice to close.
    fn wake_on_arrival(&mut self, arrived: &Arc<Arrived>) {
        if !self.plan.starts_on_arrival {
            return;
        }
        let route = self.route(&arrived.event.kind);
        for &crew in route.iter() {
            if self.plan.crew(crew).spec.start != StartAt::Arrival {
                continue;
            }
            let Some(clock) = self.state.inbox.clock else {
                // Its run needs to know its slice: the epoch is fixed next, and wakes it.
                self.state.inbox.urgent = true;
                return;
            };
            let open = self.state.inbox.open;
            let slice = clock.slice_of(arrived.event.ts).max(open);
            let key = RunKey {
                trigger: slice,
                place: self.state.crews[crew.at()].next_place(slice, open),
            };
            let needs = self.plan.crew(crew).spec.needs.len();
            let triggers = Triggers::One(Arc::clone(arrived));
            let met = std::iter::repeat_n(None, needs).collect();
            let run = Run { key, triggers, from: slice, met, base: None };
            self.note(|| Fact::Queued { run: RunId { crew, key }, slice });
            self.state.agenda.insert((slice, crew));
            match self.plan.settings.pace {
                Pace::Virtual => self.state.queue.push_back(Work::Arrival(crew, run)),
                Pace::Realtime => self.arrive(crew, run),
            }
        }
    }

    fn has_place(&self, crew: CrewIx) -> bool {
        self.state.crews[crew.at()].has_place(&self.plan.crew(crew).spec)
    }

    fn arrive(&mut self, crew: CrewIx, mut run: Run) {
        let slice = run.key.trigger;
        run.base = Some(Box::new(Base {
            commits: self.state.commits,
            context: self.state.context.clone(),
        }));
        let plan = Arc::clone(&self.plan);
        self.look_up_needs(crew, &mut run);
        super::deliver::hide_unseen(&plan, crew, &mut run, slice);
        let state = &mut self.state.crews[crew.at()];
        if state
            .health
            .disabled
            .is_some_and(|disabled| disabled.from <= slice && !disabled.is_over(slice))
        {
            state.ended.push((run.key, super::Reason::Disabled));
            return;
        }
        state.make_ready(run);
        // In virtual pace time waits for runs, so how many queue up here says nothing.
        let live = plan.settings.pace == Pace::Realtime;
        if live && state.ready.len() > plan.crew(crew).spec.max_backlog + 1 {
            let oldest = state.ready.pop_front().expect("it was just filled");
            state.ended.push((oldest.key, super::Reason::Overflow));
        }
        self.start_ready(&plan, crew, self.state.inbox.open);
    }

    fn take_control(&mut self, control: &Control) {
        let (Control::Enable(name) | Control::Disable(name)) = control;
        let Some(crew) = self.plan.find(name.as_str()) else {
            return;
        };
        let from = self.state.inbox.open;
        let health = &mut self.state.crews[crew.at()].health;
        match control {
            Control::Enable(_) => {
                health.disabled = None;
                health.failures = 0;
            }
            Control::Disable(_) => {
                health.disabled = Some(Disabled { from, until: None });
                self.state.agenda.insert((from, crew));
            }
        }
    }

    fn fire(&mut self, timer: Timer) {
        // Live it is the first; a journal may hold it at another instant.
        if self.state.timers.first().is_some_and(|(_, first)| *first == timer) {
            self.state.timers.pop_first();
        } else {
            self.state.timers.retain(|(_, set)| *set != timer);
        }
        match timer {
            Timer::Deadline(run, attempt) => self.time_out(run, attempt),
            Timer::Retry(run) => self.try_again(run),
            Timer::Wait(run) => self.stop_waiting(run),
        }
    }

    /// Rule J3: what was under way when the process died begins again.
    fn start_again(&mut self) {
        let plan = Arc::clone(&self.plan);
        for (crew, ix) in plan.crews.iter().zip((0..).map(CrewIx)) {
            for at in 0..self.state.crews[ix.at()].running.len() {
                let running = &mut self.state.crews[ix.at()].running[at];
                let Phase::InFlight { deadline } = &mut running.phase else {
                    continue;
                };
                let run = RunId { crew: ix, key: running.run.key };
                if let (Some(old), Some(timeout)) = (*deadline, crew.spec.timeout) {
                    let new = self.state.now.plus(timeout);
                    let timer = Timer::Deadline(run, running.attempt);
                    *deadline = Some(new);
                    self.state.timers.remove(&(old, timer));
                    self.state.timers.insert((new, timer));
                }
                self.command_start(ix, at);
            }
        }
    }
}

impl Disabled {
    pub(super) fn is_over(&self, slice: Slice) -> bool {
        self.until.is_some_and(|until| until <= slice)
    }
}
