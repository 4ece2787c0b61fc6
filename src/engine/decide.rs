//! What the engine decides by itself: which slices close, which timers fire, when all is done.

use std::sync::Arc;

use super::{
    Arrived, Control, CrewIx, Engine, Event, Input, Pace, Record, Rejection, Slice, Timer,
    Timestamp, inbox::Placement, suggest::closest,
};

impl Engine {
    /// Turns an input into the record that takes effect, if it has one.
    pub(super) fn admit(&self, input: Input) -> Result<Option<Record>, Rejection> {
        Ok(match input {
            Input::Event { event, cursor } => self.admit_event(event, cursor)?,
            Input::Result { run, attempt, outcome } => Some(if self.is_in_flight(run, attempt) {
                Record::Result { run, attempt, outcome }
            } else {
                Record::Stale { run, attempt }
            }),
            Input::Notes { run, attempt, notes } => Some(Record::Notes { run, attempt, notes }),
            Input::Published(through) => Some(Record::Published(through)),
            Input::Control(control) => {
                let (Control::Enable(name) | Control::Disable(name)) = &control;
                if self.plan.find(name.as_str()).is_none() {
                    let names = self.plan.crews.iter().map(|crew| crew.spec.name.as_str());
                    let meant = closest(name.as_str(), names);
                    return Err(Rejection::UnknownCrew { crew: name.to_string(), meant });
                }
                Some(Record::Control(control))
            }
            Input::End if self.state.ended => None,
            Input::End => Some(Record::End),
            Input::Tick => None,
        })
    }

    fn admit_event(&self, event: Event, cursor: u64) -> Result<Option<Record>, Rejection> {
        let stream = || self.state.stream.clone();
        if self.state.ended {
            return Err(Rejection::Ended(stream()));
        }
        if let Some(why) = &self.state.failed {
            return Err(Rejection::Failed { stream: stream(), why: why.clone() });
        }
        let limit = self.plan.settings.limits.open_events;
        if self.state.inbox.held >= limit {
            return Err(Rejection::TooManyOpen { stream: stream(), limit });
        }
        if let Some(id) = event.id()
            && self.is_duplicate(id, event.ts)
        {
            return Ok(Some(Record::Duplicate { id: Arc::clone(id), cursor }));
        }
        Ok(Some(match self.state.inbox.placement(event.ts) {
            Placement::InTime => Record::Event(Arc::new(Arrived { event, intended: None, cursor })),
            Placement::Late(slice) => {
                let settings = &self.plan.settings;
                let policy =
                    settings.late_by_kind.get(&event.kind).copied().unwrap_or(settings.late);
                Record::Late(Arc::new(Arrived { event, intended: Some(slice), cursor }), policy)
            }
        }))
    }

    fn is_duplicate(&self, id: &str, ts: Timestamp) -> bool {
        let inbox = &self.state.inbox;
        inbox.dedupe.knows(id, inbox.dedupe_from(ts, self.plan.settings.dedupe_window))
    }

    /// The next decision that is due, if there is one.
    pub(super) fn decide(&mut self, now: Timestamp) -> Option<Record> {
        if self.state.finished {
            return None;
        }
        let inbox = &self.state.inbox;
        if inbox.urgent
            && inbox.clock.is_none()
            && let Some(clock) = inbox.clock_now(&self.plan.settings)
        {
            return Some(Record::Epoch(clock.epoch0));
        }
        let timer = self.state.timers.first().filter(|(at, _)| *at <= now);
        // A timer takes effect in the slice of its instant: what ended before it closes first.
        let until = timer.map_or(now, |(at, _)| *at);
        if let Some((clock, last)) = self.state.inbox.closable(&self.plan.settings, until) {
            return Some(match self.state.inbox.clock {
                None => Record::Epoch(clock.epoch0),
                Some(_) => Record::Close(last),
            });
        }
        if let Some((_, timer)) = timer {
            return Some(Record::Timer(*timer));
        }
        if self.state.ended { self.decide_end() } else { None }
    }

    /// After the last event: close what is left, go on while a run can still start, then finish.
    fn decide_end(&self) -> Option<Record> {
        let state = &self.state;
        if self.is_busy() {
            return None;
        }
        if state.inbox.has_early() {
            let clock = state.inbox.clock_now(&self.plan.settings)?;
            return Some(Record::Epoch(clock.epoch0));
        }
        if let Some(last) = state.inbox.last_bin() {
            return Some(Record::Close(last));
        }
        let under_way = state.crews.iter().any(|crew| !crew.running.is_empty());
        let more_comes = under_way || self.waits_for_timer();
        let mut agenda = state.agenda.iter();
        match agenda.find(|(slice, crew)| self.has_work_in(*crew, *slice)) {
            // Live, slices follow the clock while something can still come back in one of them.
            Some(_) if more_comes && self.plan.settings.pace == Pace::Realtime => None,
            Some((slice, _)) => Some(Record::Close((*slice).max(state.inbox.open))),
            None if more_comes => None,
            None => Some(Record::Finish),
        }
    }

    fn has_work_in(&self, crew: CrewIx, slice: Slice) -> bool {
        self.state.crews[crew.at()].has_work_in(&self.plan.crew(crew).spec, slice)
    }

    /// Whether a timer is set that still matters: a run may have stopped waiting before its own.
    fn waits_for_timer(&self) -> bool {
        let matters = |timer: &Timer| match timer {
            Timer::Wait(run) => self.state.crews[run.crew.at()].waiting.contains_key(&run.key),
            Timer::Deadline(..) | Timer::Retry(_) => true,
        };
        self.state.timers.iter().any(|(_, timer)| matters(timer))
    }

    /// When the clock closes the next slice that matters; `None` in virtual pace and when idle.
    pub(super) fn next_close(&self) -> Option<Timestamp> {
        let (state, settings) = (&self.state, &self.plan.settings);
        if settings.pace == Pace::Virtual || state.finished {
            return None;
        }
        let clock = state.inbox.clock_now(settings)?;
        let early = (state.inbox.clock.is_none() && state.inbox.has_early()).then_some(Slice(0));
        let next = early
            .into_iter()
            .chain(state.inbox.first_bin(state.inbox.open))
            .chain(state.agenda.first().map(|(slice, _)| *slice))
            .chain(state.expiry.first().map(|(slice, _)| *slice))
            .min()?
            .max(state.inbox.open);
        Some(clock.end(next).plus(settings.lateness))
    }

    /// Why a record of a journal cannot follow on what was folded so far.
    pub(super) fn impossible(&self, record: &Record) -> Option<&'static str> {
        let state = &self.state;
        match record {
            Record::Event(arrived) => match state.inbox.placement(arrived.event.ts) {
                Placement::Late(_) => Some("its slice is closed"),
                Placement::InTime => None,
            },
            Record::Late(arrived, _) => {
                match (state.inbox.placement(arrived.event.ts), arrived.intended) {
                    (Placement::Late(slice), Some(intended)) if slice == intended => None,
                    _ => Some("it is not late for the slice it names"),
                }
            }
            Record::Epoch(_) if state.inbox.clock.is_some() => Some("the epoch is fixed already"),
            Record::Close(_) | Record::Finish
                if state.inbox.clock.is_none() && *record != Record::Finish =>
            {
                Some("the epoch is not fixed")
            }
            Record::Close(through) if *through < state.inbox.open => Some("it is closed already"),
            Record::Result { run, attempt, .. } if !self.is_in_flight(*run, *attempt) => {
                Some("that attempt is not under way")
            }
            Record::Timer(timer) if !state.timers.iter().any(|(_, set)| set == timer) => {
                Some("that timer is not set")
            }
            Record::Control(Control::Enable(name) | Control::Disable(name))
                if self.plan.find(name.as_str()).is_none() =>
            {
                Some("there is no such crew")
            }
            _ => None,
        }
    }
}
