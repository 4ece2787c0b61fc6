//! What is back lands, and the slice ends: rules N2, C1, X2, X3, C8, N5.

use std::collections::BTreeSet;

use live_crew::engine::{Access, Conflicts, Need};
use serde_json::Value;

use super::{BEAT, Back, FAR, Key, Run, Scene, World};
use crate::support::{
    behaviour::{Done, Edit},
    plain,
};

impl World<'_> {
    /// Rules X2, X4, T8, O3.
    pub(super) fn check(
        &self,
        view: &Value,
        access: Option<&Access>,
        key: Key,
        slice: i64,
        at: usize,
        done: &Done,
    ) -> Result<(Vec<String>, Vec<Edit>, String), &'static str> {
        if let Some(globs) = access.and_then(|access| access.write.as_ref())
            && done.edits.iter().any(|edit| !plain::grants(globs, &edit.path))
        {
            return Err("ctx_access");
        }
        let edits = plain::spell_out(view, &done.edits).map_err(|_| "ctx_type")?;
        let (name, now) = (self.name(at, key), self.epoch0 + (slice + 1) * BEAT);
        let actions =
            done.actions.iter().map(|(kind, payload)| format!("{name} {now} {kind} {payload}"));
        Ok((actions.collect(), edits, done.value.clone()))
    }

    /// What is back for this slice lands, in run order.
    pub(super) fn land_all(&mut self, at: usize, scene: &mut Scene) {
        let backs = std::mem::take(&mut self.crews[at].backs);
        let (mut due, later): (Vec<_>, Vec<_>) =
            backs.into_iter().partition(|back| back.land <= scene.slice);
        self.crews[at].backs = later;
        due.sort_by_key(|back| back.key);
        let mut answer = None;
        for back in due {
            let name = self.name(at, back.key);
            match self.merge(at, &back, scene) {
                Ok(value) => {
                    self.crews[at].failures = 0;
                    scene.told.outcomes.insert(format!("{name} ok {value}"));
                    answer = Some(value);
                }
                Err(why) => {
                    self.crews[at].failures += 1;
                    scene.failed.insert(at);
                    scene.told.outcomes.insert(format!("{name} {why}"));
                }
            }
        }
        if let Some(answer) = answer {
            self.crews[at].landings.push((scene.slice, answer));
            self.wake_dependents(at, scene.slice);
        }
    }

    /// Rules X2, X3.
    fn merge(&self, at: usize, back: &Back, scene: &mut Scene) -> Result<String, &'static str> {
        let (actions, edits, value) = back.outcome.clone()?;
        let settings = &self.case.settings.context;
        let (before, after) =
            (&scene.merged, plain::apply_all(&scene.merged, &edits).map_err(|_| "ctx_type")?);
        let (old, new) = (before.to_string().len(), after.to_string().len());
        if new > settings.max_bytes && new > old {
            return Err("ctx_size");
        }
        let sees = |crew: usize| {
            (crew == at && self.specs[at].concurrency == 1) || back.saw.contains(&crew)
        };
        let strangers: Vec<_> = scene.landed.iter().filter(|(crew, ..)| !sees(*crew)).collect();
        let meets = |path: &&Vec<String>| {
            strangers
                .iter()
                .any(|(_, _, edits)| plain::claims(edits).any(|other| plain::touch(path, other)))
        };
        let differs = |path: &&Vec<String>| plain::at(before, path) != plain::at(&after, path);
        let conflicts: BTreeSet<String> = plain::claims(&edits)
            .filter(meets)
            .filter(differs)
            .map(|path| path.join("."))
            .collect();
        if settings.conflicts == Conflicts::Error && !conflicts.is_empty() {
            return Err("ctx_conflict");
        }
        let name = self.name(at, back.key);
        for path in conflicts {
            scene.told.outcomes.insert(format!("conflict on {path} by {name}"));
        }
        scene.landed.push((at, back.key, edits));
        scene.merged = after;
        scene.told.actions.extend(actions);
        Ok(value)
    }

    /// Rule C1: a landing makes a run of a crew without triggers, unless a run of it waited for
    /// just this landing.
    fn wake_dependents(&mut self, needed: usize, slice: i64) {
        let name = self.specs[needed].name.clone();
        for at in 0..self.specs.len() {
            let spec = self.specs[at].clone();
            if !spec.triggers.is_empty() {
                continue;
            }
            for (need, place) in spec.needs.iter().zip(0..) {
                let Need::Crew { crew, offset } = need else {
                    continue;
                };
                if *crew != name {
                    continue;
                }
                let waited = self.crews[at].runs.iter().any(|run| {
                    run.ready.is_none()
                        && self.met(at, run.key.0, slice + FAR)[place]
                            .as_ref()
                            .is_some_and(|met| met.0 == slice)
                });
                if waited {
                    continue;
                }
                let trigger = slice - offset;
                let next = self.crews[at].places.entry(trigger).or_default();
                let key = (trigger, *next);
                *next += 1;
                let from = trigger.max(if *offset > 0 { slice + 1 } else { slice });
                self.crews[at].runs.push(Run { key, triggers: Vec::new(), from, ready: None });
            }
        }
    }

    pub(super) fn commit(&mut self, scene: &mut Scene, finishing: bool) {
        let slice = scene.slice;
        for at in 0..self.specs.len() {
            let age = i64::from(self.specs[at].expire_after) + 1;
            let runs = std::mem::take(&mut self.crews[at].runs);
            for run in runs {
                if run.key.0 + age <= slice {
                    self.end(at, &run, "expired", scene);
                } else if finishing {
                    self.end(at, &run, "unsatisfied", scene);
                } else {
                    self.crews[at].runs.push(run);
                }
            }
        }
        for &at in &scene.failed {
            let (spec, crew) = (&self.specs[at], &mut self.crews[at]);
            if crew.failures >= spec.max_errors && crew.disabled.is_none() {
                let until = spec.cooldown.map(|slices| slice + 1 + i64::from(slices));
                crew.disabled = Some((slice + 1, until));
                scene.told.outcomes.insert(format!("{} stops after {}", spec.name, crew.failures));
            }
        }
        self.context = scene.merged.clone();
    }
}
