//! What Python declares, under the names of the YAML files, as what the engine takes.

use std::collections::BTreeMap;

use pyo3::{exceptions::PyValueError, prelude::*};
use pythonize::depythonize;
use serde::Deserialize;

use crate::{
    engine::{
        Backlog, Batch, Beat, ContextSettings, CrewName, CrewSpec, EpochPolicy, Kind, LatePolicy,
        Limits, Need, OnMiss, Pace, Pattern, Redact, Retry, Span, StartAt, StreamSettings, Timing,
        WaitPolicy,
    },
    wire::{Emits, parse_timestamp},
};

/// One crew as `<crew>.runtime.yaml` says it; what is absent has the engine's default.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Crew {
    #[serde(rename = "crew")]
    name: String,
    #[serde(default)]
    triggers: Vec<String>,
    #[serde(default)]
    needs: Vec<Needed>,
    wait_policy: Option<String>,
    batch: Option<Batch>,
    start: Option<StartAt>,
    timing: Option<When>,
    concurrency: Option<u32>,
    slice_stride: Option<u32>,
    backlog_policy: Option<Backlog>,
    max_backlog: Option<usize>,
    timeout_ms: Option<u32>,
    retry: Option<Again>,
    max_errors: Option<u32>,
    cooldown_slices: Option<u32>,
    priority: Option<i32>,
    expire_after: Option<u32>,
    emits: Option<Emits>,
    #[serde(default)]
    fingerprint: String,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Needed {
    Crew { crew: String, offset: i64 },
    Event { event: String, offset: i64 },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum When {
    Word(String),
    Let {
        #[serde(rename = "let")]
        slices: u32,
        on_miss: Option<OnMiss>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    attempts: u32,
    #[serde(default)]
    backoff_ms: u32,
}

/// What holds for every stream, as `live_crew_config.yaml` says it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Streams {
    slice_ms: Option<u32>,
    lateness_ms: Option<u32>,
    epoch: Option<String>,
    late_policy: Option<LatePolicy>,
    late_policy_by_kind: BTreeMap<Kind, LatePolicy>,
    dedupe_window_s: Option<u32>,
    context: Option<ContextSettings>,
    redact: Option<Redact>,
    kinds: Option<Vec<Kind>>,
    limits: Option<Limits>,
}

/// A crew's place in the plan, and how its answers become actions.
pub(super) fn crew(dict: &Bound<'_, PyAny>) -> PyResult<(CrewSpec, Emits)> {
    let crew: Crew = depythonize(dict)?;
    let wrong = |field: &str, why: &dyn std::fmt::Display| {
        PyValueError::new_err(format!("crew `{}`: `{field}`: {why}", crew.name))
    };
    let name = CrewName::new(&crew.name).map_err(|error| wrong("crew", &error))?;
    let base = CrewSpec::new(name);
    let triggers: Result<_, _> = crew.triggers.iter().map(|glob| Pattern::new(glob)).collect();
    let needs: PyResult<_> = crew
        .needs
        .iter()
        .map(|need| self::need(need).map_err(|why| wrong("needs", &why)))
        .collect();
    let wait = match crew.wait_policy.as_deref() {
        None => base.wait,
        Some(word) => wait(word).ok_or_else(|| {
            wrong("wait_policy", &format!("`{word}` is not all, any, none or timeout:<ms>"))
        })?,
    };
    let timing = match &crew.timing {
        None => base.timing,
        Some(When::Word(word)) => match word.as_str() {
            "async" => Timing::Async,
            "sync" => Timing::Sync,
            other => {
                let why = format!("`{other}` is not async, sync or {{let: n}}");
                return Err(wrong("timing", &why));
            }
        },
        Some(When::Let { slices, on_miss }) => {
            Timing::Let { slices: *slices, on_miss: on_miss.unwrap_or(OnMiss::Fail) }
        }
    };
    let retry = crew.retry.as_ref().map_or(base.retry, |again| Retry {
        attempts: again.attempts,
        backoff: Span::from_ms(again.backoff_ms),
    });
    let spec = CrewSpec {
        triggers: triggers.map_err(|error| wrong("triggers", &error))?,
        needs: needs?,
        wait,
        timing,
        retry,
        batch: crew.batch.unwrap_or(base.batch),
        start: crew.start.unwrap_or(base.start),
        concurrency: crew.concurrency.unwrap_or(base.concurrency),
        stride: crew.slice_stride.unwrap_or(base.stride),
        backlog: crew.backlog_policy.unwrap_or(base.backlog),
        max_backlog: crew.max_backlog.unwrap_or(base.max_backlog),
        timeout: crew.timeout_ms.map(Span::from_ms),
        max_errors: crew.max_errors.unwrap_or(base.max_errors),
        cooldown: crew.cooldown_slices,
        priority: crew.priority.unwrap_or(base.priority),
        expire_after: crew.expire_after.unwrap_or(base.expire_after),
        fingerprint: crew.fingerprint,
        name: base.name,
    };
    Ok((spec, crew.emits.unwrap_or_default()))
}

/// The settings of every stream.
pub(super) fn settings(dict: &Bound<'_, PyAny>, pace: Pace) -> PyResult<StreamSettings> {
    let streams: Streams = depythonize(dict)?;
    let base = StreamSettings::new(pace);
    let beat = match streams.slice_ms {
        None => base.beat,
        Some(ms) => Beat::from_ms(ms).ok_or_else(|| {
            PyValueError::new_err(format!("`slice_ms` is {ms}, it takes 1 to 10000"))
        })?,
    };
    let epoch = match streams.epoch.as_deref() {
        None => base.epoch,
        Some("first_event") => EpochPolicy::FirstEvent,
        Some("aligned") => EpochPolicy::Aligned,
        Some(instant) => EpochPolicy::At(parse_timestamp(instant).map_err(|error| {
            let why = format!("`epoch` is `{instant}`: {error}; or first_event, or aligned");
            PyValueError::new_err(why)
        })?),
    };
    Ok(StreamSettings {
        beat,
        epoch,
        pace,
        lateness: streams.lateness_ms.map_or(base.lateness, Span::from_ms),
        late: streams.late_policy.unwrap_or(base.late),
        late_by_kind: streams.late_policy_by_kind,
        dedupe_window: streams.dedupe_window_s.map_or(base.dedupe_window, Span::from_secs),
        context: streams.context.unwrap_or(base.context),
        redact: streams.redact.unwrap_or(base.redact),
        kinds: streams.kinds,
        limits: streams.limits.unwrap_or(base.limits),
    })
}

/// A pace by its name.
pub(super) fn pace(word: &str) -> PyResult<Pace> {
    match word {
        "virtual" => Ok(Pace::Virtual),
        "realtime" => Ok(Pace::Realtime),
        other => {
            Err(PyValueError::new_err(format!("`pace` is `{other}`, not virtual or realtime")))
        }
    }
}

fn need(need: &Needed) -> Result<Need, String> {
    match need {
        Needed::Crew { crew, offset } => {
            let crew = CrewName::new(crew).map_err(|error| error.to_string())?;
            Ok(Need::Crew { crew, offset: *offset })
        }
        Needed::Event { event, offset } => {
            let kind = Kind::new(event).map_err(|error| error.to_string())?;
            Ok(Need::Event { kind, offset: *offset })
        }
    }
}

fn wait(word: &str) -> Option<WaitPolicy> {
    match word {
        "all" => Some(WaitPolicy::All),
        "any" => Some(WaitPolicy::Any),
        "none" => Some(WaitPolicy::None),
        timed => {
            Some(WaitPolicy::Timeout(Span::from_ms(timed.strip_prefix("timeout:")?.parse().ok()?)))
        }
    }
}
