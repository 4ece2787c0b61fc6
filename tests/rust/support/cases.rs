//! Random plans, events and behaviours.

use std::fmt;

use live_crew::engine::{
    Access, Backlog, Batch, Beat, Conflicts, CrewName, CrewSpec, EpochPolicy, Event, Ids, Kind,
    LatePolicy, Need, OnMiss, Pace, Pattern, Payload, Retry, Span, StreamSettings, Timestamp,
    Timing, WaitPolicy,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

/// Everything that decides what a stream does.
#[derive(Clone)]
pub struct Case {
    pub crews: Vec<CrewSpec>,
    pub settings: StreamSettings,
    /// In the order of arrival.
    pub events: Vec<Event>,
    pub seed: u64,
    /// How often crews fail, in tenths.
    pub temper: u64,
}

impl fmt::Debug for Case {
    /// Short enough to be read: one line for each crew and event.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for crew in &self.crews {
            let needs: Vec<String> = crew.needs.iter().map(ToString::to_string).collect();
            let triggers: Vec<&str> = crew.triggers.iter().map(Pattern::as_str).collect();
            write!(f, "\n{} on {triggers:?} needs {needs:?} wait {:?}", crew.name, crew.wait)?;
            write!(f, " {:?} {:?} x{}", crew.batch, crew.timing, crew.concurrency)?;
            write!(f, " stride {} {:?} {}", crew.stride, crew.backlog, crew.max_backlog)?;
            write!(f, " retry {} {:?}", crew.retry.attempts, crew.retry.backoff)?;
            write!(f, " errors {} cool {:?}", crew.max_errors, crew.cooldown)?;
            write!(f, " expire {} prio {}", crew.expire_after, crew.priority)?;
        }
        let Self { settings, seed, temper, .. } = self;
        write!(f, "\nlateness {:?} {:?}", settings.lateness, settings.epoch)?;
        write!(f, " late {:?} {:?}", settings.late, settings.late_by_kind)?;
        write!(f, " dedupe {:?} {:?}", settings.dedupe_window, settings.context)?;
        for event in &self.events {
            let ms = (event.ts.micros() - BASE) / 100;
            write!(f, "\n@{}.{} {} {:?}", ms / 10, ms % 10, event.kind, event.payload)?;
            write!(f, " {:?}", event.id())?;
        }
        write!(f, "\nseed {seed} temper {temper}")
    }
}

/// 2026-01-01T00:00:00Z.
pub const BASE: i64 = 1_767_225_600_000_000;
pub const BEAT_MS: u32 = 10;
const KINDS: [&str; 4] = ["goal_home", "goal_away", "frame", "chat"];
const PATTERNS: [&str; 6] = ["goal_home", "goal_*", "*", "frame", "chat", "*_away"];
const NAMES: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];

pub fn instant(micros: i64) -> Timestamp {
    Timestamp::from_micros(BASE + micros).unwrap()
}

pub fn cases() -> impl Strategy<Value = Case> {
    (vec(crew(), 1..=7), settings(), arrivals(), any::<u64>(), 0..4u64).prop_map(
        |(crews, settings, events, seed, temper)| {
            let count = crews.len();
            let crews = crews.into_iter().zip(0..).map(|(crew, at)| fit(crew, at, count)).collect();
            Case { crews, settings, events, seed, temper }
        },
    )
}

fn crew() -> impl Strategy<Value = CrewSpec> {
    let wiring = (vec(select(&PATTERNS[..]), 0..=2), vec(need(), 0..=3), wait());
    let stride = prop_oneof![3 => Just(1), 1 => 2..=3u32];
    let rhythm = (any::<bool>(), timing(), 1..=3u32, stride, any::<bool>());
    let few = prop_oneof![0..=3usize, Just(1_000)];
    let expire = prop_oneof![0..=6u32, Just(600)];
    let patience = (few, expire, 1..=2u32, 0..=1u32, 1..=3u32, option::of(0..=4u32), -1..=1i32);
    (wiring, rhythm, patience).prop_map(|(wiring, rhythm, patience)| {
        let mut spec = CrewSpec::new(CrewName::new("x").unwrap());
        let (triggers, needs, wait) = wiring;
        spec.triggers = triggers.into_iter().map(|text| Pattern::new(text).unwrap()).collect();
        (spec.needs, spec.wait) = (needs, wait);
        let (batch, timing, concurrency, stride, latest) = rhythm;
        spec.batch = if batch { Batch::Slice } else { Batch::Event };
        (spec.timing, spec.concurrency, spec.stride) = (timing, concurrency, stride);
        spec.backlog = if latest { Backlog::Latest } else { Backlog::Fifo };
        let (max_backlog, expire_after, attempts, pause, max_errors, cooldown, priority) = patience;
        (spec.max_backlog, spec.expire_after) = (max_backlog, expire_after);
        spec.retry = Retry { attempts, backoff: Span::from_ms(5 * pause) };
        (spec.max_errors, spec.cooldown, spec.priority) = (max_errors, cooldown, priority);
        spec.timeout = (timing == Timing::Sync).then_some(Span::from_ms(70));
        spec
    })
}

fn need() -> impl Strategy<Value = Need> {
    let offset = prop_oneof![2 => Just(0), 3 => -3..=2i64];
    prop_oneof![
        3 => (select(&NAMES[..]), offset).prop_map(|(name, offset)| Need::Crew {
            crew: CrewName::new(name).unwrap(),
            offset,
        }),
        1 => (select(&KINDS[..]), -3..=2i64).prop_map(|(kind, offset)| Need::Event {
            kind: Kind::new(kind).unwrap(),
            offset,
        }),
    ]
}

fn wait() -> impl Strategy<Value = WaitPolicy> {
    prop_oneof![
        4 => Just(WaitPolicy::All),
        2 => Just(WaitPolicy::Any),
        1 => Just(WaitPolicy::None),
        2 => (0..=45u32).prop_map(|ms| WaitPolicy::Timeout(Span::from_ms(ms))),
    ]
}

fn timing() -> impl Strategy<Value = Timing> {
    prop_oneof![
        4 => Just(Timing::Async),
        1 => Just(Timing::Sync),
        2 => (1..=3u32).prop_map(|slices| Timing::Let { slices, on_miss: OnMiss::Fail }),
    ]
}

/// Names a crew by its place and takes out what no plan may have: needs on crews that are not
/// there, cycles at offset 0, crews that only wake each other.
fn fit(mut crew: CrewSpec, at: usize, count: usize) -> CrewSpec {
    crew.name = CrewName::new(NAMES[at]).unwrap();
    let by_landing = crew.triggers.is_empty();
    crew.needs.retain(|need| match need {
        Need::Crew { crew: needed, offset } => {
            let place = NAMES.iter().position(|name| *name == needed.as_str()).unwrap();
            place < at || (place < count && *offset != 0 && !by_landing)
        }
        Need::Event { .. } => true,
    });
    if by_landing && !crew.needs.iter().any(|need| matches!(need, Need::Crew { .. })) {
        crew.triggers = vec![Pattern::new("*").unwrap()];
    }
    crew
}

fn settings() -> impl Strategy<Value = StreamSettings> {
    let late = prop_oneof![
        3 => Just(LatePolicy::Next),
        1 => Just(LatePolicy::Drop),
        1 => Just(LatePolicy::DeadLetter),
        1 => Just(LatePolicy::Fail),
    ];
    let epoch = prop_oneof![
        3 => Just(EpochPolicy::FirstEvent),
        1 => Just(EpochPolicy::Aligned),
        1 => Just(EpochPolicy::At(instant(50_000))),
    ];
    let context = (20..200usize, any::<bool>(), option::weighted(0.3, access()));
    (late.clone(), late, epoch, 0..60u32, option::of(0..60u32), context).prop_map(
        |(late, for_chat, epoch, lateness, window, (max_bytes, strict, access))| {
            let mut settings = settings_of(lateness);
            (settings.late, settings.epoch) = (late, epoch);
            settings.late_by_kind.insert(Kind::new("chat").unwrap(), for_chat);
            if let Some(ms) = window {
                settings.dedupe_window = Span::from_ms(ms);
            }
            settings.context.max_bytes = max_bytes;
            if strict {
                settings.context.conflicts = Conflicts::Error;
            }
            if let Some(access) = access {
                settings.context.access.insert(CrewName::new("a").unwrap(), access);
            }
            settings
        },
    )
}

pub fn settings_of(lateness_ms: u32) -> StreamSettings {
    let mut settings = StreamSettings::new(Pace::Virtual);
    settings.beat = Beat::from_ms(BEAT_MS).unwrap();
    settings.lateness = Span::from_ms(lateness_ms);
    settings
}

fn access() -> impl Strategy<Value = Access> {
    let globs = || {
        let glob = select(&["score", "score.*", "score.home", "n", "*", "deep.er", "log"][..]);
        option::of(vec(glob.prop_map(str::to_owned), 0..=3))
    };
    (globs(), globs()).prop_map(|(read, write)| Access { read, write })
}

/// Events in an order that is nearly that of their instants.
fn arrivals() -> impl Strategy<Value = Vec<Event>> {
    let one =
        (0..260_000i64, 0..50_000i64, select(&KINDS[..]), 0..3u8, option::weighted(0.2, 0..6u8));
    vec(one, 0..30).prop_map(|mut drawn| {
        drawn.sort_by_key(|(micros, delay, ..)| micros + delay);
        drawn
            .into_iter()
            .map(|(micros, _, kind, n, id)| event(micros / 500 * 500, kind, n, id))
            .collect()
    })
}

/// The same case as a live stream.
pub fn in_realtime(mut case: Case) -> Case {
    case.settings.pace = Pace::Realtime;
    case
}

pub fn event(micros: i64, kind: &str, n: u8, id: Option<u8>) -> Event {
    Event {
        ts: instant(micros),
        kind: Kind::new(kind).unwrap(),
        payload: Payload::from_canonical(n.to_string()),
        ids: id.map(|id| Box::new(Ids { id: Some(format!("id{id}").into()), ..Ids::default() })),
    }
}
