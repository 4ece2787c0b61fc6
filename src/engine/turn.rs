//! One closed slice being worked on: level by level, until it is committed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    Command, Context, CrewIx, Diff, Emission, Engine, ErrorEvent, Fact, Reason, Record, RunId,
    Slice, Timestamp, Trouble, conflicts::Writes, crew::Disabled, report::Report,
};

/// The slice in work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Turn {
    pub slice: Slice,
    /// When the slice closed.
    pub closed_at: Timestamp,
    /// Whether this is the last slice of all (rule N5).
    finishing: bool,
    /// Crews whose turn is still to come.
    pub active: BTreeSet<CrewIx>,
    /// Crews whose turn it is.
    pub here: Vec<CrewIx>,
    /// How many of them may still have runs to wait for: these stand first.
    unsettled: usize,
    /// The level that is worked on, or that was last.
    pub level: u32,
    /// Whether the runs of `level` have landed.
    pub landed: bool,
    /// The context with what has landed in this slice.
    pub merged: Context,
    /// What has landed, by crew.
    pub diffs: BTreeMap<CrewIx, Vec<Arc<Diff>>>,
    pub writes: Writes,
    pub report: Report,
    pub items: Vec<Emission>,
    pub errors: Vec<ErrorEvent>,
    /// Crews with a failed run in this slice.
    pub failed: BTreeSet<CrewIx>,
}

impl Engine {
    pub(super) fn begin_turn(&mut self, slice: Slice, closed_at: Timestamp, finishing: bool) {
        let members = self.state.inbox.members(slice);
        let mut turn = Turn {
            slice,
            closed_at,
            finishing,
            active: BTreeSet::new(),
            here: Vec::new(),
            unsettled: 0,
            level: 0,
            landed: true,
            merged: self.state.context.clone(),
            diffs: BTreeMap::new(),
            writes: Writes::default(),
            report: std::mem::take(&mut self.report),
            items: Vec::with_capacity(self.items_before),
            errors: Vec::new(),
            failed: BTreeSet::new(),
        };
        while let Some((at, crew)) = self.state.agenda.first()
            && *at <= slice
        {
            turn.active.insert(*crew);
            self.state.agenda.pop_first();
        }
        let plan = Arc::clone(&self.plan);
        let mut members = members.into_iter().peekable();
        while let Some(first) = members.peek().cloned() {
            // Events of one kind stand together more often than not.
            let kind = &first.event.kind;
            let route = self.route(kind);
            while let Some(arrived) = members.next_if(|next| next.event.kind == *kind) {
                turn.report.member(&arrived);
                for &crew in route.iter().filter(|crew| plan.starts_at_close(**crew)) {
                    self.state.crews[crew.at()].pending.push(Arc::clone(&arrived));
                }
            }
            turn.active.extend(route.iter());
            self.see_kind(&first.event, slice, &mut turn.active);
        }
        self.state.turn = Some(turn);
    }

    /// Goes on with the slice as far as it can; `false` means runs must come back first.
    pub(super) fn step_turn(&mut self) -> bool {
        let pace = self.plan.settings.pace;
        let Some(turn) = &mut self.state.turn else {
            return true;
        };
        if !turn.landed {
            let (slice, crews) = (turn.slice, &self.state.crews);
            let plan = &self.plan;
            while let Some(&crew) = turn.here[..turn.unsettled].last() {
                if crews[crew.at()].is_due(&plan.crew(crew).spec, pace, slice) {
                    return false;
                }
                turn.unsettled -= 1;
            }
            self.land_level();
            return true;
        }
        let Some(first) = turn.active.first() else {
            self.commit();
            return true;
        };
        let level = self.plan.crew(*first).level;
        turn.level = level;
        turn.landed = false;
        turn.here.clear();
        let slice = turn.slice;
        while let Some(&crew) = self.state.turn.as_ref().and_then(|turn| turn.active.first())
            && self.plan.crew(crew).level == level
        {
            let turn = self.state.turn.as_mut().expect("a turn is being worked on");
            turn.active.pop_first();
            turn.here.push(crew);
            turn.unsettled = turn.here.len();
            self.deliver(crew, slice);
        }
        true
    }

    fn commit(&mut self) {
        self.expire();
        self.disable_failing();
        let Some(turn) = self.state.turn.take() else {
            return;
        };
        let Turn { slice, finishing, merged, mut report, mut items, errors, .. } = turn;
        self.state.done = Some(slice);
        self.state.inbox.committed();
        if finishing {
            self.state.finished = true;
            self.state.inbox.close(slice, &self.plan.settings);
        }
        if !report.is_empty() {
            let digest = self.state.digest.expect("a slice with something in it has an epoch");
            let digest = report.digest(digest, slice);
            self.state.digest = Some(digest);
            self.state.commits += 1;
            self.state.context = merged;
            if self.facts.is_some() {
                let report = report.text(slice);
                let context = self.state.context.clone();
                self.note(|| Fact::Committed { slice, digest, report, context });
            }
            self.derive(Record::Commit { slice, digest });
            items.extend(errors.into_iter().map(Emission::Error));
            self.items_before = items.len();
            self.send(slice, items);
            self.command(Command::Committed { slice, digest });
        }
        report.clear();
        self.report = report;
        if finishing {
            self.command(Command::Finished);
        }
    }

    /// Rule N5: runs that never started end here, with what they lacked.
    fn expire(&mut self) {
        let Some(turn) = &self.state.turn else { return };
        let (slice, finishing) = (turn.slice, turn.finishing);
        while let Some((at, run)) = self.state.expiry.first().copied()
            && at <= slice
        {
            self.state.expiry.pop_first();
            self.end_unstarted(run, Reason::Expired);
        }
        if finishing {
            for ix in (0..self.state.crews.len()).map(CrewIx::from_place) {
                let keys: Vec<_> = self.state.crews[ix.at()].waiting.keys().copied().collect();
                for key in keys {
                    self.end_unstarted(RunId { crew: ix, key }, Reason::Unsatisfied);
                }
            }
        }
    }

    fn end_unstarted(&mut self, run: RunId, reason: Reason) {
        let crew = &mut self.state.crews[run.crew.at()];
        let ready = crew.ready.iter().position(|ready| ready.key == run.key);
        let ended = match ready {
            Some(at) => crew.ready.remove(at),
            None => crew.stop_waiting(run.key),
        };
        if let Some(ended) = ended {
            self.end_run(run, reason, &ended.missing());
        }
    }

    /// Rule C8: too many failures in a row stop a crew at the boundary to the next slice.
    fn disable_failing(&mut self) {
        let plan = Arc::clone(&self.plan);
        let Some(turn) = &self.state.turn else { return };
        let slice = turn.slice;
        for ix in turn.failed.clone() {
            let spec = &plan.crew(ix).spec;
            let health = &mut self.state.crews[ix.at()].health;
            if health.failures < spec.max_errors || health.disabled.is_some() {
                continue;
            }
            let from = slice.next();
            let until = spec.cooldown.map(|slices| from.shift(i64::from(slices)));
            health.disabled = Some(Disabled { from, until });
            let failures = health.failures;
            self.state.agenda.insert((from, ix));
            let what = Trouble::CrewDisabled { failures };
            let error =
                ErrorEvent { crew: spec.name.clone(), run: None, slice, what, missing: Vec::new() };
            self.note(|| Fact::Disabled { crew: ix, from, until });
            if let Some(turn) = &mut self.state.turn {
                turn.report.error(&error);
                turn.errors.push(error);
            }
        }
    }

    /// Writes down that a run ended without running, and tells the error sink where it matters.
    pub(super) fn end_run(&mut self, run: RunId, reason: Reason, missing: &[usize]) {
        let spec = &self.plan.crews[run.crew.at()].spec;
        let missing: Vec<String> =
            missing.iter().map(|&need| spec.needs[need].to_string()).collect();
        let name = spec.name.clone();
        self.state.counters.ended += 1;
        let Some(turn) = &mut self.state.turn else {
            return;
        };
        let slice = turn.slice;
        turn.report.ended(&name, run, reason, &missing);
        if matches!(reason, Reason::Overflow | Reason::Expired | Reason::Unsatisfied) {
            let message = match reason {
                Reason::Overflow => format!(
                    "more than `max_backlog` ({}) runs waited, the oldest went",
                    spec.max_backlog
                ),
                Reason::Expired => {
                    format!("did not start within `expire_after` ({}) slices", spec.expire_after)
                }
                _ => "the input ended before it could start".to_owned(),
            };
            let what = Trouble::Run(super::Failure { reason, message });
            let missing = missing.clone();
            turn.errors.push(ErrorEvent { crew: name, run: Some(run.key), slice, what, missing });
        }
        self.note(|| Fact::Ended { run, slice, reason, message: None, missing });
    }
}
