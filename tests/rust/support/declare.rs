//! The lines of a story that declare crews and settings.

use std::{collections::BTreeMap, str::FromStr};

use live_crew::engine::{
    Access, Backlog, Batch, Beat, Conflicts, CrewName, CrewSpec, EpochPolicy, Kind, LatePolicy,
    Need, OnMiss, Pace, Pattern, Span, StartAt, StreamSettings, Timestamp, Timing, WaitPolicy,
};

use super::script::Line;

/// The instant that stories count their milliseconds from: a multiple of every beat they use.
pub(crate) const BASE: i64 = 1_700_000_000_000_000;

/// An instant of a story; `99.5` is half a millisecond before `100`.
pub(crate) fn instant(ms: &str) -> Timestamp {
    let (whole, part) = ms.split_once('.').unwrap_or((ms, "0"));
    let micros: i64 = format!("{part:0<3}").parse().expect("up to three digits of microseconds");
    let whole: i64 = number(whole);
    let micros = if ms.starts_with('-') { -micros } else { micros };
    Timestamp::from_micros(BASE + whole * 1_000 + micros).expect("stories stay near their start")
}

/// Everything a story declares.
pub(crate) struct Declared {
    pub(crate) crews: Vec<CrewSpec>,
    pub(crate) settings: StreamSettings,
    pub(crate) scripts: BTreeMap<CrewName, Vec<Line>>,
    /// Whether the broker says what it has taken.
    pub(crate) publishes: bool,
    /// Whether the instants of runs and actions are said.
    pub(crate) shows_time: bool,
}

impl Declared {
    /// Reads the declarations of a story; what happens in it is left alone.
    pub(crate) fn read(story: &str) -> Self {
        let mut settings = StreamSettings::new(Pace::Virtual);
        settings.beat = Beat::from_ms(100).expect("it is in range");
        settings.lateness = Span::ZERO;
        let mut declared = Self {
            crews: Vec::new(),
            settings,
            scripts: BTreeMap::new(),
            publishes: true,
            shows_time: false,
        };
        for line in story.lines() {
            let line = line.split(" # ").next().unwrap_or_default().trim();
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "crew" => declared.crews.push(crew(rest)),
                "does" => {
                    let crew = declared.crews.last().expect("`does` stands below its crew");
                    declared.scripts.entry(crew.name.clone()).or_default().push(Line::read(rest));
                }
                _ => declared.set(word, &rest.split_whitespace().collect::<Vec<_>>()),
            }
        }
        declared
    }

    fn set(&mut self, word: &str, rest: &[&str]) {
        let settings = &mut self.settings;
        match (word, rest) {
            ("pace", ["realtime"]) => settings.pace = Pace::Realtime,
            ("slice", [ms]) => settings.beat = Beat::from_ms(number(ms)).expect("a beat"),
            ("lateness", [ms]) => settings.lateness = ms_span(ms),
            ("late", [policy]) => settings.late = late(policy),
            ("late", [kind, policy]) => {
                settings.late_by_kind.insert(Kind::new(kind).unwrap(), late(policy));
            }
            ("epoch", ["aligned"]) => settings.epoch = EpochPolicy::Aligned,
            ("epoch", [ms]) => settings.epoch = EpochPolicy::At(instant(ms)),
            ("dedupe", [secs]) => settings.dedupe_window = Span::from_secs(number(secs)),
            ("max_bytes", [bytes]) => settings.context.max_bytes = number(bytes),
            ("conflicts", ["error"]) => settings.context.conflicts = Conflicts::Error,
            ("access", [crew, "read", globs @ ..]) => {
                access(settings, crew).read = Some(globs.iter().map(ToString::to_string).collect());
            }
            ("access", [crew, "write", globs @ ..]) => {
                access(settings, crew).write =
                    Some(globs.iter().map(ToString::to_string).collect());
            }
            ("kinds", kinds) => {
                settings.kinds = Some(kinds.iter().map(|kind| Kind::new(kind).unwrap()).collect());
            }
            ("limit", [name, value]) => match *name {
                "open_events" => settings.limits.open_events = number(value),
                "actions_per_run" => settings.limits.actions_per_run = number(value),
                "ops_per_run" => settings.limits.ops_per_run = number(value),
                "payload_bytes" => settings.limits.payload_bytes = number(value),
                "dedupe_ids" => settings.limits.dedupe_ids = number(value),
                "crews" => settings.limits.crews = number(value),
                _ => panic!("stories know no limit `{name}`"),
            },
            ("publish", ["off"]) => self.publishes = false,
            ("show", ["time"]) => self.shows_time = true,
            (
                "" | "only" | "now" | "done" | "crash" | "restore" | "enable" | "disable" | "end",
                _,
            ) => {}
            (event, _) if event.starts_with('@') => {}
            _ => panic!("a story cannot say `{word} {}`", rest.join(" ")),
        }
    }
}

fn access<'a>(settings: &'a mut StreamSettings, crew: &str) -> &'a mut Access {
    settings.context.access.entry(CrewName::new(crew).unwrap()).or_default()
}

fn crew(text: &str) -> CrewSpec {
    let mut parts = text.split(", ");
    let head: Vec<&str> = parts.next().unwrap_or_default().split_whitespace().collect();
    let mut spec = CrewSpec::new(CrewName::new(head[0]).unwrap());
    if let Some(triggers) = head.get(2..) {
        spec.triggers = triggers.iter().map(|kind| Pattern::new(kind).unwrap()).collect();
    }
    for part in parts {
        option(&mut spec, &part.split_whitespace().collect::<Vec<_>>());
    }
    spec
}

fn option(spec: &mut CrewSpec, words: &[&str]) {
    match words {
        ["needs", needs @ ..] => spec.needs = needs.iter().map(|text| need(text)).collect(),
        ["wait", "all"] => spec.wait = WaitPolicy::All,
        ["wait", "any"] => spec.wait = WaitPolicy::Any,
        ["wait", "none"] => spec.wait = WaitPolicy::None,
        ["wait", ms] => spec.wait = WaitPolicy::Timeout(ms_span(ms)),
        ["batch", "slice"] => spec.batch = Batch::Slice,
        ["start", "arrival"] => spec.start = StartAt::Arrival,
        ["let", slices] => {
            spec.timing = Timing::Let { slices: number(slices), on_miss: OnMiss::Fail };
        }
        ["let", slices, "late"] => {
            spec.timing = Timing::Let { slices: number(slices), on_miss: OnMiss::Late };
        }
        ["sync"] => spec.timing = Timing::Sync,
        ["concurrency", n] => spec.concurrency = number(n),
        ["stride", n] => spec.stride = number(n),
        ["backlog", "latest"] => spec.backlog = Backlog::Latest,
        ["backlog", n] => spec.max_backlog = number(n),
        ["timeout", ms] => spec.timeout = Some(ms_span(ms)),
        ["retry", attempts, backoff] => {
            spec.retry.attempts = number(attempts);
            spec.retry.backoff = ms_span(backoff);
        }
        ["max_errors", n] => spec.max_errors = number(n),
        ["cooldown", n] => spec.cooldown = Some(number(n)),
        ["priority", n] => spec.priority = number(n),
        ["expire", n] => spec.expire_after = number(n),
        _ => panic!("a crew has no `{}`", words.join(" ")),
    }
}

/// `vision@-1` or `event:goal@0`.
fn need(text: &str) -> Need {
    let (name, offset) = text.split_once('@').expect("a need says `@offset`");
    let offset = number(offset);
    match name.strip_prefix("event:") {
        Some(kind) => Need::Event { kind: Kind::new(kind).unwrap(), offset },
        None => Need::Crew { crew: CrewName::new(name).unwrap(), offset },
    }
}

fn late(word: &str) -> LatePolicy {
    match word {
        "next" => LatePolicy::Next,
        "drop" => LatePolicy::Drop,
        "dead_letter" => LatePolicy::DeadLetter,
        "fail" => LatePolicy::Fail,
        _ => panic!("there is no late policy `{word}`"),
    }
}

fn ms_span(ms: &str) -> Span {
    Span::from_ms(number(ms))
}

/// Reads a number that a story holds.
pub(crate) fn number<T: FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number that fits here"))
}
