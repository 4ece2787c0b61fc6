//! The reference: what a stream does in virtual pace, written from `docs/semantics.md` in the
//! plainest way. It walks every slice, keeps every event and landing for ever, and looks at
//! everything anew each time. Slow, and meant to be obviously right.

use std::collections::{BTreeMap, BTreeSet};

use live_crew::engine::{
    Backlog, Batch, Conflicts, CrewSpec, EpochPolicy, Event, LatePolicy, Need, Timing, WaitPolicy,
};
use serde_json::{Value, json};

use super::{
    behaviour::{Done, Edit, Reply, Seen, reply},
    cases::{BEAT_MS, Case},
    plain,
};

const BEAT: i64 = BEAT_MS as i64 * 1_000;
/// No run that has all it needs waits longer: offsets, timeouts, strides and `let` together.
const FAR: i64 = 40;

/// What happened in a slice, as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    pub members: Vec<String>,
    pub starts: BTreeSet<String>,
    /// `crew/run outcome …`; the order within a slice is nobody's promise.
    pub outcomes: BTreeSet<String>,
    pub actions: Vec<String>,
    pub context: String,
}

impl Told {
    /// Whether the slice is committed: something but a start happened in it.
    pub fn is_committed(&self) -> bool {
        !(self.members.is_empty() && self.outcomes.is_empty() && self.actions.is_empty())
    }
}

/// The whole stream, slice by slice; slices in which nothing happened are left out.
pub fn foretell(case: &Case) -> BTreeMap<i64, Told> {
    let (events, epoch0) = bin(case);
    let mut world = World::new(case, events, epoch0);
    let mut told = BTreeMap::new();
    let last = world.events.keys().next_back().copied().unwrap_or(-1);
    let mut slice = 0;
    while slice <= last {
        told.insert(slice, world.step(slice, false));
        slice += 1;
    }
    while let Some(next) = world.goes_on_until(slice) {
        while slice <= next {
            told.insert(slice, world.step(slice, false));
            slice += 1;
        }
    }
    told.insert(slice, world.step(slice, true));
    told.retain(|_, told| told.is_committed() || !told.starts.is_empty());
    told
}

/// An event in its slice, with the one it was meant for if it came late.
type Member = (Event, Option<i64>);

/// Rules T1 to T5, O1, O4: which event is in which slice.
fn bin(case: &Case) -> (BTreeMap<i64, Vec<Member>>, i64) {
    let settings = &case.settings;
    let lateness = settings.lateness.micros();
    let mut taken: Vec<(Event, i64)> = Vec::new();
    let (mut slices, mut open) = (BTreeMap::<i64, Vec<Member>>::new(), 0);
    let mut epoch0 = match settings.epoch {
        EpochPolicy::At(instant) => Some(instant.micros()),
        EpochPolicy::FirstEvent | EpochPolicy::Aligned => None,
    };
    let mut seen: Vec<Event> = Vec::new();
    for event in &case.events {
        let ts = event.ts.micros();
        let newest = seen
            .iter()
            .map(|seen| seen.ts.micros())
            .chain([ts])
            .max()
            .unwrap();
        let known = |old: &Event| {
            event.id().is_some()
                && event.id() == old.id()
                && old.ts.micros() >= newest - settings.dedupe_window.micros()
        };
        if seen.iter().any(known) {
            continue;
        }
        seen.push(event.clone());
        match epoch0.map(|epoch0| (ts - epoch0).div_euclid(BEAT)) {
            Some(slice) if slice < open => {
                match settings
                    .late_by_kind
                    .get(&event.kind)
                    .unwrap_or(&settings.late)
                {
                    LatePolicy::Next => slices
                        .entry(open)
                        .or_default()
                        .push((event.clone(), Some(slice))),
                    LatePolicy::Drop | LatePolicy::DeadLetter => {}
                    LatePolicy::Fail => break,
                }
            }
            _ => taken.push((event.clone(), ts)),
        }
        let first = taken.iter().map(|(_, ts)| *ts).min().unwrap_or(ts);
        let epoch = epoch0.unwrap_or(match settings.epoch {
            EpochPolicy::Aligned => first - first.rem_euclid(BEAT),
            EpochPolicy::FirstEvent | EpochPolicy::At(_) => first,
        });
        let watermark = newest - lateness;
        let closed = (watermark - epoch).div_euclid(BEAT);
        if closed > open {
            (epoch0, open) = (Some(epoch), closed);
        }
    }
    let first = taken.iter().map(|(_, ts)| *ts).min().unwrap_or(0);
    let epoch0 = epoch0.unwrap_or(match settings.epoch {
        EpochPolicy::Aligned => first - first.rem_euclid(BEAT),
        EpochPolicy::FirstEvent | EpochPolicy::At(_) => first,
    });
    for (event, ts) in taken {
        slices
            .entry((ts - epoch0).div_euclid(BEAT))
            .or_default()
            .push((event, None));
    }
    for members in slices.values_mut() {
        members.sort_by(|a, b| a.0.order(&b.0).then(a.1.cmp(&b.1)));
    }
    (slices, epoch0)
}

/// A run of a crew, by the slice that triggered it and its place there.
type Key = (i64, u32);

#[derive(Debug, Clone)]
struct Run {
    key: Key,
    triggers: Vec<Event>,
    /// A run made by a landing does not start before the slice that sees the landing.
    from: i64,
    /// Its needs were judged and it may start; what it has is settled then.
    ready: Option<Vec<Option<(i64, String)>>>,
}

#[derive(Debug, Clone)]
struct Back {
    key: Key,
    land: i64,
    /// Actions, spelled-out edits and the value; or why not.
    outcome: Result<(Vec<String>, Vec<Edit>, String), &'static str>,
    /// Crews of this slice whose edits it read.
    saw: BTreeSet<usize>,
}

#[derive(Debug, Clone, Default)]
struct Crew {
    pending: Vec<Event>,
    runs: Vec<Run>,
    /// Started or back, not landed, in the order they started.
    backs: Vec<Back>,
    /// Every landing there ever was, with the answer.
    landings: Vec<(i64, String)>,
    places: BTreeMap<i64, u32>,
    failures: u32,
    disabled: Option<(i64, Option<i64>)>,
}

#[derive(Debug, Clone)]
struct World<'a> {
    case: &'a Case,
    epoch0: i64,
    events: BTreeMap<i64, Vec<Member>>,
    /// In the order of rule O2.
    specs: Vec<CrewSpec>,
    levels: Vec<usize>,
    crews: Vec<Crew>,
    context: Value,
    /// The slice being worked on.
    now: i64,
}

/// What has landed in the slice so far.
struct Scene {
    slice: i64,
    told: Told,
    merged: Value,
    /// Crew, run and its edits, in landing order.
    landed: Vec<(usize, Key, Vec<Edit>)>,
    failed: BTreeSet<usize>,
}

impl<'a> World<'a> {
    fn new(case: &'a Case, events: BTreeMap<i64, Vec<Member>>, epoch0: i64) -> Self {
        let level = |spec: &CrewSpec| level_of(&case.crews, spec);
        let mut specs = case.crews.clone();
        specs.sort_by(|a, b| (level(a), a.priority, &a.name).cmp(&(level(b), b.priority, &b.name)));
        let levels = specs.iter().map(level).collect();
        let crews = vec![Crew::default(); specs.len()];
        Self {
            case,
            epoch0,
            events,
            specs,
            levels,
            crews,
            context: json!({}),
            now: 0,
        }
    }

    /// Rule N5: the next slice in which something happens though no event comes any more: runs are
    /// made, start, land or end, other than by waiting too long.
    fn goes_on_until(&self, slice: i64) -> Option<i64> {
        let mut probe = self.clone();
        (slice..slice + FAR).find(|&slice| {
            let held = probe
                .crews
                .iter()
                .filter(|crew| !crew.pending.is_empty())
                .count();
            let told = probe.step(slice, false);
            let still = probe
                .crews
                .iter()
                .filter(|crew| !crew.pending.is_empty())
                .count();
            held > still
                || !told.starts.is_empty()
                || told.outcomes.iter().any(|line| !line.contains(" expired"))
        })
    }

    fn step(&mut self, slice: i64, finishing: bool) -> Told {
        self.now = slice;
        let mut told = Told::default();
        for (event, intended) in self.events.get(&slice).into_iter().flatten() {
            let late = intended
                .map(|slice| format!(" meant for {slice}"))
                .unwrap_or_default();
            let id = event.id().map(|id| format!(" {id}")).unwrap_or_default();
            let ts = event.ts.micros();
            told.members
                .push(format!("{ts} {} {:?}{id}{late}", event.kind, event.payload));
            for (spec, crew) in self.specs.iter().zip(&mut self.crews) {
                if spec
                    .triggers
                    .iter()
                    .any(|trigger| trigger.matches(&event.kind))
                {
                    crew.pending.push(event.clone());
                }
            }
        }
        let merged = self.context.clone();
        let mut scene = Scene {
            slice,
            told,
            merged,
            landed: Vec::new(),
            failed: BTreeSet::new(),
        };
        for level in 0..self.specs.len() {
            let here: Vec<usize> = (0..self.specs.len())
                .filter(|&at| self.levels[at] == level)
                .collect();
            for &at in &here {
                self.visit(at, &mut scene);
            }
            for &at in &here {
                self.land_all(at, &mut scene);
            }
        }
        self.commit(&mut scene, finishing);
        scene.told.context = self.context.to_string();
        scene.told
    }

    /// A crew's turn: what it may start starts, and is back at once.
    fn visit(&mut self, at: usize, scene: &mut Scene) {
        let (spec, slice) = (self.specs[at].clone(), scene.slice);
        match self.crews[at].disabled {
            Some((_, Some(until))) if until <= slice => {
                self.crews[at].disabled = None;
                self.crews[at].failures = spec.max_errors - 1;
            }
            Some((from, _)) if from <= slice => return self.end_all(at, scene),
            _ => {}
        }
        if slice % i64::from(spec.stride) != 0 {
            return;
        }
        self.judge_waiting(at, slice);
        self.take_triggers(at, scene);
        self.judge_waiting(at, slice);
        let is_let = matches!(spec.timing, Timing::Let { .. });
        loop {
            let busy = self.crews[at]
                .backs
                .iter()
                .filter(|back| back.land > slice)
                .count();
            if is_let && busy >= spec.concurrency as usize {
                return;
            }
            let runs = &self.crews[at].runs;
            let ready = runs
                .iter()
                .enumerate()
                .filter(|(_, run)| run.ready.is_some());
            let Some((first, _)) = ready.min_by_key(|(_, run)| run.key) else {
                return;
            };
            let run = self.crews[at].runs.remove(first);
            self.start(at, run, scene);
        }
    }

    fn judge_waiting(&mut self, at: usize, slice: i64) {
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
    fn met(&self, at: usize, t: i64, n: i64) -> Vec<Option<(i64, String)>> {
        let met = |need: &Need| match need {
            Need::Crew { crew, offset: o } => {
                let u = match o {
                    ..0 => n + o,
                    0 => n,
                    1.. => n - 1,
                };
                let needed = self
                    .specs
                    .iter()
                    .position(|spec| spec.name == *crew)
                    .unwrap();
                let landings = &self.crews[needed].landings;
                landings
                    .iter()
                    .find(|(s, _)| t + o <= *s && *s <= u)
                    .cloned()
            }
            Need::Event { kind, offset: o } => {
                let binned = |s: &i64| self.events[s].iter().any(|(event, _)| event.kind == *kind);
                let (from, to) = (t + o, (n + (*o).min(0)).min(self.now));
                (from..=to)
                    .find(|s| self.events.contains_key(s) && binned(s))
                    .map(|s| (s, "null".into()))
            }
        };
        self.specs[at].needs.iter().map(met).collect()
    }

    /// Rules C1, C2, C5.
    fn take_triggers(&mut self, at: usize, scene: &mut Scene) {
        let (spec, slice) = (self.specs[at].clone(), scene.slice);
        let pending = std::mem::take(&mut self.crews[at].pending);
        if pending.is_empty() {
            return;
        }
        let (room, why) = match spec.backlog {
            Backlog::Fifo => (spec.max_backlog, "overflow"),
            Backlog::Latest => (0, "replaced"),
        };
        self.crews[at].runs.sort_by_key(|run| run.key);
        while self.crews[at].runs.len() > room {
            let oldest = self.crews[at].runs.remove(0);
            self.end(at, &oldest, why, scene);
        }
        let bundles: Vec<Vec<Event>> = match spec.batch {
            Batch::Event => pending.into_iter().map(|event| vec![event]).collect(),
            Batch::Slice => vec![pending],
        };
        for (triggers, place) in bundles.into_iter().zip(0..) {
            self.crews[at].runs.push(Run {
                key: (slice, place),
                triggers,
                from: slice,
                ready: None,
            });
        }
    }

    /// Rules C8, C5, N5: a run ends without a start.
    fn end(&mut self, at: usize, run: &Run, why: &str, scene: &mut Scene) {
        let met = match &run.ready {
            Some(met) => met.clone(),
            // What landed and cannot be seen yet is not missing.
            None => self.met(at, run.key.0, scene.slice + FAR),
        };
        let missing = self.names(at, &missing(&met));
        let name = self.name(at, run.key);
        scene
            .told
            .outcomes
            .insert(format!("{name} {why} {missing:?}"));
    }

    fn end_all(&mut self, at: usize, scene: &mut Scene) {
        for run in std::mem::take(&mut self.crews[at].runs) {
            self.end(at, &run, "disabled", scene);
        }
        let slice = scene.slice;
        for (_, place) in std::mem::take(&mut self.crews[at].pending)
            .into_iter()
            .zip(0..)
        {
            let name = self.name(at, (slice, place));
            scene.told.outcomes.insert(format!("{name} disabled []"));
        }
    }

    fn start(&mut self, at: usize, run: Run, scene: &mut Scene) {
        let (spec, slice) = (self.specs[at].clone(), scene.slice);
        let met = run.ready.expect("only ready runs start");
        let land = match spec.timing {
            Timing::Let { slices, .. } => slice + i64::from(slices),
            Timing::Async | Timing::Sync => slice,
        };
        let saw: BTreeSet<usize> = spec
            .needs
            .iter()
            .zip(&met)
            .filter_map(|(need, met)| match (need, met) {
                (Need::Crew { crew, offset: 0 }, Some((landed, _))) if *landed == slice => {
                    self.specs.iter().position(|spec| spec.name == *crew)
                }
                _ => None,
            })
            .collect();
        let view = self.view(at, &saw, scene);
        let access = self.case.settings.context.access.get(&spec.name);
        let view = plain::readable(&view, access);
        let mut seen = Seen {
            crew: spec.name.to_string(),
            run: format!("{}.{}", run.key.0, run.key.1),
            attempt: 0,
            slice,
            triggers: run
                .triggers
                .iter()
                .map(|event| format!("{:?}", event.payload))
                .collect(),
            view: view.to_string(),
            met: met.clone(),
        };
        let outcome = loop {
            seen.attempt += 1;
            scene.told.starts.insert(seen.line());
            let why = match reply(self.case.seed, self.case.temper, &seen) {
                Reply::Done(done) => break self.check(&view, access, run.key, slice, at, &done),
                Reply::Hang if spec.timeout.is_some() => "timeout",
                Reply::Hang | Reply::Fail => "error",
            };
            if seen.attempt == spec.retry.attempts {
                break Err(why);
            }
        };
        // A run that lands later has seen nothing of the slice it lands in.
        let saw = if land == slice { saw } else { BTreeSet::new() };
        self.crews[at].backs.push(Back {
            key: run.key,
            land,
            outcome,
            saw,
        });
    }

    /// Rule X1.
    fn view(&self, at: usize, saw: &BTreeSet<usize>, scene: &Scene) -> Value {
        let mut view = self.context.clone();
        let mut add = |edits: &[Edit]| {
            // What cannot be repeated on this view is left out.
            if let Ok(next) = plain::apply_all(&view, edits) {
                view = next;
            }
        };
        for needed in saw {
            let theirs = scene.landed.iter().filter(|(crew, ..)| crew == needed);
            theirs.for_each(|(_, _, edits)| add(edits));
        }
        if self.specs[at].concurrency == 1 {
            let own = self.crews[at]
                .backs
                .iter()
                .filter(|back| back.land == scene.slice);
            own.filter_map(|back| back.outcome.as_ref().ok())
                .for_each(|(_, edits, _)| add(edits));
        }
        view
    }

    /// Rules X2, X4, T8, O3.
    fn check(
        &self,
        view: &Value,
        access: Option<&live_crew::engine::Access>,
        key: Key,
        slice: i64,
        at: usize,
        done: &Done,
    ) -> Result<(Vec<String>, Vec<Edit>, String), &'static str> {
        if let Some(globs) = access.and_then(|access| access.write.as_ref())
            && done
                .edits
                .iter()
                .any(|edit| !plain::grants(globs, &edit.path))
        {
            return Err("ctx_access");
        }
        let edits = plain::spell_out(view, &done.edits).map_err(|_| "ctx_type")?;
        let (name, now) = (self.name(at, key), self.epoch0 + (slice + 1) * BEAT);
        let actions = done
            .actions
            .iter()
            .map(|(kind, payload)| format!("{name} {now} {kind} {payload}"));
        Ok((actions.collect(), edits, done.value.clone()))
    }

    /// What is back for this slice lands, in run order.
    fn land_all(&mut self, at: usize, scene: &mut Scene) {
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
        let (before, after) = (
            &scene.merged,
            plain::apply_all(&scene.merged, &edits).map_err(|_| "ctx_type")?,
        );
        let (old, new) = (before.to_string().len(), after.to_string().len());
        if new > settings.max_bytes && new > old {
            return Err("ctx_size");
        }
        let sees = |crew: usize| {
            (crew == at && self.specs[at].concurrency == 1) || back.saw.contains(&crew)
        };
        let strangers: Vec<_> = scene
            .landed
            .iter()
            .filter(|(crew, ..)| !sees(*crew))
            .collect();
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
            scene
                .told
                .outcomes
                .insert(format!("conflict on {path} by {name}"));
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
                self.crews[at].runs.push(Run {
                    key,
                    triggers: Vec::new(),
                    from,
                    ready: None,
                });
            }
        }
    }

    fn commit(&mut self, scene: &mut Scene, finishing: bool) {
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
                scene
                    .told
                    .outcomes
                    .insert(format!("{} stops after {}", spec.name, crew.failures));
            }
        }
        self.context = scene.merged.clone();
    }

    fn name(&self, at: usize, key: Key) -> String {
        format!("{}/{}.{}", self.specs[at].name, key.0, key.1)
    }

    fn names(&self, at: usize, missing: &[usize]) -> Vec<String> {
        missing
            .iter()
            .map(|&need| self.specs[at].needs[need].to_string())
            .collect()
    }
}

fn missing(met: &[Option<(i64, String)>]) -> Vec<usize> {
    (0..met.len()).filter(|&need| met[need].is_none()).collect()
}

/// Rule N3: one more than the highest level needed at offset 0.
fn level_of(crews: &[CrewSpec], spec: &CrewSpec) -> usize {
    let needed = spec.needs.iter().filter_map(|need| match need {
        Need::Crew { crew, offset: 0 } => crews.iter().find(|other| other.name == *crew),
        Need::Crew { .. } | Need::Event { .. } => None,
    });
    needed
        .map(|other| level_of(crews, other) + 1)
        .max()
        .unwrap_or(0)
}
