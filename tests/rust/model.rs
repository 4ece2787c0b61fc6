//! The engine against the reference: the same slices, outcomes, actions and contexts, for random
//! plans, events and behaviours. Every fault found this way stands below as the smallest case.

use live_crew::engine::{
    Access, Batch, CrewName, CrewSpec, Event, Kind, Need, OnMiss, Pattern, Span, Timing, WaitPolicy,
};
use proptest::prelude::*;

use super::support::{
    cases::{Case, cases, event, settings_of},
    drive::World,
    reference::foretell,
};

proptest! {
    #![proptest_config(ProptestConfig { cases: cases_or(2_000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_does_what_the_reference_foretells(case in cases()) {
        check(&case)?;
    }
}

/// `PROPTEST_CASES`, or this many.
pub fn cases_or(cases: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(cases)
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let foretold = foretell(case);
    let mut world = World::new(case, case.seed);
    world.run(0);
    let told = world.told();
    for slice in foretold.keys().chain(told.keys()) {
        let (mut wanted, got) = (foretold.get(slice).cloned(), told.get(slice).cloned());
        // Between slices committed in one go nobody can look at the context.
        if let (Some(wanted), Some(got)) = (&mut wanted, &got)
            && got.context.is_empty()
        {
            wanted.context.clear();
        }
        prop_assert_eq!(&got, &wanted, "slice {}: left the engine, right the reference", slice);
    }
    let last = foretold.values().next_back().map_or("{}", |told| &told.context);
    prop_assert_eq!(format!("{:?}", world.engine.context()), last);
    Ok(())
}

#[test]
fn c8_a_run_that_a_landing_makes_for_a_disabled_crew_ends_at_its_turn() {
    let mut b = crew("b", &[], &["a@0"]);
    b.stride = 2;
    b.expire_after = 0;
    let case = Case {
        seed: 7_556_016_026_548_095_276,
        events: home(&[(140, 1), (235, 2), (735, 1), (495, 2)]),
        ..story(vec![crew("a", &["*"], &[]), b], 44, 36)
    };
    holds(&case);
}

#[test]
fn n6_a_ready_run_that_ends_says_what_it_lacked() {
    let mut a = crew("a", &["*"], &["event goal_home@0"]);
    (a.wait, a.timing) = (WaitPolicy::None, in_slices(1));
    (a.max_backlog, a.expire_after) = (1_000, 1);
    let mut events = home(&[(0, 0), (0, 0), (0, 0)]);
    events.push(event(20_500, "goal_away", 0, None));
    let seed = 11_983_598_017_612_672_172;
    holds(&Case { seed, temper: 1, events, ..story(vec![a], 20, 13) });
}

#[test]
fn o4_an_id_is_known_for_the_window_whatever_else_comes_in_between() {
    let mut case = story(vec![crew("a", &["*"], &[])], 20, 0);
    case.settings.dedupe_window = Span::ZERO;
    for (ts, id) in [(0, Some(0)), (500, None), (117_000, Some(0))] {
        case.events.push(event(ts, "goal_home", 0, id));
    }
    holds(&case);
}

#[test]
fn c4_a_place_that_comes_free_off_the_stride_waits_for_it() {
    for slices in [1, 3] {
        let mut a = crew("a", &["*"], &[]);
        (a.stride, a.expire_after, a.timing) = (2, 0, in_slices(slices));
        let events = home(&[(205, 0), (295, 0), (305, 0)]);
        holds(&Case { events, ..story(vec![a], 20, 0) });
    }
}

#[test]
fn n5_no_empty_slice_goes_by_for_a_run_that_has_ended() {
    let (a, c) = (crew("a", &["*"], &[]), crew("c", &["*"], &[]));
    let mut b = crew("b", &["goal_home"], &["a@0"]);
    b.expire_after = 600;
    let d = crew("d", &[], &["c@-1", "a@0"]);
    let c = CrewSpec { batch: Batch::Slice, cooldown: Some(0), ..c };
    let case = Case {
        seed: 2_873_080_145_135_994_130,
        events: home(&[(0, 0), (1390, 1), (1700, 0)]),
        ..story(vec![a, b, c, d], 20, 0)
    };
    holds(&case);
}

#[test]
fn n5_no_empty_slice_goes_by_for_a_run_that_expires_before_it_could_start() {
    let mut b = crew("b", &["goal_home"], &["a@0"]);
    b.wait = WaitPolicy::Timeout(Span::from_ms(31));
    (b.stride, b.expire_after, b.cooldown) = (3, 1, Some(0));
    let events = home(&[(125, 0), (2220, 0)]);
    holds(&Case { events, ..story(vec![crew("a", &["*"], &[]), b], 20, 0) });

    let a = CrewSpec { batch: Batch::Slice, max_errors: 2, ..crew("a", &["*"], &[]) };
    let mut b = crew("b", &["goal_*"], &["a@-2"]);
    (b.wait, b.timing) = (WaitPolicy::Timeout(Span::from_ms(1)), in_slices(1));
    (b.stride, b.max_errors, b.expire_after) = (3, 2, 4);
    let mut c = crew("c", &["frame"], &["event chat@0"]);
    c.expire_after = 600;
    let mut events = home(&[(935, 0), (2330, 0), (2500, 0)]);
    events.insert(2, event(200_500, "frame", 0, None));
    let seed = 3_656_955_649_367_921_250;
    holds(&Case { events, seed, ..story(vec![a, b, c], 87, 13) });
}

#[test]
fn x2_a_conflict_is_told_once_for_each_path_whoever_wrote_it_since() {
    let mut b = crew("b", &["*"], &[]);
    b.concurrency = 2;
    let case = Case {
        seed: 3_797_641_123_521_619_691,
        events: home(&[(0, 2), (5, 1)]),
        ..story(vec![crew("a", &["*"], &[]), b], 100, 0)
    };
    holds(&case);
}

#[test]
fn c1_one_landing_makes_one_run_though_it_is_needed_twice() {
    let case = Case {
        seed: 9_177_166_838_684_019_250,
        events: home(&[(0, 0)]),
        ..story(vec![crew("a", &["*"], &[]), crew("b", &[], &["a@0", "a@0"])], 20, 0)
    };
    holds(&case);
}

#[test]
fn x4_setting_an_object_leaves_alone_what_the_writer_could_not_see() {
    let mut a = crew("a", &["*"], &[]);
    (a.max_errors, a.cooldown) = (2, Some(0));
    let mut case = story(vec![a, crew("b", &["*"], &[])], 107, 16);
    let read = Some(vec!["score.*".to_owned()]);
    let access = Access { read, write: None };
    case.settings.context.access.insert(CrewName::new("a").unwrap(), access);
    (case.seed, case.temper) = (6_696_500_865_394_162_222, 2);
    case.events = home(&[
        (65, 2),
        (65, 2),
        (165, 0),
        (365, 0),
        (115, 0),
        (370, 1),
        (665, 0),
        (225, 0),
        (975, 0),
        (2365, 1),
    ]);
    holds(&case);
}

#[test]
fn n4_a_timeout_counts_from_the_slice_of_the_trigger_even_when_it_is_nothing() {
    for ms in [0, 10, 25] {
        let mut b = crew("b", &["goal_home"], &["a@1"]);
        b.wait = WaitPolicy::Timeout(Span::from_ms(ms));
        b.expire_after = 600;
        let mut c = crew("c", &[], &["b@1", "event chat@0"]);
        (c.wait, c.expire_after) = (b.wait, 600);
        let events = home(&[(0, 0), (400, 1)]);
        holds(&Case { events, ..story(vec![crew("a", &["chat"], &[]), b, c], 200, 0) });
    }
}

fn holds(case: &Case) {
    check(case).unwrap();
}

/// A crew at the strictest of everything; needs are written `a@-1` or `event goal@0`.
fn crew(name: &str, triggers: &[&str], needs: &[&str]) -> CrewSpec {
    let need = |text: &&str| {
        let (what, offset) = text.split_once('@').unwrap();
        let offset = offset.parse().unwrap();
        match what.strip_prefix("event ") {
            Some(kind) => Need::Event { kind: Kind::new(kind).unwrap(), offset },
            None => Need::Crew { crew: CrewName::new(what).unwrap(), offset },
        }
    };
    CrewSpec {
        triggers: triggers.iter().map(|text| Pattern::new(text).unwrap()).collect(),
        needs: needs.iter().map(need).collect(),
        max_backlog: 0,
        max_errors: 1,
        expire_after: 0,
        ..CrewSpec::new(CrewName::new(name).unwrap())
    }
}

fn in_slices(slices: u32) -> Timing {
    Timing::Let { slices, on_miss: OnMiss::Fail }
}

/// `goal_home` at tenths of a millisecond.
fn home(events: &[(i64, u8)]) -> Vec<Event> {
    events.iter().map(|(at, n)| event(at * 100, "goal_home", *n, None)).collect()
}

fn story(crews: Vec<CrewSpec>, max_bytes: usize, lateness_ms: u32) -> Case {
    let mut settings = settings_of(lateness_ms);
    settings.context.max_bytes = max_bytes;
    Case { crews, settings, events: Vec::new(), seed: 0, temper: 0 }
}
