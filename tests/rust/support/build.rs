//! Events, plans and outcomes in few words.

use std::sync::Arc;

use live_crew::{
    engine::{
        Change, CrewName, CrewSpec, Diff, Draft, Event, Failure, Ids, Kind, Op, Outcome, Output,
        Pace, Pattern, Payload, Plan, Reason, StreamId, StreamSettings, Timestamp,
    },
    json::Number,
    transport::{Cursor, Delivery},
};

pub(crate) fn stream(name: &str) -> StreamId {
    StreamId::new(name).unwrap()
}

pub(crate) fn kind(name: &str) -> Kind {
    Kind::new(name).unwrap()
}

pub(crate) fn text(json: impl Into<String>) -> Payload {
    Payload::from_canonical(json.into())
}

/// An event `ms` after 1970.
pub(crate) fn event(ms: i64, name: &str, payload: impl Into<String>) -> Event {
    Event {
        ts: Timestamp::from_micros(ms * 1_000).unwrap(),
        kind: kind(name),
        payload: text(payload),
        ids: None,
    }
}

pub(crate) fn with_id(event: Event, id: &str) -> Event {
    let ids = Ids { id: Some(id.into()), ..Ids::default() };
    Event { ids: Some(Box::new(ids)), ..event }
}

pub(crate) fn delivery(name: &str, event: Event, cursor: u64) -> Delivery {
    Delivery::Event { stream: stream(name), event, cursor: Cursor(cursor) }
}

pub(crate) fn crew(name: &str, triggers: &[&str]) -> CrewSpec {
    CrewSpec {
        triggers: triggers.iter().map(|kind| Pattern::new(kind).unwrap()).collect(),
        ..CrewSpec::new(CrewName::new(name).unwrap())
    }
}

pub(crate) fn plan(crews: Vec<CrewSpec>, settings: StreamSettings) -> Arc<Plan> {
    Plan::check(crews, settings).unwrap()
}

/// Settings in which slices are 100 ms and nothing waits for stragglers.
pub(crate) fn settings(pace: Pace) -> StreamSettings {
    StreamSettings {
        beat: live_crew::engine::Beat::from_ms(100).unwrap(),
        lateness: live_crew::engine::Span::ZERO,
        ..StreamSettings::new(pace)
    }
}

pub(crate) fn action(name: &str, payload: impl Into<String>) -> Draft {
    Draft {
        kind: kind(name),
        payload: text(payload),
        ttl_ms: None,
        stream: None,
        ts: None,
        correlation_id: None,
        transaction_id: None,
    }
}

/// Adds to a number in the context.
pub(crate) fn count(key: &str, by: i64) -> Op {
    Op { path: vec![key.into()], change: Change::Incr(Number::from_i64(by)) }
}

pub(crate) fn done(actions: Vec<Draft>, changes: Vec<Op>) -> Outcome {
    Outcome::Done(Arc::new(Output { actions, diff: Diff(changes), value: Payload::null() }))
}

pub(crate) fn failed(message: &str) -> Outcome {
    Outcome::Failed(Failure { reason: Reason::Error, message: message.to_owned() })
}
