//! What the engine says, as lines of a story.
#![allow(clippy::format_push_string, reason = "lines of a story are short")]

use live_crew::engine::{
    Action, Arrived, Context, Emission, ErrorEvent, Fact, Job, LatePolicy, Parcel, Payload, Plan,
    RunId, Timestamp, Trouble,
};

use super::declare::BASE;

/// An instant as milliseconds from the start of the story.
pub(crate) fn ms(ts: Timestamp) -> String {
    let micros = ts.micros() - BASE;
    let (whole, part) = (micros.div_euclid(1_000), micros.rem_euclid(1_000));
    if part == 0 { whole.to_string() } else { format!("{whole}.{part:03}") }
}

/// `vision 0.0`.
pub(crate) fn run(plan: &Plan, run: RunId) -> String {
    format!("{} {}", plan.crew(run.crew).spec.name, run.key)
}

/// `0 start vision 0.0 on frame{"n":1} sees {"a":1} with ears@-1=3:7`.
pub(crate) fn start(plan: &Plan, job: &Job, shows_time: bool) -> String {
    let mut line = format!("{} start {}", job.slice.0, run(plan, job.run));
    if job.attempt > 1 {
        line += &format!(" try {}", job.attempt);
    }
    let triggers: Vec<String> = job.triggers.iter().map(|trigger| event(trigger)).collect();
    line += " on ";
    line += &if triggers.is_empty() { "landing".to_owned() } else { triggers.join(" ") };
    if job.view != Context::default() {
        line += &format!(" sees {:?}", job.view);
    }
    let needs = &plan.crew(job.run.crew).spec.needs;
    for (at, (need, met)) in needs.iter().zip(&job.met).enumerate() {
        line += if at == 0 { " with " } else { " " };
        line += &match met {
            Some(met) if met.output == Payload::null() => format!("{need}={}", met.slice.0),
            Some(met) => format!("{need}={}:{:?}", met.slice.0, met.output),
            None => format!("{need}=?"),
        };
    }
    if shows_time {
        line += &format!(" now {}", ms(job.now));
    }
    line
}

fn event(arrived: &Arrived) -> String {
    let mut text = format!("{}{}", arrived.event.kind, behind(&arrived.event.payload));
    if let Some(intended) = arrived.intended {
        text += &format!("(meant for {})", intended.0);
    }
    text
}

/// A payload, unless it is `null`.
fn behind(payload: &Payload) -> String {
    if *payload == Payload::null() { String::new() } else { format!("{payload:?}") }
}

/// The line of a fact, unless a command tells the same.
pub(crate) fn fact(plan: &Plan, fact: &Fact) -> Option<String> {
    Some(match fact {
        Fact::Landed { run: id, slice, value, .. } => {
            let value = behind(value);
            let value = if value.is_empty() { value } else { format!(" {value}") };
            format!("{} lands {}{value}", slice.0, run(plan, *id))
        }
        Fact::Ended { run: id, slice, reason, missing, .. } => {
            let missing = missing_needs(missing);
            format!("{} ends {} {}{missing}", slice.0, run(plan, *id), reason.as_str())
        }
        Fact::AttemptFailed { run: id, attempt, failure } => {
            format!("fails {} try {attempt} {}", run(plan, *id), failure.reason.as_str())
        }
        Fact::Stale { run: id, attempt } => format!("stale {} try {attempt}", run(plan, *id)),
        Fact::Disabled { crew, from, until } => {
            let name = &plan.crew(*crew).spec.name;
            let until = until.map_or("for good".to_owned(), |until| format!("until {}", until.0));
            format!("{} disabled {name} {until}", from.0)
        }
        Fact::Queued { .. }
        | Fact::Met { .. }
        | Fact::Started { .. }
        | Fact::Given { .. }
        | Fact::Noted { .. }
        | Fact::Accumulated { .. }
        | Fact::Committed { .. } => {
            return None;
        }
    })
}

fn missing_needs(missing: &[String]) -> String {
    if missing.is_empty() { String::new() } else { format!(" missing {}", missing.join(", ")) }
}

/// One line for each thing that leaves the stream.
pub(crate) fn parcel(plan: &Plan, parcel: &Parcel, shows_time: bool) -> Vec<String> {
    let slice = parcel.slice.0;
    let line = |item: &Emission| match item {
        Emission::Action(action) => format!("{slice} act {}", one_action(plan, action, shows_time)),
        Emission::Error(error) => format!("{slice} error {}", one_error(error)),
        Emission::Late(arrived, policy) => format!("{slice} {}", late(arrived, *policy)),
    };
    parcel.items.iter().map(line).collect()
}

fn one_action(plan: &Plan, action: &Action, shows_time: bool) -> String {
    let mut line = format!("{} {}", run(plan, action.run), action.kind);
    line += &behind(&action.payload);
    if let Some(ttl_ms) = action.ttl_ms {
        line += &format!(" ttl={ttl_ms}");
    }
    if let Some(stream) = &action.stream {
        line += &format!(" stream={stream}");
    }
    for (key, value) in [("corr", &action.correlation_id), ("trans", &action.transaction_id)] {
        if let Some(value) = value {
            line += &format!(" {key}={value}");
        }
    }
    if shows_time {
        line += &format!(" ts {}", ms(action.ts));
    }
    line
}

fn one_error(error: &ErrorEvent) -> String {
    let name = &error.crew;
    match &error.what {
        Trouble::Run(failure) => {
            let key = error.run.expect("a failed run has a key");
            let missing = missing_needs(&error.missing);
            format!("{name} {key} {}: {}{missing}", failure.reason.as_str(), failure.message)
        }
        Trouble::CrewDisabled { failures } => format!("{name} disabled after {failures}"),
        Trouble::Conflict { path, first, last } => format!("conflict {path} {first} {last}"),
    }
}

/// A late event, and what becomes of it.
pub(crate) fn late(arrived: &Arrived, policy: LatePolicy) -> String {
    let policy = match policy {
        LatePolicy::Next => "next",
        LatePolicy::Drop => "drop",
        LatePolicy::DeadLetter => "dead_letter",
        LatePolicy::Fail => "fail",
    };
    let intended = arrived.intended.map_or(0, |slice| slice.0);
    format!("late {} meant for {intended} {policy}", event_name(arrived))
}

fn event_name(arrived: &Arrived) -> String {
    format!("{}{}", arrived.event.kind, behind(&arrived.event.payload))
}
