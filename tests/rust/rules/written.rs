//! Chapter 9, what stands in a journal: its header (J6) and what never may (J7).

use live_crew::{
    engine::{CrewName, CrewSpec, Event, Kind, Op, Pace, Pattern, Plan, StreamId, StreamSettings},
    wire::{
        Body, Change, DecodeError, FORMAT, Header, decode_body, encode_header, redact_diff,
        redact_event, redact_keys,
    },
};

use crate::support::{
    declare::instant,
    script::{json, payload},
};

fn header(edit: impl Fn(&mut CrewSpec, &mut StreamSettings)) -> Header {
    let mut crew = CrewSpec::new(CrewName::new("vision").unwrap());
    crew.triggers = vec![Pattern::new("frame").unwrap()];
    crew.fingerprint = String::from("prompt 1, model 1");
    let mut settings = StreamSettings::new(Pace::Virtual);
    edit(&mut crew, &mut settings);
    let plan = Plan::check(vec![crew], settings).unwrap();
    Header::new(StreamId::new("s").unwrap(), &plan, Some("1.15.3".to_owned()))
}

#[test]
fn j6_a_header_says_all_it_takes_to_fold_the_journal_again() {
    let header = header(|_, _| {});
    let Body::Header(read) = decode_body(&encode_header(&header)).unwrap() else {
        panic!("a header is a header")
    };
    assert_eq!(*read, header);
    assert_eq!(read.live_crew, env!("CARGO_PKG_VERSION"));
    assert_eq!(read.crewai.as_deref(), Some("1.15.3"));
    let plan = read.plan().unwrap();
    assert_eq!(plan.settings, header.settings);
    assert_eq!(plan.crews[0].spec, header.crews[0]);
}

#[test]
fn j6_a_format_of_the_future_is_refused() {
    let mut body = encode_header(&header(|_, _| {})).to_vec();
    body[0] = FORMAT + 1;
    let error = decode_body(&body).unwrap_err();
    assert_eq!(error, DecodeError::NewerFormat { found: FORMAT + 1 });
    assert!(error.to_string().contains("upgrade"), "{error}");
}

#[test]
fn j6_a_change_of_code_and_a_change_of_policy_are_told_apart() {
    let old = header(|_, _| {});
    let change = |edit: &dyn Fn(&mut CrewSpec, &mut StreamSettings)| {
        old.change_to(&header(edit).plan().unwrap())
    };
    assert_eq!(change(&|_, _| {}), Change::None);
    let touched = Change::Fingerprints(vec!["vision".to_owned()]);
    assert_eq!(change(&|crew, _| crew.fingerprint = String::from("prompt 2")), touched);
    assert!(matches!(change(&|crew, _| crew.stride = 2), Change::Plan(_)));
    assert!(matches!(change(&|_, settings| settings.context.max_bytes = 9), Change::Plan(_)));
}

#[test]
fn j7_keys_that_name_secrets_are_replaced_at_any_depth() {
    let config = json(
        r#"{"api_key":"k","deep":[{"Authorization":"b","model":"m"}],"MY_TOKEN":1,"secrets":{"a":2},"stay":3}"#,
    );
    let clean = format!("{:?}", redact_keys(&config));
    assert_eq!(
        clean,
        r#"{"MY_TOKEN":"[redacted]","api_key":"[redacted]","deep":[{"Authorization":"[redacted]","model":"m"}],"secrets":"[redacted]","stay":3}"#
    );
}

#[test]
fn j7_payloads_lose_declared_paths_only() {
    let event = |text: &str| Event {
        ts: instant("0"),
        kind: Kind::new("login").unwrap(),
        payload: payload(text),
        ids: None,
    };
    let secret = r#"{"token":"stays","user":{"mail":"a@b","name":"n"}}"#;
    let mut redacted = event(secret);
    redact_event(&mut redacted, &["user.mail".to_owned()]);
    let kept = r#"{"token":"stays","user":{"mail":"[redacted]","name":"n"}}"#;
    assert_eq!(redacted, event(kept));
    let mut untouched = event(secret);
    redact_event(&mut untouched, &[]);
    assert_eq!(untouched, event(secret));
}

#[test]
fn j7_context_writes_lose_declared_paths_only() {
    use live_crew::engine::{Change, Diff};
    let set = |path: &str, value: &str| Op {
        path: path.split('.').map(Into::into).collect(),
        change: Change::Set(json(value)),
    };
    let mut diff = Diff(vec![
        set("user.mail", r#""a@b""#),
        set("user", r#"{"mail":"a@b","name":"n"}"#),
        set("mail", r#""stays""#),
    ]);
    redact_diff(&mut diff, &["user.mail".to_owned()]);
    let clean = Diff(vec![
        set("user.mail", r#""[redacted]""#),
        set("user", r#"{"mail":"[redacted]","name":"n"}"#),
        set("mail", r#""stays""#),
    ]);
    assert_eq!(diff, clean);
}
