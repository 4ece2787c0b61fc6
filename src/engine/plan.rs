//! The plan: crews that were checked against each other, in the order of rule O2, with routes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    CrewIx, CrewName, CrewSpec, Kind, Need, Pattern, PlanError, Problem, StartAt, StreamSettings,
    Timing, WaitPolicy, graph, suggest::closest,
};

/// A checked set of crews and the settings of their streams.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What holds for every stream.
    pub settings: StreamSettings,
    /// The crews in the order of rule O2.
    pub crews: Vec<Planned>,
    /// What was declared of them, as the headers of all streams share it.
    pub(crate) specs: Arc<[CrewSpec]>,
    /// Kinds that some crew needs as an event, in byte order.
    pub(super) needed_kinds: Vec<NeededKind>,
    /// Whether any crew has `start: arrival`.
    pub(super) starts_on_arrival: bool,
    exact: BTreeMap<Kind, Vec<CrewIx>>,
    globs: Vec<(Pattern, CrewIx)>,
}

/// A crew in its place.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What was declared.
    pub spec: CrewSpec,
    /// Its level in the offset-0 graph.
    pub level: u32,
    /// Whether landings make its runs: no triggers, but crew needs (rule C1).
    pub by_landing: bool,
    /// Whether a run starts as soon as it is triggered, looking at its needs only then.
    pub(super) needs: Vec<NeedIx>,
    pub(super) dependents: Vec<Dependent>,
    /// How many slices back a landing of this crew can still satisfy a need.
    pub(super) horizon: i64,
}

/// A need with its name resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NeedIx {
    Crew(CrewIx),
    Event(usize),
}

/// Somebody's need, seen from what is needed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dependent {
    pub crew: CrewIx,
    pub need: usize,
    pub offset: i64,
}

#[derive(Debug, Clone)]
pub(super) struct NeededKind {
    pub kind: Kind,
    pub dependents: Vec<Dependent>,
    pub horizon: i64,
}

impl Plan {
    /// Checks everything that can be known before the first event; finds every problem at once.
    pub fn check(crews: Vec<CrewSpec>, settings: StreamSettings) -> Result<Arc<Self>, PlanError> {
        let mut problems = Vec::new();
        if crews.len() > settings.limits.crews {
            problems.push(Problem::TooManyCrews { limit: settings.limits.crews });
        }
        check_names(&crews, &settings, &mut problems);
        for crew in &crews {
            check_crew(crew, &settings, &mut problems);
        }
        check_kinds(&crews, &settings, &mut problems);
        if !problems.is_empty() {
            return Err(PlanError(problems));
        }
        order(crews, settings).map(Arc::new).map_err(|problem| PlanError(vec![problem]))
    }

    /// The crew of a name.
    pub fn find(&self, name: &str) -> Option<CrewIx> {
        let at = self.crews.iter().position(|crew| crew.spec.name.as_str() == name)?;
        Some(CrewIx::from_place(at))
    }

    /// The crew in a place.
    pub fn crew(&self, crew: CrewIx) -> &Planned {
        &self.crews[crew.at()]
    }

    pub(super) fn starts_at_close(&self, crew: CrewIx) -> bool {
        self.crew(crew).spec.start == StartAt::Close
    }

    /// The crews a kind wakes, in the order of rule O2.
    pub fn route(&self, kind: &Kind) -> Vec<CrewIx> {
        let mut woken: BTreeSet<CrewIx> =
            self.exact.get(kind).into_iter().flatten().copied().collect();
        woken.extend(
            self.globs.iter().filter(|(glob, _)| glob.matches(kind)).map(|(_, crew)| *crew),
        );
        woken.into_iter().collect()
    }
}

fn check_names(crews: &[CrewSpec], settings: &StreamSettings, problems: &mut Vec<Problem>) {
    let mut names = BTreeSet::new();
    for crew in crews {
        if !names.insert(&crew.name) {
            problems.push(Problem::DuplicateCrew { crew: crew.name.clone() });
        }
    }
    let all = || names.iter().map(|name| name.as_str());
    for crew in crews {
        for need in &crew.needs {
            if let Need::Crew { crew: needed, .. } = need
                && !names.contains(needed)
            {
                problems.push(Problem::UnknownCrew {
                    crew: crew.name.clone(),
                    needs: needed.clone(),
                    meant: closest(needed.as_str(), all()),
                });
            }
        }
    }
    for name in settings.context.access.keys().filter(|name| !names.contains(*name)) {
        problems.push(Problem::UnknownAccess {
            crew: name.clone(),
            meant: closest(name.as_str(), all()),
        });
    }
}

fn check_crew(crew: &CrewSpec, settings: &StreamSettings, problems: &mut Vec<Problem>) {
    let limits = &settings.limits;
    let mut refuse = |field: &'static str, value: String, right: String| {
        problems.push(Problem::BadValue { crew: crew.name.clone(), field, value, right });
    };
    if crew.concurrency == 0 {
        refuse("concurrency", "0".into(), "1 or more".into());
    }
    if crew.stride == 0 {
        refuse("slice_stride", "0".into(), "1 or more".into());
    }
    if crew.max_errors == 0 {
        refuse("max_errors", "0".into(), "1 or more".into());
    }
    if crew.retry.attempts == 0 || crew.retry.attempts > limits.attempts {
        let value = crew.retry.attempts.to_string();
        refuse("retry.attempts", value, format!("1 to {} (`Limits::attempts`)", limits.attempts));
    }
    if let Timing::Let { slices: 0, .. } = crew.timing {
        refuse("timing.let", "0".into(), "1 or more slices".into());
    }
    if crew.timing == Timing::Sync && crew.timeout.is_none() {
        refuse("timing", "sync".into(), "`timeout_ms` beside it, since commits wait for it".into());
    }
    if crew.timeout == Some(super::Span::ZERO) {
        refuse("timeout_ms", "0".into(), "1 or more".into());
    }
    let far = limits.need_offset;
    let too_far = |need: &&Need| need.offset().unsigned_abs() > far.unsigned_abs();
    for need in crew.needs.iter().filter(too_far) {
        refuse("needs", need.to_string(), format!("an offset from -{far} to {far}"));
    }
    if crew.start == StartAt::Arrival {
        let waits = !crew.needs.is_empty() && crew.wait != WaitPolicy::None;
        if waits {
            refuse(
                "start",
                "arrival".into(),
                "no needs to wait for, or `wait_policy: none`".into(),
            );
        }
        if crew.triggers.is_empty() {
            refuse("start", "arrival".into(), "`triggers` beside it".into());
        }
        if crew.stride > 1 || crew.batch == super::Batch::Slice {
            let right = "`batch: event` and `slice_stride: 1` beside it";
            refuse("start", "arrival".into(), right.into());
        }
        if crew.timing != Timing::Async {
            refuse("start", "arrival".into(), "`timing: async` beside it".into());
        }
    }
    let has_crew_need = crew.needs.iter().any(|need| matches!(need, Need::Crew { .. }));
    if crew.triggers.is_empty() && !has_crew_need {
        problems.push(Problem::NeverRuns { crew: crew.name.clone() });
    }
}

fn check_kinds(crews: &[CrewSpec], settings: &StreamSettings, problems: &mut Vec<Problem>) {
    let Some(kinds) = &settings.kinds else { return };
    let known = |kind: &str| kinds.iter().any(|known| known.as_str() == kind);
    let names = || kinds.iter().map(Kind::as_str);
    let mut refuse = |crew: &CrewName, kind: &str| {
        problems.push(Problem::UnknownKind {
            crew: crew.clone(),
            kind: kind.to_owned(),
            meant: closest(kind, names()),
        });
    };
    for crew in crews {
        for trigger in &crew.triggers {
            let fits = match trigger.exact() {
                Some(kind) => known(kind),
                None => kinds.iter().any(|kind| trigger.matches(kind)),
            };
            if !fits {
                refuse(&crew.name, trigger.as_str());
            }
        }
        for need in &crew.needs {
            if let Need::Event { kind, .. } = need
                && !known(kind.as_str())
            {
                refuse(&crew.name, kind.as_str());
            }
        }
    }
}

/// Puts checked crews in the order of rule O2 and resolves every name.
fn order(mut crews: Vec<CrewSpec>, settings: StreamSettings) -> Result<Plan, Problem> {
    let spell = |crews: &[CrewSpec], cycle: Vec<usize>| -> Vec<CrewName> {
        cycle.into_iter().map(|at| crews[at].name.clone()).collect()
    };
    crews.sort_by(|a, b| (a.priority, &a.name).cmp(&(b.priority, &b.name)));
    let levels = graph::levels(&needed_crews(&crews, |_, need| need.offset() == 0))
        .map_err(|cycle| Problem::Cycle { crews: spell(&crews, cycle) })?;
    graph::levels(&needed_crews(&crews, |crew, _| crew.triggers.is_empty()))
        .map_err(|cycle| Problem::EndlessLoop { crews: spell(&crews, cycle) })?;

    let mut ranked: Vec<(u32, CrewSpec)> = levels.into_iter().zip(crews).collect();
    ranked.sort_by_key(|(level, _)| *level);
    let places: BTreeMap<CrewName, CrewIx> =
        ranked.iter().zip(0..).map(|((_, crew), at)| (crew.name.clone(), CrewIx(at))).collect();
    let kinds: BTreeSet<&Kind> = ranked
        .iter()
        .flat_map(|(_, crew)| &crew.needs)
        .filter_map(|need| match need {
            Need::Event { kind, .. } => Some(kind),
            Need::Crew { .. } => None,
        })
        .collect();
    let mut needed_kinds: Vec<NeededKind> = kinds
        .into_iter()
        .map(|kind| NeededKind { kind: kind.clone(), dependents: Vec::new(), horizon: 0 })
        .collect();
    let mut planned: Vec<Planned> = ranked
        .into_iter()
        .map(|(level, spec)| Planned {
            level,
            by_landing: spec.triggers.is_empty(),
            needs: spec.needs.iter().map(|need| resolve(need, &places, &needed_kinds)).collect(),
            dependents: Vec::new(),
            horizon: 0,
            spec,
        })
        .collect();
    link(&mut planned, &mut needed_kinds);
    let (mut exact, mut globs) = (BTreeMap::<Kind, Vec<CrewIx>>::new(), Vec::new());
    for (crew, at) in planned.iter().zip(0..) {
        for trigger in &crew.spec.triggers {
            match trigger.exact().map(Kind::new) {
                Some(Ok(kind)) => exact.entry(kind).or_default().push(CrewIx(at)),
                _ => globs.push((trigger.clone(), CrewIx(at))),
            }
        }
    }
    let starts_on_arrival = planned.iter().any(|crew| crew.spec.start == StartAt::Arrival);
    let specs = planned.iter().map(|crew| crew.spec.clone()).collect();
    Ok(Plan { settings, crews: planned, specs, needed_kinds, starts_on_arrival, exact, globs })
}

/// For each crew the places of those crews it needs that `wanted` picks.
fn needed_crews(crews: &[CrewSpec], wanted: impl Fn(&CrewSpec, &Need) -> bool) -> Vec<Vec<usize>> {
    let place: BTreeMap<&CrewName, usize> =
        crews.iter().enumerate().map(|(at, crew)| (&crew.name, at)).collect();
    let needed = |crew: &CrewSpec| {
        crew.needs
            .iter()
            .filter(|need| wanted(crew, need))
            .filter_map(|need| match need {
                Need::Crew { crew, .. } => place.get(crew).copied(),
                Need::Event { .. } => None,
            })
            .collect()
    };
    crews.iter().map(needed).collect()
}

fn resolve(need: &Need, places: &BTreeMap<CrewName, CrewIx>, kinds: &[NeededKind]) -> NeedIx {
    match need {
        Need::Crew { crew, .. } => NeedIx::Crew(places[crew]),
        Need::Event { kind, .. } => {
            let at = kinds.iter().position(|needed| needed.kind == *kind);
            NeedIx::Event(at.expect("every kind needed was collected"))
        }
    }
}

/// Tells everything needed who needs it, and for how long.
fn link(crews: &mut [Planned], kinds: &mut [NeededKind]) {
    let farthest =
        crews.iter().flat_map(|crew| &crew.spec.needs).map(|need| need.offset().abs()).max();
    let horizon = farthest.unwrap_or(0).saturating_mul(2).saturating_add(1);
    for at in 0..crews.len() {
        for need in 0..crews[at].needs.len() {
            let dependent = Dependent {
                crew: CrewIx::from_place(at),
                need,
                offset: crews[at].spec.needs[need].offset(),
            };
            match crews[at].needs[need] {
                NeedIx::Crew(needed) => {
                    crews[needed.at()].dependents.push(dependent);
                    crews[needed.at()].horizon = horizon;
                }
                NeedIx::Event(needed) => {
                    kinds[needed].dependents.push(dependent);
                    kinds[needed].horizon = horizon;
                }
            }
        }
    }
}
