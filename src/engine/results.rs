//! Runs come back: in time, too late, failed, to be tried again (rules C6, C7, §7).

use std::sync::Arc;

use super::{
    Command, Context, CrewIx, Diff, Emission, Engine, Fact, Failure, Outcome, Output, Pace, Plan,
    Reason, RunId, Slice, StartAt, State, Timer, Timing,
    action::{self, IdKey},
    crew::{Finished, Phase, Running},
    pattern,
};

impl Engine {
    pub(super) fn take_result(&mut self, run: RunId, attempt: u32, outcome: Outcome) {
        let crew = &mut self.state.crews[run.crew.at()];
        let at = crew
            .running
            .iter()
            .position(|running| running.run.key == run.key && running.attempt == attempt);
        let at = at.expect("only results of attempts under way become records");
        if let Phase::InFlight { deadline: Some(deadline) } = crew.running[at].phase {
            self.state.timers.remove(&(deadline, Timer::Deadline(run, attempt)));
        }
        let plan = Arc::clone(&self.plan);
        self.end_attempt(&plan, run.crew, at, outcome);
    }

    pub(super) fn time_out(&mut self, run: RunId, attempt: u32) {
        if !self.is_in_flight(run, attempt) {
            return;
        }
        let crew = &self.state.crews[run.crew.at()];
        let at = crew.running.iter().position(|running| running.run.key == run.key);
        let at = at.expect("it is in flight");
        self.command(Command::Cancel { run, attempt });
        let limit = self.plan.crew(run.crew).spec.timeout.unwrap_or_default();
        let message = format!("took longer than `timeout_ms` ({})", limit.micros() / 1_000);
        let plan = Arc::clone(&self.plan);
        self.end_attempt(&plan, run.crew, at, Self::failure(Reason::Timeout, message));
    }

    /// §7: a `let` run that must land now is not back.
    pub(super) fn miss(&mut self, crew: CrewIx, at: usize, slice: Slice) {
        let running = &mut self.state.crews[crew.at()].running[at];
        let (run, attempt) = (RunId { crew, key: running.run.key }, running.attempt);
        if let Phase::InFlight { deadline: Some(deadline) } = running.phase {
            self.state.timers.remove(&(deadline, Timer::Deadline(run, attempt)));
        }
        self.state.timers.retain(|(_, timer)| *timer != Timer::Retry(run));
        self.command(Command::Cancel { run, attempt });
        let message = format!("was not back by slice {}, in which it had to land", slice.0);
        let plan = Arc::clone(&self.plan);
        self.finish(&plan, crew, at, Self::failure(Reason::Missed, message));
    }

    fn end_attempt(&mut self, plan: &Plan, crew: CrewIx, at: usize, outcome: Outcome) {
        let spec = &plan.crew(crew).spec;
        // The slice a `let` run lands in may be the one worked on, waiting for just this run.
        let here = self.state.turn.as_ref().filter(|turn| !turn.landed).map(|turn| turn.slice);
        let running = &mut self.state.crews[crew.at()].running[at];
        let run = RunId { crew, key: running.run.key };
        if let Outcome::Failed(failure) = &outcome
            && running.attempt < spec.retry.attempts
        {
            let (attempt, failure) = (running.attempt, failure.clone());
            let pause = spec.retry.pause_after(attempt);
            running.phase = Phase::Paused;
            self.note(|| Fact::AttemptFailed { run, attempt, failure });
            if pause == super::Span::ZERO {
                self.try_again(run);
            } else {
                self.state.timers.insert((self.state.now.plus(pause), Timer::Retry(run)));
            }
            return;
        }
        match (spec.timing, running.land_at) {
            (Timing::Let { .. }, Some(land_at)) if here != Some(land_at) => {
                running.phase = Phase::Held(outcome);
            }
            _ => {
                self.finish(plan, crew, at, outcome);
                self.start_next(plan, crew);
            }
        }
    }

    pub(super) fn try_again(&mut self, run: RunId) {
        let crew = &mut self.state.crews[run.crew.at()];
        let Some(at) = crew.running.iter().position(|running| running.run.key == run.key) else {
            return;
        };
        crew.running[at].attempt += 1;
        self.begin_attempt(run.crew, at);
    }

    /// A place is free: the next ready run takes it, now or when the crew may run again.
    fn start_next(&mut self, plan: &Plan, crew: CrewIx) {
        let spec = &plan.crew(crew).spec;
        if self.state.crews[crew.at()].ready.is_empty() {
            return;
        }
        let turn = self.state.turn.as_ref().filter(|turn| !turn.landed);
        let turn = turn.filter(|turn| plan.crew(crew).level == turn.level);
        let in_step = super::crew::in_step(spec, plan.settings.pace);
        match (turn, spec.start) {
            (Some(turn), StartAt::Close) if in_step => self.start_ready(plan, crew, turn.slice),
            (_, StartAt::Arrival) => self.start_ready(plan, crew, self.state.inbox.open),
            _ if plan.settings.pace == Pace::Virtual => {}
            _ => self.start_ready(plan, crew, self.state.inbox.open),
        }
    }

    /// A run is over: it leaves its place and will land.
    pub(super) fn finish(&mut self, plan: &Plan, crew: CrewIx, at: usize, outcome: Outcome) {
        let saw = self.saw(plan, crew, at);
        let running = self.state.crews[crew.at()].running.remove(at);
        let land = self.landing_slice(plan, crew, &running);
        let run = RunId { crew, key: running.run.key };
        let (outcome, diff) = match outcome {
            Outcome::Done(output) => match check(plan, crew, &running.view, &output) {
                Ok(diff) => (Outcome::Done(output), diff),
                Err(failure) => (Outcome::Failed(failure), None),
            },
            failed @ Outcome::Failed(_) => (failed, None),
        };
        let missing = running.run.missing();
        let clock = self.state.inbox.clock.expect("a run starts in a slice, which has an epoch");
        let now = clock.end(running.slice);
        let triggers = running.run.triggers;
        let finished = Finished { key: run.key, land, outcome, diff, saw, triggers, now, missing };
        if !plan.starts_at_close(crew) {
            let mut items = Vec::new();
            self.complete(plan, crew, &finished, &mut items);
            self.send(land, items);
        }
        self.visit(plan, crew, land);
        self.state.crews[crew.at()].finished.push(finished);
    }

    /// Turns the drafts of a run into actions.
    pub(super) fn complete(
        &mut self,
        plan: &Plan,
        crew: CrewIx,
        finished: &Finished,
        into: &mut Vec<Emission>,
    ) {
        let Outcome::Done(output) = &finished.outcome else {
            return;
        };
        if output.actions.is_empty() {
            return;
        }
        let State { crews, stream, .. } = &mut self.state;
        let key = &mut crews[crew.at()].id_key;
        let key = key.get_or_insert_with(|| IdKey::new(stream, &plan.crew(crew).spec.name));
        let run = RunId { crew, key: finished.key };
        let actions =
            action::complete(stream, key, run, &finished.triggers, finished.now, &output.actions);
        into.extend(actions);
    }

    /// Sees to it that a crew is visited in the slice its run lands in.
    fn visit(&mut self, plan: &Plan, crew: CrewIx, land: Slice) {
        let level = plan.crew(crew).level;
        match self.state.turn.as_mut().filter(|turn| turn.slice == land) {
            Some(turn) if level > turn.level => {
                turn.active.insert(crew);
            }
            Some(turn) if level == turn.level && !turn.landed => {}
            _ => {
                self.state.agenda.insert((land, crew));
            }
        }
    }

    /// The slice a run that is back lands in: the one it must, or the open one.
    fn landing_slice(&self, plan: &Plan, crew: CrewIx, running: &Running) -> Slice {
        let open = self.state.inbox.open;
        let Some(land_at) = running.land_at else {
            return open;
        };
        let done = self.state.done.is_some_and(|done| land_at <= done);
        let passed = self.state.turn.as_ref().is_some_and(|turn| {
            let level = plan.crew(crew).level;
            turn.slice == land_at && (level < turn.level || (level == turn.level && turn.landed))
        });
        if done || passed { open } else { land_at }
    }
}

/// Everything about an output that can be said without the other crews of its slice.
fn check(
    plan: &Plan,
    crew: CrewIx,
    view: &Context,
    output: &Output,
) -> Result<Option<Arc<Diff>>, Failure> {
    let fail = |reason, message| Err(Failure { reason, message });
    let (settings, name) = (&plan.settings, &plan.crew(crew).spec.name);
    let limits = &settings.limits;
    if output.actions.len() > limits.actions_per_run {
        let (got, most) = (output.actions.len(), limits.actions_per_run);
        let message =
            format!("answered with {got} actions, the limit is {most} (`Limits::actions_per_run`)");
        return fail(Reason::Limit, message);
    }
    if output.diff.0.len() > limits.ops_per_run {
        let (got, most) = (output.diff.0.len(), limits.ops_per_run);
        let message =
            format!("made {got} context changes, the limit is {most} (`Limits::ops_per_run`)");
        return fail(Reason::Limit, message);
    }
    if let Some(draft) =
        output.actions.iter().find(|draft| draft.payload.as_bytes().len() > limits.payload_bytes)
    {
        let (got, most) = (draft.payload.as_bytes().len(), limits.payload_bytes);
        let message = format!(
            "action `{}` has {got} bytes of payload, the limit is {most} (`Limits::payload_bytes`)",
            draft.kind
        );
        return fail(Reason::Limit, message);
    }
    if output.diff.is_empty() {
        return Ok(None);
    }
    let access = settings.context.access.get(name);
    if let Some(globs) = access.and_then(|access| access.write.as_deref()) {
        let refused = output
            .diff
            .0
            .iter()
            .find(|op| !globs.iter().any(|glob| pattern::grants(glob, &op.path)));
        if let Some(op) = refused {
            let path = op.path.join(".");
            let message = format!(
                "may not write `{path}`; `context.access.{name}.write` allows {}",
                globs.join(", ")
            );
            return fail(Reason::CtxAccess, message);
        }
    }
    // Only what the writer saw is replaced by an object it sets.
    match view.readable(access).spell_out(&output.diff) {
        Ok(diff) => Ok(Some(Arc::new(diff))),
        Err(error) => fail(Reason::CtxType, error.to_string()),
    }
}
