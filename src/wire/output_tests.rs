use proptest::prelude::*;

use super::*;
use crate::{json, wire::TimestampError};

fn parse(text: &str) -> Json {
    json::parse(text.as_bytes(), &JsonLimits::default()).unwrap()
}

fn template(text: &str) -> Template {
    Template::new(parse(text)).unwrap()
}

fn map(answer: Answer, emits: &Emits) -> Result<Output, OutputError> {
    let event = parse(r#"{"kind":"goal","payload":{"team":"Home"}}"#);
    let ctx = parse(r#"{"home":2}"#);
    let scope = Scope { event: &event, ctx: &ctx };
    read_output(&CrewName::new("tv-crew").unwrap(), answer, emits, scope, &Limits::default())
}

fn returned(text: &str) -> Result<Output, OutputError> {
    map(Answer::Value(parse(text)), &Emits::default())
}

/// The actions as `kind payload`.
fn actions(text: &str) -> Vec<String> {
    shown(&returned(text).unwrap())
}

fn shown(output: &Output) -> Vec<String> {
    output.actions.iter().map(|draft| format!("{} {:?}", draft.kind, draft.payload)).collect()
}

fn fault(text: &str) -> (String, OutputProblem) {
    let error = returned(text).unwrap_err();
    (error.at, error.problem)
}

#[test]
fn a1_a_mapping_with_kind_and_payload_is_one_action() {
    let text = r#"{"kind":"say","payload":{"a":1},"ttl_ms":300000,"stream_id":"m-2",
        "ts":"1970-01-01T00:00:01Z","correlation_id":"c","transaction_id":null}"#;
    let draft = Draft {
        kind: Kind::new("say").unwrap(),
        payload: Payload::from_canonical(r#"{"a":1}"#),
        ttl_ms: Some(300_000),
        stream: Some(StreamId::new("m-2").unwrap()),
        ts: Timestamp::from_micros(1_000_000),
        correlation_id: Some("c".into()),
        transaction_id: None,
    };
    assert_eq!(returned(text).unwrap().actions, [draft]);
}

#[test]
fn a1_actions_lists_none_and_other_values_map_as_the_rule_says() {
    for (text, expected) in [
        (
            r#"{"actions":[{"kind":"a","payload":1},{"kind":"b","payload":null}]}"#,
            vec!["a 1", "b null"],
        ),
        (r#"{"actions":[]}"#, vec![]),
        (
            r#"[{"kind":"a","payload":1},null,7,[8]]"#,
            vec!["a 1", "tv_crew_result 7", "tv_crew_result [8]"],
        ),
        ("[]", vec![]),
        ("null", vec![]),
        (r#""hi""#, vec![r#"tv_crew_result "hi""#]),
        (r#"{"kind":"only"}"#, vec![r#"tv_crew_result {"kind":"only"}"#]),
        (r#"{"context":{"a":1}}"#, vec![r#"tv_crew_result {"context":{"a":1}}"#]),
    ] {
        assert_eq!(actions(text), expected, "{text}");
    }
}

#[test]
fn a1_emits_names_kind_and_ttl_of_what_does_not_name_its_own() {
    let emits =
        Emits { kind: Some(Kind::new("say").unwrap()), ttl_ms: Some(9), ..Emits::default() };
    let value = parse(r#"[1,{"kind":"own","payload":2,"ttl_ms":3},{"kind":"own","payload":4}]"#);
    let output = map(Answer::Value(value), &emits).unwrap();
    assert_eq!(shown(&output), ["say 1", "own 2", "own 4"]);
    let ttls: Vec<_> = output.actions.iter().map(|draft| draft.ttl_ms).collect();
    assert_eq!(ttls, [Some(9), Some(3), Some(9)]);
}

#[test]
fn a1_the_default_kind_fits_the_rule_for_kinds_whatever_the_crew_is_called() {
    for (crew, kind) in [
        ("tv-crew", "tv_crew_result".to_owned()),
        ("--x", "x_result".to_owned()),
        ("__", "result".to_owned()),
        (&"x".repeat(64), "x".repeat(50)),
    ] {
        assert_eq!(default_kind(&CrewName::new(crew).unwrap()).as_str(), kind);
    }
}

#[test]
fn a2_context_beside_actions_sets_each_key_at_the_top() {
    let output = returned(r#"{"actions":[],"context":{"b":{"c":1},"a":null}}"#).unwrap();
    let set =
        |key: &str, value: &str| Op { path: vec![key.into()], change: Change::Set(parse(value)) };
    assert_eq!(output.diff.0, [set("a", "null"), set("b", r#"{"c":1}"#)]);
}

#[test]
fn a2_raw_text_is_read_as_parse_says_and_needs_see_what_was_read() {
    let raw =
        |text: &str, parse| map(Answer::Raw(text.to_owned()), &Emits { parse, ..Emits::default() });
    let text = "Done: {\"kind\": \"a\", \"payload\": 1}";
    let output = raw(text, Parse::Auto).unwrap();
    assert_eq!(shown(&output), ["a 1"]);
    assert_eq!(output.value.as_bytes(), br#"{"kind":"a","payload":1}"#);
    let output = raw("Done.", Parse::Auto).unwrap();
    assert_eq!(shown(&output), [r#"tv_crew_result {"text":"Done."}"#]);
    assert_eq!(output.value.as_bytes(), br#"{"text":"Done."}"#);
    let problem = raw("Done.", Parse::Json).unwrap_err().problem;
    assert_eq!(problem, OutputProblem::NoJson("Done.".into()));
    assert!(matches!(raw("[1,", Parse::Json).unwrap_err().problem, OutputProblem::BrokenJson(_)));
}

#[test]
fn a3_templates_give_the_payload_and_add_to_the_context() {
    let emits = Emits {
        kind: Some(Kind::new("say").unwrap()),
        payload: Some(template(
            r#"{"text":"{{ event.payload.team }}: {{ output.n }}","n":"{{ output.n }}"}"#,
        )),
        context: Some(template(r#"{"home":"{{ ctx.home + 1 }}"}"#)),
        ..Emits::default()
    };
    let value = parse(r#"{"n":5,"kind":"x","payload":1}"#);
    let output = map(Answer::Value(value.clone()), &emits).unwrap();
    assert_eq!(shown(&output), [r#"say {"n":5,"text":"Home: 5"}"#]);
    assert_eq!(output.diff.0, [Op { path: vec!["home".into()], change: Change::Set(3.into()) }]);
    assert_eq!(output.value.as_bytes(), &value.to_canonical()[..]);

    let emits = Emits { context: Some(template(r#"{"b":1}"#)), ..Emits::default() };
    let value = parse(r#"{"actions":[{"kind":"x","payload":1}],"context":{"c":2}}"#);
    let output = map(Answer::Value(value), &emits).unwrap();
    assert_eq!(shown(&output), ["x 1"]);
    let keys: Vec<_> = output.diff.0.iter().map(|op| &*op.path[0]).collect();
    assert_eq!(keys, ["c", "b"]);
}

#[test]
fn a3_a_template_that_fails_or_gives_no_object_for_the_context_fails_the_run() {
    let emits = Emits { payload: Some(template(r#""{{ output.x }}""#)), ..Emits::default() };
    let error = map(Answer::Value(parse("{}")), &emits).unwrap_err();
    assert_eq!(error.at, "emits.payload");
    assert!(matches!(error.problem, OutputProblem::Template(_)));
    let emits = Emits { context: Some(template(r#""{{ output }}""#)), ..Emits::default() };
    let error = map(Answer::Value(parse("7")), &emits).unwrap_err();
    assert_eq!(error.at, "emits.context");
}

#[test]
fn a4_what_cannot_be_mapped_fails_with_its_place_and_reason() {
    use OutputProblem as P;
    let wrong = |at: &str, text: &str| {
        let (place, problem) = fault(text);
        assert_eq!(place, at, "{text}");
        assert!(matches!(problem, P::Wrong { .. }), "{text}");
    };
    let action = |rest: &str| format!(r#"[{{"kind":"a","payload":1,{rest}}}]"#);
    wrong("actions", r#"{"actions":"none"}"#);
    wrong("actions[1]", r#"{"actions":[{"kind":"a","payload":1},"b"]}"#);
    wrong("context", r#"{"actions":[],"context":[1]}"#);
    wrong("output.kind", r#"{"kind":1,"payload":1}"#);
    for ttl in ["0", "300001", "-1", "5.0", "\"5\"", "99999999999999999999"] {
        wrong("output[0].ttl_ms", &action(&format!(r#""ttl_ms":{ttl}"#)));
    }
    wrong("output[0].correlation_id", &action(r#""correlation_id":"""#));
    wrong("output[0].stream_id", &action(r#""stream_id":3"#));

    let unknown = |key: &str, known| P::UnknownKey { key: key.into(), known };
    let (at, problem) = fault(&action(r#""tll_ms":1"#));
    assert_eq!((&*at, problem), ("output[0]", unknown("tll_ms", ACTION_KEYS)));
    let (at, problem) = fault(r#"{"actions":[],"contxt":{}}"#);
    assert_eq!((&*at, problem), ("output", unknown("contxt", &["actions", "context"])));
    let (at, problem) = fault(r#"{"actions":[{"kind":"a"}]}"#);
    assert_eq!((&*at, problem), ("actions[0]", P::MissingKey("payload")));
    let (at, problem) = fault(r#"{"kind":"__hb","payload":1}"#);
    assert_eq!((&*at, problem), ("output.kind", P::ReservedKind("__hb".into())));
    let (at, problem) = fault(&action(r#""ts":"noon""#));
    let noon = P::Timestamp { value: "noon".into(), error: TimestampError::Form };
    assert_eq!((&*at, problem), ("output[0].ts", noon));
    assert!(matches!(fault(&action(r#""stream_id":"a b""#)).1, P::Name(_)));
    assert!(matches!(fault(r#"{"kind":"a b","payload":1}"#).1, P::Name(_)));
    let (at, problem) = fault(&action(&format!(r#""transaction_id":"{}""#, "x".repeat(201))));
    let long = P::TooLarge { bytes: 201, limit: 200, name: "id_bytes" };
    assert_eq!((&*at, problem), ("output[0].transaction_id", long));
    let text: Json = (&*"x".repeat(1 << 20)).into();
    let error = map(Answer::Value(text), &Emits::default()).unwrap_err();
    let long = P::TooLarge { bytes: (1 << 20) + 2, limit: 1 << 20, name: "payload_bytes" };
    assert_eq!((&*error.at, error.problem), ("output", long));
}

#[test]
fn a4_a_reserved_kind_in_emits_fails_the_run() {
    let emits = Emits { kind: Some(Kind::new("__x").unwrap()), ..Emits::default() };
    let problem = map(Answer::Value(parse("1")), &emits).unwrap_err().problem;
    assert_eq!(problem, OutputProblem::ReservedKind("__x".into()));
}

#[test]
fn a_message_names_place_value_and_fix() {
    let message = |text: &str| returned(text).unwrap_err().to_string();
    assert_eq!(
        message(r#"{"actions":[{"kind":"a","payload":1,"ttl_ms":"5s"}]}"#),
        r#"actions[0].ttl_ms: found `"5s"`, which is a string; write an integer from 1 to 300000"#
    );
    assert_eq!(
        message(r#"{"kind":"a","payload":1,"streamid":"m"}"#),
        "output: key `streamid` has no meaning here; did you mean `stream_id`?"
    );
}

proptest! {
    #[test]
    fn whatever_is_answered_gives_an_output_or_a_reason(
        text in "[{}\\[\\]\",:1 ]{0,3}(\"(actions|kind|payload|context)\":?)?[{}\\[\\]\",:1 ]{0,8}"
    ) {
        for parse in [Parse::Auto, Parse::Json, Parse::Text] {
            let emits = Emits { parse, ..Emits::default() };
            let mapped = map(Answer::Raw(text.clone()), &emits);
            prop_assert!(mapped.is_ok() || parse != Parse::Text);
        }
    }
}
