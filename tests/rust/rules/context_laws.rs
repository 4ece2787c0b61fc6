//! Chapter 8: the context by its laws: sizes, wholeness, objects spelled out (X2 to X4).

use std::sync::Arc;

use live_crew::{
    engine::{Access, Change, ChangeError, Context, Diff, Op},
    json::{Json, Number, Object},
};
use proptest::prelude::*;

use crate::support::script::json;

fn op(path: &str, change: Change) -> Op {
    Op { path: path.split('.').filter(|key| !key.is_empty()).map(Into::into).collect(), change }
}

fn context(text: &str) -> Context {
    match json(text) {
        Json::Object(root) => Context::from_object(root),
        other => panic!("{other:?} is no object"),
    }
}

#[test]
fn x2_deleting_what_is_not_there_changes_nothing() {
    let mut context = context(r#"{"a":{"b":1}}"#);
    let before = context.clone();
    for path in ["x", "a.x", "a.b.c", "x.y.z"] {
        context.apply(&op(path, Change::Delete)).unwrap();
    }
    assert_eq!(context, before);
}

#[test]
fn x2_writing_below_a_scalar_replaces_it_by_an_object() {
    let mut context = context(r#"{"a":1}"#);
    context.apply(&op("a.b.c", Change::Set(json("2")))).unwrap();
    assert_eq!(format!("{context:?}"), r#"{"a":{"b":{"c":2}}}"#);
}

#[test]
fn x2_a_diff_is_applied_whole_or_not_at_all() {
    let mut context = context(r#"{"a":"text"}"#);
    let before = context.clone();
    let diff =
        Diff(vec![op("b", Change::Set(json("1"))), op("a", Change::Incr(Number::from_i64(1)))]);
    assert_eq!(context.apply_all(&diff), Err(ChangeError::NotANumber("a".to_owned())));
    assert_eq!(context, before);
    assert_eq!(context.apply(&op("", Change::Delete)), Err(ChangeError::NoPath));
}

#[test]
fn x4_no_access_rules_mean_that_all_is_seen() {
    let all = context(r#"{"a":1,"b":{"c":2}}"#);
    assert_eq!(all.readable(None), all);
    assert_eq!(all.readable(Some(&Access::default())), all);
    let none = Access { read: Some(Vec::new()), write: None };
    assert_eq!(all.readable(Some(&none)), Context::default());
}

fn keys() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![Just("a"), Just("b"), Just("é\"\n"), Just("long key")].prop_map(Into::into)
}

fn values() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(|n| Json::Number(Number::from_i64(n))),
        ".{0,4}".prop_map(|text| Json::String(text.into())),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3)
                .prop_map(|items| Json::Array(Arc::new(items))),
            proptest::collection::vec((keys(), inner), 0..3)
                .prop_map(|members| Json::Object(members.into_iter().collect::<Object>())),
        ]
    })
}

fn ops() -> impl Strategy<Value = Op> {
    let change = prop_oneof![
        values().prop_map(Change::Set),
        Just(Change::Delete),
        any::<i32>().prop_map(|n| Change::Incr(Number::from_i64(i64::from(n)))),
        values().prop_map(Change::Append),
        Just(Change::Object),
    ];
    (proptest::collection::vec(keys(), 1..4), change).prop_map(|(path, change)| Op { path, change })
}

proptest! {
    #[test]
    fn x3_the_size_is_the_length_of_the_canonical_text_whatever_changes(
        ops in proptest::collection::vec(ops(), 0..30),
    ) {
        let mut context = Context::default();
        for op in &ops {
            let before = context.clone();
            if context.apply(op).is_err() {
                prop_assert_eq!(&context, &before, "a refused change left a trace");
            }
            prop_assert_eq!(context.bytes(), context.to_json().to_canonical().len());
        }
    }

    #[test]
    fn x2_a_diff_spelled_out_means_to_its_writer_what_the_diff_means(
        start in proptest::collection::vec(ops(), 0..10),
        diff in proptest::collection::vec(ops(), 0..10).prop_map(Diff),
    ) {
        let mut view = Context::default();
        for op in &start {
            let _refused = view.apply(op).is_err();
        }
        let mut plain = view.clone();
        match view.spell_out(&diff) {
            Ok(spelled) => {
                plain.apply_all(&diff).unwrap();
                let mut again = view.clone();
                again.apply_all(&spelled).unwrap();
                prop_assert_eq!(&again, &plain);
            }
            Err(_) => prop_assert!(plain.apply_all(&diff).is_err()),
        }
    }
}
