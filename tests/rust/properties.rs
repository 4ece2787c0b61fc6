//! Laws of the engine, on random plans, events and behaviours.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use live_crew::engine::{
    Batch, CrewName, CrewSpec, Diff, Digest, Engine, Fact, Failure, Input, Kind, LatePolicy, Need,
    Outcome, Output, Parcel, Pattern, Payload, Reason, Record, Span, StartAt, Timestamp, Timing,
    WaitPolicy,
};
use proptest::{prelude::*, sample::Index};

use super::{
    model::cases_or,
    support::{
        behaviour::Dice,
        cases::{Case, cases, event, in_realtime, instant, settings_of},
        drive::{World, stream},
    },
};

fn few(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases: cases_or(cases),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(few(300))]

    /// With lateness enough for all of them, no order of arrival can be told from another.
    #[test]
    fn o1_any_order_of_arrival_gives_the_same_bytes(case in cases(), order in any::<u64>()) {
        let mut case = unordered(case);
        let first = bytes(&finish(&case, 0));
        shuffle(&mut case, order);
        prop_assert_eq!(bytes(&finish(&case, 0)), first);
    }

    #[test]
    fn t7_how_inputs_are_batched_changes_no_bytes(case in cases(), pauses in any::<u64>()) {
        let one_by_one = finish(&case, 0);
        let (mut mixed, mut dice) = (World::new(&case, 0), Dice(pauses));
        for cursor in 0..case.events.len() as u64 {
            mixed.event(cursor);
            if dice.below(3) == 0 {
                mixed.work();
            }
        }
        mixed.end();
        let mut at_once = World::new(&case, 0);
        (0..case.events.len() as u64).for_each(|cursor| at_once.event(cursor));
        at_once.end();
        prop_assert_eq!(bytes(&mixed), bytes(&one_by_one));
        prop_assert_eq!(bytes(&at_once), bytes(&one_by_one));
    }

    #[test]
    fn o3_the_order_in_which_runs_come_back_changes_no_bytes(case in cases(), order in any::<u64>()) {
        prop_assert_eq!(bytes(&finish(&case, order)), bytes(&finish(&case, 0)));
    }

    #[test]
    fn t3_every_event_taken_in_is_in_exactly_one_slice(case in cases()) {
        let world = finish(&case, 0);
        let mut taken: Vec<String> = world.journal.iter().filter_map(|(_, record)| match record {
            Record::Event(arrived) | Record::Late(arrived, LatePolicy::Next) => {
                let event = &arrived.event;
                Some(format!("{} {} {:?}", event.ts.micros(), event.kind, event.payload))
            }
            _ => None,
        }).collect();
        let told = world.told();
        let brief = |member: &String| member.split(' ').take(3).collect::<Vec<_>>().join(" ");
        let mut members: Vec<String> = told.values().flat_map(|told| &told.members).map(brief).collect();
        taken.sort();
        members.sort();
        prop_assert_eq!(members, taken);
    }

    #[test]
    fn t6_an_idle_hour_costs_as_much_as_an_idle_minute(case in cases()) {
        let counts = |seconds: i64| {
            let mut case = case.clone();
            case.events.push(event(seconds * 1_000_000, "frame", 0, None));
            let world = finish(&case, 0);
            let idle = world.journal.iter().take_while(|(_, record)| *record != Record::End);
            let commits = idle.clone().filter(|(_, record)| matches!(record, Record::Commit { .. }));
            (idle.count(), commits.count())
        };
        // Both are longer than anything waits, and what the last event does comes after the end.
        prop_assert_eq!(counts(3_600), counts(60));
    }
}

proptest! {
    #![proptest_config(few(60))]

    #[test]
    fn j3_a_crash_at_any_record_loses_nothing_and_repeats_nothing(
        case in cases(),
        arrivals in any::<bool>(),
    ) {
        let case = if arrivals { with_arrivals(case) } else { case };
        let whole = finish(&case, 0);
        for position in 0..=whole.journal.len() {
            let (before, after) = recover(&case, &whole, position, None)?;
            check_recovered(&whole, before, &after, position)?;
        }
    }

    #[test]
    fn j5_a_snapshot_at_any_record_goes_on_as_the_stream_itself(
        case in cases(),
        arrivals in any::<bool>(),
        tail in any::<Index>(),
    ) {
        let case = if arrivals { with_arrivals(case) } else { case };
        let whole = finish(&case, 0);
        let boundaries = (0..=whole.journal.len()).filter(|&at| {
            whole.journal.get(at).is_none_or(|(_, record)| !record.is_derived())
        });
        for position in boundaries {
            let crash = position + tail.index(whole.journal.len() - position + 1);
            let (before, after) = recover(&case, &whole, crash, Some(position))?;
            check_recovered(&whole, before, &after, crash)?;
        }
    }

    #[test]
    fn j4_a_journal_that_was_changed_diverges_or_gives_another_digest(case in cases()) {
        let whole = finish(&case, 0);
        prop_assert_eq!(replayed(&case, &whole.journal).unwrap(), whole.engine.digest());
        for at in 0..whole.journal.len() {
            let mut dropped = whole.journal.clone();
            let (stamp, record) = dropped.remove(at);
            if matters(&record) {
                let digest = replayed(&case, &dropped);
                prop_assert_ne!(digest, Ok(whole.engine.digest()), "dropped {}: {:?}", at, record);
            }
            if let Some(record) = forged(&record) {
                let mut changed = whole.journal.clone();
                changed[at] = (stamp, record.clone());
                let digest = replayed(&case, &changed);
                prop_assert_ne!(digest, Ok(whole.engine.digest()), "changed {}: {:?}", at, record);
            }
        }
    }

    #[test]
    fn j1_the_records_of_a_live_stream_fold_to_what_it_did(
        case in cases(),
        arrivals in any::<bool>(),
        luck in any::<u64>(),
    ) {
        let case = in_realtime(if arrivals { with_arrivals(case) } else { case });
        let mut world = World::new(&case, luck);
        live(&mut world, 0, luck);
        check_live(&world)?;
    }

    #[test]
    fn j3_a_live_stream_that_crashed_keeps_what_it_had_done(
        case in cases(),
        arrivals in any::<bool>(),
        luck in any::<u64>(),
        crash in any::<Index>(),
    ) {
        let case = in_realtime(if arrivals { with_arrivals(case) } else { case });
        let mut first = World::new(&case, luck);
        live(&mut first, 0, luck);
        let prefix = &first.journal[..=crash.index(first.journal.len())];
        let mut world = World::new(&case, !luck);
        let mut engine = Engine::new(Arc::clone(&world.plan), stream());
        for (at, record) in prefix {
            prop_assert_eq!(engine.replay(*at, record.clone()), Ok(()));
        }
        world.now = prefix.last().map_or(world.now, |(at, _)| *at);
        let from = engine.cursor().map_or(0, |cursor| cursor + 1);
        let mut second = world.reborn(engine, prefix.to_vec());
        second.engine.resume(second.now);
        live(&mut second, from, !luck);
        prop_assert_eq!(&second.journal[..prefix.len()], prefix);
        check_live(&second)?;
    }
}

#[test]
fn j3_a_crash_before_an_arrival_fixes_the_epoch_changes_nothing() {
    let mut crew = CrewSpec::new(CrewName::new("a").unwrap());
    crew.triggers = vec![Pattern::new("chat").unwrap()];
    crew.start = StartAt::Arrival;
    let events = vec![event(30_000, "frame", 0, None), event(0, "chat", 0, None)];
    let case = Case { crews: vec![crew], settings: settings_of(0), events, seed: 0, temper: 0 };
    let whole = finish(&case, 0);
    for position in 0..=whole.journal.len() {
        let (before, after) = recover(&case, &whole, position, None).unwrap();
        check_recovered(&whole, before, &after, position).unwrap();
    }
}

#[test]
fn t7_a_commit_waits_for_a_sync_run_that_a_timer_started() {
    let spec = |name, trigger| CrewSpec {
        triggers: vec![Pattern::new(trigger).unwrap()],
        ..CrewSpec::new(CrewName::new(name).unwrap())
    };
    let mut sync = spec("a", "chat");
    sync.needs = vec![Need::Event { kind: Kind::new("goal_home").unwrap(), offset: 0 }];
    sync.wait = WaitPolicy::Timeout(Span::from_ms(1));
    (sync.timing, sync.timeout) = (Timing::Sync, Some(Span::from_secs(9)));
    let crews = vec![sync, spec("b", "frame")];
    let events = vec![event(0, "chat", 0, None), event(12_000, "frame", 0, None)];
    let case = Case { crews, settings: settings_of(0), events, seed: 0, temper: 0 };
    let case = in_realtime(case);
    let mut world = World::new(&case, 0);
    let tick = |world: &mut World<'_>, ms: i64| {
        world.now = instant(ms * 1_000);
        world.tell(Input::Tick);
        world.obey();
    };
    world.event(0);
    tick(&mut world, 11);
    tick(&mut world, 13);
    assert_eq!(world.jobs.len(), 1, "the timer has started the sync run, in slice 1");
    world.event(1);
    tick(&mut world, 20);
    assert_eq!(world.engine.commits(), 1, "slice 0, in which the run was made");
    world.work();
    assert_eq!(world.told()[&1].outcomes.len(), 1, "the sync run lands where it started");
    world.end();
    check_live(&world).unwrap();
}

/// The journal of a finished live stream folds to its end, and every run that was made ends once.
fn check_live(world: &World<'_>) -> Result<(), TestCaseError> {
    let mut engine = Engine::new(Arc::clone(&world.plan), stream());
    engine.observe();
    for (position, (at, record)) in world.journal.iter().enumerate() {
        // Nothing is known to be published, so resuming publishes everything again.
        if !matches!(record, Record::Published(_)) {
            let folded = engine.replay(*at, record.clone());
            prop_assert!(folded.is_ok(), "record {}: {:?}", position, folded);
        }
    }
    let (mut made, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for fact in engine.take_facts() {
        match fact {
            Fact::Queued { run, .. } => prop_assert!(made.insert(run), "made twice: {:?}", run),
            Fact::Landed { run, .. } | Fact::Ended { run, .. } => {
                prop_assert!(ended.insert(run), "ended twice: {:?}", run);
            }
            _ => {}
        }
    }
    let lost: Vec<_> = made.difference(&ended).collect();
    prop_assert!(lost.is_empty(), "never ended: {:?}", lost);
    prop_assert_eq!(engine.digest(), world.engine.digest());
    prop_assert_eq!(engine.context(), world.engine.context());
    let mut again = World::new(world.case, 0).reborn(engine, Vec::new());
    again.engine.resume(world.now);
    again.obey();
    for (number, parcel) in &world.outside.parcels {
        prop_assert_eq!(again.outside.parcels.get(number), Some(parcel));
    }
    let actions = again.actions();
    let ids: BTreeSet<&str> =
        actions.iter().filter_map(|action| action.split(' ').next()).collect();
    prop_assert_eq!(ids.len(), actions.len(), "an action id twice");
    Ok(())
}

fn finish(case: &Case, order: u64) -> World<'_> {
    let mut world = World::new(case, order);
    world.run(0);
    world
}

/// Everything of a finished stream that must not depend on chance.
fn bytes(world: &World<'_>) -> impl PartialEq + std::fmt::Debug + use<> {
    let digests: BTreeMap<_, _> = world.outside.digests.clone();
    let context = format!("{:?}", world.engine.context());
    (world.outside.reports.clone(), digests, world.actions(), world.dead_letters(), context)
}

/// A case in which nothing depends on arrival: nothing is late but what comes before the epoch,
/// nothing fails the stream, no id comes twice.
fn unordered(mut case: Case) -> Case {
    case.settings.lateness = Span::from_secs(10);
    case.settings.late_by_kind.clear();
    if case.settings.late == LatePolicy::Fail {
        case.settings.late = LatePolicy::Next;
    }
    for (event, n) in case.events.iter_mut().zip(0..) {
        if let Some(ids) = &mut event.ids {
            ids.id = Some(format!("id{n}").into());
        }
    }
    case
}

fn shuffle(case: &mut Case, order: u64) {
    let mut dice = Dice(order);
    for at in (1..case.events.len()).rev() {
        case.events.swap(at, dice.place(at + 1));
    }
}

/// Lets every crew that may start on arrival do so (rule C10).
fn with_arrivals(mut case: Case) -> Case {
    for crew in &mut case.crews {
        if may_start_on_arrival(crew) {
            crew.start = StartAt::Arrival;
        }
    }
    case
}

fn may_start_on_arrival(crew: &CrewSpec) -> bool {
    !crew.triggers.is_empty()
        && (crew.needs.is_empty() || crew.wait == WaitPolicy::None)
        && crew.stride == 1
        && crew.batch == Batch::Event
        && crew.timing == Timing::Async
}

/// A stream that died when so many records were durable, and its end after it came back. The
/// first value is the number of the last parcel known to be published before.
fn recover<'a>(
    case: &'a Case,
    whole: &World<'a>,
    position: usize,
    snapshot: Option<usize>,
) -> Result<(u64, World<'a>), TestCaseError> {
    let mut world = World::new(case, 1);
    let mut engine = Engine::new(Arc::clone(&world.plan), stream());
    let prefix = &whole.journal[..position];
    for (at, (stamp, record)) in prefix.iter().enumerate() {
        if snapshot == Some(at) {
            engine = restored(&engine, &world);
        }
        let folded = engine.replay(*stamp, record.clone());
        prop_assert!(folded.is_ok(), "record {} of {}: {:?}", at, position, folded);
    }
    if snapshot == Some(position) {
        engine = restored(&engine, &world);
    }
    let published = prefix.iter().filter_map(|(_, record)| match record {
        Record::Published(number) => Some(*number),
        _ => None,
    });
    let published = published.max().unwrap_or(0);
    world.now = prefix.last().map_or(world.now, |(stamp, _)| *stamp);
    let from = engine.cursor().map_or(0, |cursor| cursor + 1);
    let mut world = world.reborn(engine, prefix.to_vec());
    world.engine.resume(world.now);
    world.work();
    if !world.finished {
        world.run(from);
    }
    Ok((published, world))
}

fn restored(engine: &Engine, world: &World<'_>) -> Engine {
    let bytes = postcard::to_stdvec(engine.snapshot()).unwrap();
    Engine::restore(Arc::clone(&world.plan), postcard::from_bytes(&bytes).unwrap())
}

fn check_recovered(
    whole: &World<'_>,
    published: u64,
    after: &World<'_>,
    position: usize,
) -> Result<(), TestCaseError> {
    prop_assert_eq!(after.engine.digest(), whole.engine.digest(), "crash at {}", position);
    prop_assert_eq!(after.engine.context(), whole.engine.context(), "crash at {}", position);
    let mut parcels = after.outside.parcels.clone();
    let known = whole.outside.parcels.range(..=published);
    for (number, parcel) in known {
        prop_assert!(parcels.insert(*number, Arc::clone(parcel)).is_none(), "{} twice", number);
    }
    // A run that starts on arrival publishes when it comes back, so parcels may change places.
    prop_assert_eq!(contents(&parcels), contents(&whole.outside.parcels), "crash at {}", position);
    // What the stream wrote down over both lives folds to the same end once more.
    let digest = replayed(after.case, &after.journal);
    prop_assert_eq!(digest, Ok(whole.engine.digest()), "crash at {}", position);
    Ok(())
}

fn contents(parcels: &BTreeMap<u64, Arc<Parcel>>) -> Vec<String> {
    let mut items: Vec<String> =
        parcels.values().flat_map(|parcel| &parcel.items).map(|item| format!("{item:?}")).collect();
    items.sort();
    items
}

/// The digest a journal folds to, or why it does not.
fn replayed(case: &Case, journal: &[(Timestamp, Record)]) -> Result<Option<Digest>, String> {
    let world = World::new(case, 0);
    let mut engine = Engine::new(Arc::clone(&world.plan), stream());
    for (at, record) in journal {
        engine.replay(*at, record.clone()).map_err(|divergence| divergence.to_string())?;
    }
    Ok(engine.digest())
}

/// Whether a digest can tell that this record is gone: not what only says how far others are, and
/// not a close in which nothing happened.
fn matters(record: &Record) -> bool {
    matches!(
        record,
        Record::Event(_)
            | Record::Late(_, LatePolicy::Next)
            | Record::Epoch(_)
            | Record::Result { .. }
            | Record::Start { .. }
            | Record::Commit { .. }
    )
}

/// The record with something else in it, where that must be seen.
fn forged(record: &Record) -> Option<Record> {
    let mut record = record.clone();
    match &mut record {
        Record::Event(arrived) | Record::Late(arrived, LatePolicy::Next) => {
            Arc::make_mut(arrived).event.payload = Payload::from_canonical(&b"\"forged\""[..]);
        }
        Record::Result { outcome, .. } => {
            *outcome = match outcome {
                Outcome::Done(_) => {
                    Outcome::Failed(Failure { reason: Reason::Error, message: "forged".into() })
                }
                Outcome::Failed(_) => Outcome::Done(Arc::new(Output {
                    actions: Vec::new(),
                    diff: Diff::default(),
                    value: Payload::null(),
                })),
            };
        }
        Record::Start { attempt, .. } => *attempt += 1,
        Record::Commit { digest, .. } => digest.0[7] ^= 1,
        _ => return None,
    }
    Some(record)
}

/// Runs a live stream in which inputs, answers and the clock come in any order luck wants.
fn live(world: &mut World<'_>, mut cursor: u64, luck: u64) {
    let mut dice = Dice(luck);
    let mut up_to = |ms: u64| Span::from_ms(u32::try_from(dice.below(ms)).unwrap());
    let events = &world.case.events;
    while cursor < events.len() as u64 {
        world.obey();
        match up_to(4).micros() / 1_000 {
            0 => {
                let ts = events[usize::try_from(cursor).unwrap()].ts;
                world.now = world.now.max(ts).plus(up_to(8));
                world.event(cursor);
                cursor += 1;
            }
            1 => {
                world.now = world.now.plus(up_to(15));
                world.tell(Input::Tick);
            }
            _ => world.answer_one(),
        }
    }
    world.end();
}
