use proptest::prelude::*;

use super::*;
use crate::{
    json::{JsonProblem, canonicalize},
    wire::TimestampError,
};

const GOAL: &str = r#"{"ts":"2026-05-01T12:00:00Z","kind":"goal","stream_id":"m-1","payload":{}}"#;

fn problem(text: &str) -> EventProblem {
    parse_event(text.as_bytes(), &Limits::default()).unwrap_err().problem
}

/// The problem of the goal with one of its parts replaced.
fn problem_with(part: &str, other: &str) -> EventProblem {
    assert!(GOAL.contains(part));
    problem(&GOAL.replace(part, other))
}

fn event() -> impl Strategy<Value = (StreamId, Event)> {
    let id = || prop::option::of("\\PC{1,20}".prop_map(Arc::from));
    let ids = (id(), id(), id(), id(), id()).prop_map(
        |(id, correlation_id, transaction_id, causation_id, traceparent)| {
            let ids = Ids { id, correlation_id, transaction_id, causation_id, traceparent };
            (ids != Ids::default()).then(|| Box::new(ids))
        },
    );
    let ts = Timestamp::MIN.micros()..=Timestamp::MAX.micros();
    let payload = prop::sample::select(vec!["null", "{\"a\":[1,1.5,\"\\n\"]}", "\"é\"", "-0.0"]);
    let names = ("[a-zA-Z0-9][a-zA-Z0-9_]{0,49}", "[a-zA-Z0-9_-]{1,100}");
    (names, ts, payload, ids).prop_map(|((kind, stream), ts, payload, ids)| {
        let event = Event {
            ts: Timestamp::from_micros(ts).unwrap(),
            kind: Kind::new(&kind).unwrap(),
            payload: Payload::from_canonical(payload),
            ids,
        };
        (StreamId::new(&stream).unwrap(), event)
    })
}

proptest! {
    #[test]
    fn an_event_reads_back_and_its_text_is_canonical((stream, event) in event()) {
        let mut text = Vec::new();
        write_event(&stream, &event, &mut text);
        prop_assert_eq!(&canonicalize(&text, &JsonLimits::default()).unwrap(), &text);
        prop_assert_eq!(parse_event(&text, &Limits::default()), Ok((stream, event)));
    }

    #[test]
    fn a_hurt_event_never_panics((stream, event) in event(), spot: prop::sample::Index, byte: u8) {
        let mut text = Vec::new();
        write_event(&stream, &event, &mut text);
        let at = spot.index(text.len());
        text[at] = byte;
        // Whatever is still accepted is an event that can be written.
        if let Ok((stream, event)) = parse_event(&text, &Limits::default()) {
            let mut again = Vec::new();
            write_event(&stream, &event, &mut again);
            prop_assert_eq!(parse_event(&again, &Limits::default()), Ok((stream, event)));
        }
        prop_assert!(parse_event(&text[..at], &Limits::default()).is_err());
    }
}

#[test]
fn the_payload_is_kept_canonical_and_null_ids_are_absent() {
    let text = r#" { "payload" : {"b": 1.50, "a": [ ]}, "id": null, "kind": "goal",
        "stream_id": "m-1", "ts": "2026-05-01 12:00:00.25+02:00", "traceparent": "00-1" } "#;
    let (stream, event) = parse_event(text.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(event.payload.as_bytes(), br#"{"a":[],"b":1.5}"#);
    assert_eq!(event.id(), None);
    let mut out = Vec::new();
    write_event(&stream, &event, &mut out);
    let expected = r#"{"kind":"goal","payload":{"a":[],"b":1.5},"stream_id":"m-1","#.to_owned()
        + r#""traceparent":"00-1","ts":"2026-05-01T10:00:00.250000Z"}"#;
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn a_reader_shares_names_that_repeat_and_follows_names_that_change() {
    let mut reader = EventReader::new(&Limits::default());
    let other = GOAL.replace("goal", "card").replace("m-1", "m-2");
    for (text, kind, stream) in
        [(GOAL, "goal", "m-1"), (&other, "card", "m-2"), (GOAL, "goal", "m-1")]
    {
        for _ in 0..2 {
            let (read, event) = reader.read(text.as_bytes()).unwrap();
            assert_eq!((event.kind.as_str(), read.as_str()), (kind, stream));
        }
    }
    let reserved = GOAL.replace("goal", "__goal");
    assert!(reader.read(reserved.as_bytes()).is_err());
    assert!(reader.read(reserved.as_bytes()).is_err());
}

#[test]
fn each_fault_of_an_event_has_its_own_problem() {
    use EventProblem as P;
    assert_eq!(problem("[1, 2]"), P::NotAnObject { value: "[1,2]".into() });
    assert_eq!(problem_with("kind", "knd"), P::UnknownField { field: "knd".into() });
    assert_eq!(problem_with("\"kind\":\"goal\",", ""), P::MissingField { field: "kind" });
    assert_eq!(problem_with(",\"payload\":{}", ""), P::MissingField { field: "payload" });
    assert_eq!(problem("{}"), P::MissingField { field: "ts" });
    assert_eq!(
        problem_with("{}", "{},\"id\":null,\"id\":\"a\""),
        P::DuplicateField { field: "id" }
    );
    assert_eq!(
        problem_with("\"goal\"", "{\"a\": 1}"),
        P::NotAString { field: "kind", value: "{\"a\":1}".into() }
    );
    assert_eq!(
        problem_with("\"goal\"", "null"),
        P::NotAString { field: "kind", value: "null".into() }
    );
    assert_eq!(
        problem_with("12:00:00Z", "12:00:60Z"),
        P::Timestamp { value: "2026-05-01T12:00:60Z".into(), error: TimestampError::LeapSecond }
    );
    assert!(matches!(problem_with("goal", "own goal"), P::Name(error) if error.what == "kind"));
    assert!(matches!(problem_with("m-1", ""), P::Name(error) if error.what == "stream_id"));
    assert_eq!(problem_with("goal", "__hb"), P::ReservedKind { kind: "__hb".into() });
    assert_eq!(problem_with("{}", "{},\"id\":\"\""), P::EmptyId { field: "id" });
    assert_eq!(
        problem_with("{}", &format!("{{}},\"traceparent\":\"{}\"", "é".repeat(101))),
        P::LongId { field: "traceparent", value: "é".repeat(60), bytes: 202, limit: 200 }
    );
    assert_eq!(
        problem_with("{}", "{\"a\":1,\"a\":2}"),
        P::Json(JsonProblem::DuplicateKey("a".into()))
    );
    assert_eq!(problem_with("{}", &"[".repeat(200)), P::Json(JsonProblem::TooDeep { limit: 128 }));
    assert_eq!(problem(&format!("{GOAL}1")), P::Json(JsonProblem::TrailingData('1')));
}

#[test]
fn an_event_and_its_payload_have_a_size() {
    let limits = Limits { event_bytes: GOAL.len(), payload_bytes: 2, ..Limits::default() };
    assert!(parse_event(GOAL.as_bytes(), &limits).is_ok());
    let longer = GOAL.replace("{}", "{} ");
    let error = parse_event(longer.as_bytes(), &limits).unwrap_err();
    assert_eq!(error.problem, EventProblem::EventTooLarge { limit: GOAL.len() });
    let longer = GOAL.replace("goal", "g").replace("{}", "123");
    let error = parse_event(longer.as_bytes(), &limits).unwrap_err();
    assert_eq!(error.problem, EventProblem::PayloadTooLarge { bytes: 3, limit: 2 });
}

#[test]
fn a_message_names_place_field_value_and_fix() {
    let message = |from: &str, to: &str| {
        parse_event(GOAL.replace(from, to).as_bytes(), &Limits::default()).unwrap_err().to_string()
    };
    assert_eq!(
        message("\"kind\"", "\n \"knd\""),
        "line 2, column 2: field `knd` is not part of an event; did you mean `kind`?"
    );
    assert_eq!(message("\"goal\"", "7"), "line 1, column 37: field `kind` is `7`; write a string");
}
