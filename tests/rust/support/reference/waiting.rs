//! Runs wait for what they need, and some end waiting: rules N2, N4, C5, C8, N5.

use live_crew::engine::{Need, WaitPolicy};

use super::{BEAT, FAR, Run, Scene, World, missing};

impl World<'_> {
    pub(super) fn judge_waiting(&mut self, at: usize, slice: i64) {
        for run in 0..self.crews[at].runs.len() {
            let waiting = &self.crews[at].runs[run];
            if waiting.ready.is_none() && self.may_start(at, waiting, slice) {
                let met = self.met(at, waiting.key.0, slice);
                self.crews[at].runs[run].ready = Some(met);
            }
        }
    }

    /// Rule N4.
    fn may_start(&self, at: usize, run: &Run, slice: i64) -> bool {
        let met = self.met(at, run.key.0, slice);
        let all = met.iter().all(Option::is_some);
        slice >= run.from
            && match self.specs[at].wait {
                WaitPolicy::All => all,
                WaitPolicy::Any => met.is_empty() || met.iter().any(Option::is_some),
                WaitPolicy::None => true,
                WaitPolicy::Timeout(span) => all || (slice - run.key.0) * BEAT >= span.micros(),
            }
    }

    /// Rule N2, as the formula says; the first landing that satisfies each need.
    pub(super) fn met(&self, at: usize, t: i64, n: i64) -> Vec<Option<(i64, String)>> {
        let met = |need: &Need| match need {
            Need::Crew { crew, offset: o } => {
                let u = match o {
                    ..0 => n + o,
                    0 => n,
                    1.. => n - 1,
                };
                let needed = self.specs.iter().position(|spec| spec.name == *crew).unwrap();
                let landings = &self.crews[needed].landings;
                landings.iter().find(|(s, _)| t + o <= *s && *s <= u).cloned()
            }
            Need::Event { kind, offset: o } => {
                let first = |s: i64| {
                    let members = self.events.get(&s)?.iter().map(|(event, _)| event);
                    let of_kind = members.filter(|event| event.kind == *kind);
                    let first = of_kind.min_by(|a, b| a.order(b))?;
                    Some((s, format!("{:?}", first.payload)))
                };
                let (from, to) = (t + o, (n + (*o).min(0)).min(self.now));
                (from..=to).find_map(first)
            }
        };
        self.specs[at].needs.iter().map(met).collect()
    }

    /// Rules C8, C5, N5: a run ends without a start.
    pub(super) fn end(&mut self, at: usize, run: &Run, why: &str, scene: &mut Scene) {
        let met = match &run.ready {
            Some(met) => met.clone(),
            // What landed and cannot be seen yet is not missing.
            None => self.met(at, run.key.0, scene.slice + FAR),
        };
        let missing = self.names(at, &missing(&met));
        let name = self.name(at, run.key);
        scene.told.outcomes.insert(format!("{name} {why} {missing:?}"));
    }

    pub(super) fn end_all(&mut self, at: usize, scene: &mut Scene) {
        for run in std::mem::take(&mut self.crews[at].runs) {
            self.end(at, &run, "disabled", scene);
        }
        let slice = scene.slice;
        for (_, place) in std::mem::take(&mut self.crews[at].pending).into_iter().zip(0..) {
            let name = self.name(at, (slice, place));
            scene.told.outcomes.insert(format!("{name} disabled []"));
        }
    }
}
