//! The reference: what a stream does in virtual pace, written from `docs/semantics.md` in the
//! plainest way. It walks every slice, keeps every event and landing for ever, and looks at
//! everything anew each time. Slow, and meant to be obviously right.

mod binning;
mod landing;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};

use live_crew::engine::{Backlog, Batch, CrewSpec, Event, Need, Timing};
use serde_json::{Value, json};

use self::binning::{Member, bin};
use super::{
    behaviour::{Edit, Reply, Seen, reply},
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
        Self { case, epoch0, events, specs, levels, crews, context: json!({}), now: 0 }
    }

    /// Rule N5: the next slice in which something happens though no event comes any more: runs are
    /// made, start, land or end, other than by waiting too long.
    fn goes_on_until(&self, slice: i64) -> Option<i64> {
        let mut probe = self.clone();
        (slice..slice + FAR).find(|&slice| {
            let held = probe.crews.iter().filter(|crew| !crew.pending.is_empty()).count();
            let told = probe.step(slice, false);
            let still = probe.crews.iter().filter(|crew| !crew.pending.is_empty()).count();
            held > still
                || !told.starts.is_empty()
                || told.outcomes.iter().any(|line| !line.contains(" expired"))
        })
    }

    fn step(&mut self, slice: i64, finishing: bool) -> Told {
        self.now = slice;
        let mut told = Told::default();
        for (event, intended) in self.events.get(&slice).into_iter().flatten() {
            let late = intended.map(|slice| format!(" meant for {slice}")).unwrap_or_default();
            let id = event.id().map(|id| format!(" {id}")).unwrap_or_default();
            let ts = event.ts.micros();
            told.members.push(format!("{ts} {} {:?}{id}{late}", event.kind, event.payload));
            for (spec, crew) in self.specs.iter().zip(&mut self.crews) {
                if spec.triggers.iter().any(|trigger| trigger.matches(&event.kind)) {
                    crew.pending.push(event.clone());
                }
            }
        }
        let merged = self.context.clone();
        let mut scene = Scene { slice, told, merged, landed: Vec::new(), failed: BTreeSet::new() };
        for level in 0..self.specs.len() {
            let here: Vec<usize> =
                (0..self.specs.len()).filter(|&at| self.levels[at] == level).collect();
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
            let busy = self.crews[at].backs.iter().filter(|back| back.land > slice).count();
            if is_let && busy >= spec.concurrency as usize {
                return;
            }
            let runs = &self.crews[at].runs;
            let ready = runs.iter().enumerate().filter(|(_, run)| run.ready.is_some());
            let Some((first, _)) = ready.min_by_key(|(_, run)| run.key) else {
                return;
            };
            let run = self.crews[at].runs.remove(first);
            self.start(at, run, scene);
        }
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
            triggers: run.triggers.iter().map(|event| format!("{:?}", event.payload)).collect(),
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
        self.crews[at].backs.push(Back { key: run.key, land, outcome, saw });
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
            let own = self.crews[at].backs.iter().filter(|back| back.land == scene.slice);
            own.filter_map(|back| back.outcome.as_ref().ok()).for_each(|(_, edits, _)| add(edits));
        }
        view
    }

    fn name(&self, at: usize, key: Key) -> String {
        format!("{}/{}.{}", self.specs[at].name, key.0, key.1)
    }

    fn names(&self, at: usize, missing: &[usize]) -> Vec<String> {
        missing.iter().map(|&need| self.specs[at].needs[need].to_string()).collect()
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
    needed.map(|other| level_of(crews, other) + 1).max().unwrap_or(0)
}
