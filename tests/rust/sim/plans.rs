//! Random plans: every knob of a crew is turned sooner or later.

use std::sync::Arc;

use live_crew::engine::{
    Backlog, Batch, Beat, Conflicts, CrewSpec, EpochPolicy, LatePolicy, Need, OnMiss, Pace, Plan,
    Retry, Span, StartAt, StreamSettings, Timestamp, Timing, WaitPolicy,
};

use crate::support::{
    build::{crew, kind},
    rng::Rng,
};

pub(super) const KINDS: [&str; 5] = ["a", "b", "c", "goal_home", "goal_away"];
const TRIGGERS: [&str; 6] = ["a", "b", "c", "goal_*", "*", "goal_home"];
const NAMES: [&str; 6] = ["c0", "c1", "c2", "c3", "c4", "c5"];

/// A random plan that passes its checks.
pub(super) fn random_plan(rng: &mut Rng, pace: Pace) -> Arc<Plan> {
    loop {
        let crews = random_crews(rng, pace);
        if let Ok(plan) = Plan::check(crews, random_settings(rng, pace)) {
            return plan;
        }
    }
}

/// The same plan for crews with new code.
pub(super) fn with_new_code(plan: &Plan, version: u64) -> Arc<Plan> {
    let spec =
        |spec: &CrewSpec| CrewSpec { fingerprint: format!("version {version}"), ..spec.clone() };
    let crews = plan.crews.iter().map(|crew| spec(&crew.spec)).collect();
    Plan::check(crews, plan.settings.clone()).expect("only fingerprints changed")
}

fn random_settings(rng: &mut Rng, pace: Pace) -> StreamSettings {
    let mut settings = StreamSettings::new(pace);
    settings.beat = Beat::from_ms(*rng.pick(&[10, 100, 100, 500])).unwrap();
    settings.lateness = Span::from_ms(*rng.pick(&[0, 50, 200, 1_000]));
    settings.epoch = match rng.below(6) {
        0 => EpochPolicy::Aligned,
        1 => EpochPolicy::At(Timestamp::from_micros(super::feed::START - 700_000).unwrap()),
        _ => EpochPolicy::FirstEvent,
    };
    let late = [LatePolicy::Next, LatePolicy::Next, LatePolicy::Drop, LatePolicy::DeadLetter];
    settings.late = *rng.pick(&late);
    if rng.chance(30) {
        settings.late_by_kind.insert(kind("b"), *rng.pick(&late));
    }
    if rng.chance(30) {
        settings.context.conflicts = Conflicts::Error;
    }
    if rng.chance(30) {
        settings.context.max_bytes = 200;
    }
    settings
}

fn random_crews(rng: &mut Rng, pace: Pace) -> Vec<CrewSpec> {
    let count = rng.between(1, NAMES.len() as u64);
    NAMES[..usize::try_from(count).unwrap()]
        .iter()
        .map(|name| random_crew(rng, name, pace))
        .collect()
}

fn random_crew(rng: &mut Rng, name: &str, pace: Pace) -> CrewSpec {
    let triggers = if rng.chance(85) { vec![*rng.pick(&TRIGGERS)] } else { Vec::new() };
    let mut spec = crew(name, &triggers);
    // Long enough never to strike a run that only waits for a slow disk.
    spec.timeout = Some(Span::from_secs(20));
    spec.priority = i32::try_from(rng.below(3)).unwrap();
    spec.concurrency = *rng.pick(&[1, 1, 2, 5]);
    spec.retry =
        Retry { attempts: *rng.pick(&[1, 1, 2, 3]), backoff: Span::from_ms(*rng.pick(&[0, 50])) };
    spec.max_errors = *rng.pick(&[2, 3, 1_000]);
    spec.cooldown = rng.chance(70).then_some(3);
    spec.expire_after = *rng.pick(&[2, 20, 600]);
    spec.max_backlog = *rng.pick(&[1, 10, 1_000]);
    if rng.chance(20) {
        spec.backlog = Backlog::Latest;
    }
    let arrives = rng.chance(15);
    if arrives {
        spec.start = StartAt::Arrival;
    } else {
        spec.stride = *rng.pick(&[1, 1, 1, 3]);
        spec.batch = *rng.pick(&[Batch::Event, Batch::Event, Batch::Slice]);
        spec.timing = random_timing(rng);
    }
    for _ in 0..*rng.pick(&[0, 0, 1, 2]) {
        spec.needs.push(random_need(rng));
    }
    spec.wait = match rng.below(6) {
        _ if arrives => WaitPolicy::None,
        0 => WaitPolicy::Any,
        1 => WaitPolicy::None,
        2 => WaitPolicy::Timeout(Span::from_ms(700)),
        _ => WaitPolicy::All,
    };
    let _ = pace;
    spec
}

fn random_timing(rng: &mut Rng) -> Timing {
    match rng.below(5) {
        0 => Timing::Sync,
        1 => Timing::Let {
            slices: u32::try_from(rng.between(1, 4)).unwrap(),
            on_miss: *rng.pick(&[OnMiss::Fail, OnMiss::Late]),
        },
        _ => Timing::Async,
    }
}

fn random_need(rng: &mut Rng) -> Need {
    let offset = *rng.pick(&[-3, -1, -1, 0, 0, 2]);
    if rng.chance(30) {
        let kind = kind(rng.pick::<&str>(&KINDS));
        return Need::Event { kind, offset };
    }
    Need::Crew { crew: crew(rng.pick::<&str>(&NAMES), &[]).name, offset }
}
