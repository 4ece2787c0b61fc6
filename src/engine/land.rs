//! Outputs land, level by level, in the order of rule O3: merge, conflicts, caps, needs met.

use std::sync::Arc;

use super::{
    Conflicts, Context, CrewIx, CrewName, Emission, Engine, ErrorEvent, Fact, Failure, Outcome,
    Plan, Reason, RunId, RunKey, Slice, Triggers, Trouble, conflicts::Conflict, crew::Finished,
    deliver::visible_from, plan::NeedIx, report::write_run_name, turn::Turn,
};

impl Engine {
    /// Lands what came back for the crews of the level, and wakes those that need it.
    pub(super) fn land_level(&mut self) {
        let Some(turn) = &mut self.state.turn else {
            return;
        };
        let plan = Arc::clone(&self.plan);
        turn.landed = true;
        let (slice, here) = (turn.slice, std::mem::take(&mut turn.here));
        for crew in here {
            let state = &mut self.state.crews[crew.at()];
            if state.finished.is_empty() {
                continue;
            }
            state.view = None;
            let is_due = |finished: &Finished| finished.land <= slice;
            let mut due = std::mem::take(&mut state.finished);
            if !due.iter().all(is_due) {
                let (now, later) = due.into_iter().partition(is_due);
                (due, state.finished) = (now, later);
            }
            due.sort_by_key(|finished| finished.key);
            let mut answer = None;
            for finished in &due {
                answer = self.land(&plan, crew, finished).or(answer);
            }
            // Kept for the next slice, so that it need not grow again.
            let state = &mut self.state.crews[crew.at()];
            if state.finished.is_empty() && due.len() < 1_000 {
                due.clear();
                state.finished = due;
            }
            if let Some(answer) = answer {
                self.tell_dependents(crew, slice, &answer);
            }
        }
    }

    /// Lands one run; its value if it was a success that somebody may need.
    fn land(&mut self, plan: &Plan, crew: CrewIx, finished: &Finished) -> Option<super::Payload> {
        let name = &plan.crew(crew).spec.name;
        let run = RunId { crew, key: finished.key };
        let turn = self.state.turn.as_mut().expect("runs land within a turn");
        let slice = turn.slice;
        let merged = match &finished.outcome {
            Outcome::Done(output) => {
                let sees_own = plan.crew(crew).spec.concurrency == 1;
                turn.merge(plan, crew, sees_own, finished).map(|conflicts| (output, conflicts))
            }
            Outcome::Failed(failure) => Err(failure.clone()),
        };
        let (output, conflicts) = match merged {
            Ok(merged) => merged,
            Err(failure) => {
                self.land_failure(crew, name, run, failure, &finished.missing);
                return None;
            }
        };
        let named = turn.report.landed(name, run, &output.value);
        let mut items = std::mem::take(&mut turn.items);
        let before = items.len();
        self.complete(plan, crew, finished, &mut items);
        let turn = self.state.turn.as_mut().expect("runs land within a turn");
        for item in &items[before..] {
            if let Emission::Action(action) = item {
                turn.report.action(named.clone(), action);
            }
        }
        if !plan.starts_at_close(crew) {
            // They went out when the run came back (rule C10).
            items.truncate(before);
        }
        turn.items = items;
        if let Some(diff) = &finished.diff {
            turn.report.merged(name, run, diff);
            turn.writes.add(run, diff);
            turn.diffs.entry(crew).or_default().push(Arc::clone(diff));
        }
        self.state.crews[crew.at()].health.failures = 0;
        self.state.counters.landed += 1;
        self.state.counters.conflicts += conflicts.len() as u64;
        for conflict in conflicts {
            let (path, first) = (conflict.dotted(), conflict.first);
            let first = run_name(&plan.crew(first.crew).spec.name, first);
            let what = Trouble::Conflict { path, first, last: run_name(name, run) };
            let error = ErrorEvent {
                crew: name.clone(),
                run: Some(run.key),
                slice,
                what,
                missing: Vec::new(),
            };
            let turn = self.state.turn.as_mut().expect("runs land within a turn");
            turn.report.error(&error);
            turn.errors.push(error);
        }
        if self.facts.is_some() {
            let diff = finished.diff.clone().unwrap_or_default();
            let value = output.value.clone();
            self.note(|| Fact::Landed { run, slice, diff, value });
        }
        (!plan.crew(crew).dependents.is_empty()).then(|| output.value.clone())
    }

    fn land_failure(
        &mut self,
        crew: CrewIx,
        name: &CrewName,
        run: RunId,
        failure: Failure,
        missing: &[usize],
    ) {
        let spec = &self.plan.crew(crew).spec;
        let missing: Vec<String> =
            missing.iter().map(|&need| spec.needs[need].to_string()).collect();
        let turn = self.state.turn.as_mut().expect("runs land within a turn");
        let slice = turn.slice;
        turn.report.failed(name, run, failure.reason, &failure.message);
        turn.failed.insert(crew);
        let what = Trouble::Run(failure.clone());
        turn.errors.push(ErrorEvent {
            crew: name.clone(),
            run: Some(run.key),
            slice,
            what,
            missing: missing.clone(),
        });
        self.state.crews[crew.at()].health.failures += 1;
        self.state.counters.failed += 1;
        let (reason, message) = (failure.reason, Some(failure.message));
        self.note(|| Fact::Ended { run, slice, reason, message, missing });
    }

    /// Rule N2: a success satisfies the needs of those that waited for it.
    fn tell_dependents(&mut self, crew: CrewIx, slice: Slice, answer: &super::Payload) {
        let plan = Arc::clone(&self.plan);
        let planned = plan.crew(crew);
        if planned.dependents.is_empty() {
            return;
        }
        self.state.crews[crew.at()].add_landing(slice, answer, planned.horizon);
        for dependent in &planned.dependents {
            let look = visible_from(NeedIx::Crew(crew), dependent.offset, slice);
            let found = self.meet(*dependent, slice, look, answer);
            let other = plan.crew(dependent.crew);
            let just_made = || {
                let near = RunKey { trigger: slice.shift(-planned.horizon), place: 0 };
                let waiting = &self.state.crews[dependent.crew.at()].waiting;
                waiting.range(near..).any(|(_, run)| {
                    run.met[dependent.need].as_ref().is_some_and(|met| met.slice == slice)
                })
            };
            if other.by_landing && !found && !just_made() {
                // Rule C1: no triggers, so the landing itself makes the run.
                let trigger = slice.shift(-dependent.offset);
                let oldest = trigger.shift(-planned.horizon);
                let place = self.state.crews[dependent.crew.at()].next_place(trigger, oldest);
                let key = RunKey { trigger, place };
                self.queue_by_landing(dependent.crew, key, look);
            }
            self.activate(dependent.crew, slice);
        }
    }

    fn queue_by_landing(&mut self, crew: CrewIx, key: RunKey, look: Slice) {
        let plan = Arc::clone(&self.plan);
        let spec = &plan.crew(crew).spec;
        self.queue_run(crew, spec, key, Triggers::Landing, look.max(key.trigger));
        let Some(turn) = &self.state.turn else { return };
        if self.state.crews[crew.at()].health.disabled.is_some() {
            // Its next turn ends the run (rule C8).
            let still_to_come = plan.crew(crew).level > turn.level;
            let next = if still_to_come { turn.slice } else { turn.slice.next() };
            self.state.agenda.insert((next, crew));
        }
    }

    /// A crew of a later level may have been woken for this very slice.
    fn activate(&mut self, crew: CrewIx, slice: Slice) {
        if self.state.agenda.remove(&(slice, crew))
            && let Some(turn) = &mut self.state.turn
        {
            turn.active.insert(crew);
        }
    }
}

impl Turn {
    /// Rules X2 and X3: merges a run's changes, all or none.
    fn merge(
        &mut self,
        plan: &Plan,
        crew: CrewIx,
        sees_own: bool,
        finished: &Finished,
    ) -> Result<Vec<Conflict>, Failure> {
        let Some(diff) = &finished.diff else {
            return Ok(Vec::new());
        };
        let settings = &plan.settings.context;
        let has_strangers = self.writes.has_strangers(crew, sees_own);
        let ops = diff.0.iter();
        let most = ops.fold(self.merged.bytes(), |sum, op| sum.saturating_add(op.most_bytes()));
        if !has_strangers && most <= settings.max_bytes && self.merged.apply_all(diff).is_ok() {
            return Ok(Vec::new());
        }
        let before = &self.merged;
        let mut after: Context = before.clone();
        if let Err(error) = after.apply_all(diff) {
            return Err(Failure { reason: Reason::CtxType, message: error.to_string() });
        }
        if after.bytes() > settings.max_bytes && after.bytes() > before.bytes() {
            let (got, most) = (after.bytes(), settings.max_bytes);
            let message =
                format!("the context would have {got} bytes, `context.max_bytes` is {most}");
            return Err(Failure { reason: Reason::CtxSize, message });
        }
        let mut conflicts = Vec::new();
        if has_strangers {
            let saw =
                |run: &RunId| (run.crew == crew && sees_own) || finished.saw.contains(&run.crew);
            conflicts = self.writes.conflicts(diff, saw);
            // Two writers of one and the same value agree.
            conflicts.retain(|conflict| before.at(&conflict.path) != after.at(&conflict.path));
        }
        if settings.conflicts == Conflicts::Error
            && let Some(conflict) = conflicts.first()
        {
            let first = run_name(&plan.crew(conflict.first.crew).spec.name, conflict.first);
            let message =
                format!("wrote `{}`, which `{first}` wrote in the same slice", conflict.dotted());
            return Err(Failure { reason: Reason::CtxConflict, message });
        }
        self.merged = after;
        Ok(conflicts)
    }
}

fn run_name(crew: &CrewName, run: RunId) -> String {
    let mut name = Vec::new();
    write_run_name(crew, run, &mut name);
    String::from_utf8(name).expect("names are ASCII")
}
