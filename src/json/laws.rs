//! The laws of this room, as properties.

use std::{collections::BTreeMap, sync::Arc};

use proptest::{prelude::*, sample::Index};

use super::*;

const LIMITS: JsonLimits = JsonLimits { depth: 128, bytes: 1 << 20 };

/// A value with one of its many texts: white space, escapes and the order of keys are free.
type Document = (Json, String);

fn space() -> impl Strategy<Value = &'static str> + Clone {
    prop_oneof![4 => Just(""), 1 => Just(" "), 1 => Just("\r\n\t ")]
}

fn word() -> impl Strategy<Value = String> + Clone {
    prop_oneof!["[a-c]{0,2}", "\\PC{0,4}", "[\"\\\\\u{0}-\u{1f}a\u{7f}]{0,3}"]
}

/// `text` in quotes, with every character escaped or as few as JSON allows.
fn quoted(text: &str, escape_all: bool) -> String {
    if escape_all {
        let units: Vec<_> = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        return format!("\"{}\"", units.concat());
    }
    let mut out = Vec::new();
    write_string(text, &mut out);
    String::from_utf8(out).unwrap()
}

fn leaf() -> impl Strategy<Value = Document> {
    let scanned = |is_integer| {
        move |text: String| {
            let number = Number::from_scanned(&text, is_integer).unwrap();
            (Json::Number(number), text)
        }
    };
    prop_oneof![
        Just((Json::Null, "null".to_owned())),
        any::<bool>().prop_map(|b| (Json::from(b), b.to_string())),
        any::<i64>().prop_map(|i| (Json::from(i), i.to_string())),
        "-?[1-9][0-9]{0,40}".prop_map(scanned(true)),
        "-?(0|[1-9][0-9]{0,17})\\.[0-9]{1,18}([eE][+-]?[0-9]{1,2})?".prop_map(scanned(false)),
        (word(), any::<bool>()).prop_map(|(t, all)| (Json::from(&*t), quoted(&t, all))),
    ]
}

fn document() -> impl Strategy<Value = Document> {
    leaf().prop_recursive(5, 60, 6, |inner| {
        let member = (any::<bool>(), any::<u32>(), space(), inner.clone());
        prop_oneof![
            prop::collection::vec((inner, space()), 0..6).prop_map(array),
            prop::collection::btree_map(word(), member, 0..6).prop_map(object),
        ]
    })
}

fn array(items: Vec<(Document, &str)>) -> Document {
    let texts: Vec<_> = items.iter().map(|((_, text), s)| format!("{s}{text}{s}")).collect();
    let values = items.into_iter().map(|((value, _), _)| value).collect();
    (Json::Array(Arc::new(values)), format!("[{}]", texts.join(",")))
}

fn object(members: BTreeMap<String, (bool, u32, &str, Document)>) -> Document {
    let mut texts: Vec<_> = members
        .iter()
        .map(|(key, (all, rank, s, (_, text)))| {
            (rank, format!("{s}{}{s}:{s}{text}{s}", quoted(key, *all)))
        })
        .collect();
    texts.sort();
    let texts: Vec<_> = texts.into_iter().map(|(_, text)| text).collect();
    let values = members.into_iter().map(|(key, (_, _, _, (value, _)))| (Arc::from(key), value));
    (Json::Object(values.collect()), format!("{{{}}}", texts.join(",")))
}

/// Both readers accept, with the same text, or both refuse.
fn readers_agree(text: &[u8]) -> Result<Option<Json>, TestCaseError> {
    let tree = parse(text, &LIMITS);
    let direct = canonicalize(text, &LIMITS);
    prop_assert_eq!(tree.is_ok(), direct.is_ok(), "{:?} {:?}", tree, direct);
    if let (Ok(tree), Ok(direct)) = (&tree, &direct) {
        prop_assert_eq!(&tree.to_canonical()[..], &direct[..]);
    }
    Ok(tree.ok())
}

/// A valid document, hurt a little or not at all.
fn nearly_a_document() -> impl Strategy<Value = Vec<u8>> {
    (document(), any::<Index>(), 0..4_u8, any::<u8>()).prop_map(|((_, text), spot, how, byte)| {
        let mut bytes = text.into_bytes();
        let at = spot.index(bytes.len());
        match how {
            0 => bytes[at] ^= 1 << (byte % 8),
            1 => bytes.truncate(at),
            2 => bytes.insert(at, byte),
            _ => drop(bytes.remove(at)),
        }
        bytes
    })
}

/// What `serde_json` accepts and we refuse, or reads otherwise.
fn is_known_difference(error: &JsonProblem) -> bool {
    matches!(error, JsonProblem::DuplicateKey(_))
}

proptest! {
    #[test]
    fn both_readers_give_the_value_its_one_canonical_text((value, text) in document()) {
        let canonical = value.to_canonical();
        let read = readers_agree(text.as_bytes())?;
        prop_assert_eq!(read.as_ref(), Some(&value));
        prop_assert_eq!(canonicalize(text.as_bytes(), &LIMITS).unwrap(), &canonical[..]);
        prop_assert_eq!(canonicalize(&canonical, &LIMITS).unwrap(), &canonical[..]);
        prop_assert_eq!(value.size(), canonical.len());
    }

    #[test]
    fn a_value_survives_serde((value, _) in document()) {
        let bytes = postcard::to_stdvec(&value).unwrap();
        prop_assert_eq!(postcard::from_bytes::<Json>(&bytes).unwrap(), value);
    }

    #[test]
    fn a_hurt_document_never_panics_and_serde_json_agrees(text in nearly_a_document()) {
        let ours = readers_agree(&text)?;
        match (ours, serde_json::from_slice::<serde_json::Value>(&text)) {
            (Some(ours), Ok(theirs)) => {
                prop_assert!(alike(&ours, &theirs), "{:?} {}", ours, theirs);
            }
            (None, Ok(_)) => {
                let error = parse(&text, &LIMITS).unwrap_err();
                prop_assert!(is_known_difference(&error.problem), "{}", error);
            }
            (Some(ours), Err(error)) => prop_assert!(false, "{:?} but {}", ours, error),
            (None, Err(_)) => {}
        }
    }

    #[test]
    fn any_bytes_never_panic(text: Vec<u8>) {
        readers_agree(&text)?;
    }

    #[test]
    fn a_place_is_where_the_text_breaks((_, text) in document(), spot: Index) {
        let at = spot.index(text.len());
        let offset = (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap();
        let place = Place::of(text.as_bytes(), offset);
        let before: Vec<_> = text[..offset].split('\n').collect();
        prop_assert_eq!(place.line as usize, before.len());
        prop_assert_eq!(place.column as usize, before.last().unwrap().chars().count() + 1);
    }
}

/// Equal as far as `serde_json` can say: its integers end at 64 bits, its floats are a few bits off.
fn alike(ours: &Json, theirs: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(a), Value::Bool(b)) => a == b,
        (Json::String(a), Value::String(b)) => **a == **b,
        (Json::Number(a), Value::Number(b)) => {
            // `serde_json` reads `-0` as `-0.0`.
            let bits = |float: Option<f64>| float.filter(|f| *f != 0.0).map_or(0, f64::to_bits);
            bits(a.as_f64()).abs_diff(bits(b.as_f64())) <= 16
        }
        (Json::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Json::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && b.iter().all(|(key, b)| a.get(&**key).is_some_and(|a| alike(a, b)))
        }
        _ => false,
    }
}

fn problem(text: &[u8]) -> JsonProblem {
    let direct = canonicalize(text, &LIMITS).unwrap_err();
    assert_eq!(parse(text, &LIMITS), Err(direct.clone()));
    direct.problem
}

#[test]
fn each_fault_has_its_own_problem() {
    use JsonProblem as P;
    let syntax = |expected, found| P::Syntax { expected, found };
    assert_eq!(problem(b""), P::Eof { expected: "a value" });
    assert_eq!(problem(b"[1,]"), syntax("a value", ']'));
    assert_eq!(problem(b"{\"a\":1,}"), syntax("a key in double quotes", '}'));
    assert_eq!(problem(b"{a:1}"), syntax("a key in double quotes", 'a'));
    assert_eq!(problem(b"{\"a\" 1}"), syntax("`:`", '1'));
    assert_eq!(problem(b"[1 2]"), syntax("`,` or `]`", '2'));
    assert_eq!(problem(b"01"), syntax("no digit after a leading zero", '1'));
    assert_eq!(problem(b"+1"), syntax("a value", '+'));
    assert_eq!(problem(b"1."), P::Eof { expected: "a digit" });
    assert_eq!(problem(b"nul"), P::Eof { expected: "`true`, `false` or `null`" });
    assert_eq!(problem(b"1 2"), P::TrailingData('2'));
    assert_eq!(problem(b"[NaN]"), P::NotANumber("NaN".into()));
    assert_eq!(problem(b"[-Infinity]"), P::NotANumber("-Infinity".into()));
    assert_eq!(problem(b"nan"), P::NotANumber("nan".into()));
    assert_eq!(problem(b"1e400"), P::NumberOutOfRange("1e400".into()));
    assert_eq!(problem(b"\"\\ud800\""), P::LoneSurrogate("\\ud800".into()));
    assert_eq!(problem(b"\"\\udc00\\ud800\""), P::LoneSurrogate("\\udc00".into()));
    assert_eq!(problem(b"\"\\ud800\\u0041\""), P::LoneSurrogate("\\ud800".into()));
    assert_eq!(problem(b"\"\\ud800\\ud800\""), P::LoneSurrogate("\\ud800".into()));
    assert_eq!(problem(b"\"\\x\""), P::Escape('x'));
    assert_eq!(problem(b"\"\n\""), P::ControlCharacter('\n'));
    assert_eq!(problem(b"\"\xff\""), P::NotUtf8);
    assert_eq!(problem(b"\xef\xbb\xbf1"), P::ByteOrderMark);
    assert_eq!(problem(br#"{"b":1,"\u0062":2}"#), P::DuplicateKey("b".into()));
    assert_eq!(problem(br#"{"b":1,"a":2,"b":3}"#), P::DuplicateKey("b".into()));
}

#[test]
fn a_message_names_place_problem_and_fix() {
    let message = |text: &str| parse(text.as_bytes(), &LIMITS).unwrap_err().to_string();
    assert_eq!(message("{\n \"é\": 1 x"), "line 2, column 9: expected `,` or `}`, found `x`");
    assert_eq!(
        message("[\"a\u{1}\"]"),
        "line 1, column 4: a control character stands unescaped in a string; write it as `\\u0001`"
    );
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |depth| [vec![b'['; depth], vec![b']'; depth]].concat();
    assert!(parse(&nested(128), &LIMITS).is_ok());
    assert_eq!(problem(&nested(129)), JsonProblem::TooDeep { limit: 128 });
    assert_eq!(problem(&vec![b'['; 1 << 20]), JsonProblem::TooDeep { limit: 128 });
    let endless = JsonLimits { depth: usize::MAX, bytes: usize::MAX };
    let error = parse(&b"{\"a\":".repeat(1 << 20), &endless).unwrap_err();
    assert_eq!(error.problem, JsonProblem::TooDeep { limit: 1_000 });
    assert!(canonicalize(&nested(1_000), &endless).is_ok());
    let short = JsonLimits { bytes: 2, ..LIMITS };
    assert!(parse(b"12", &short).is_ok());
    assert_eq!(parse(b"123", &short).unwrap_err().problem, JsonProblem::TooLarge { limit: 2 });
}

#[test]
fn numbers_keep_what_they_are() {
    let canonical =
        |text: &str| String::from_utf8(canonicalize(text.as_bytes(), &LIMITS).unwrap()).unwrap();
    for (text, expected) in [
        ("-0", "0"),
        ("-0.0", "-0.0"),
        ("1.0", "1.0"),
        ("1.50", "1.5"),
        ("1E2", "100.0"),
        ("0.00001", "1e-5"),
        ("1e-400", "0.0"),
        ("9007199254740993", "9007199254740993"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("0.1000000000000000055511151231257827", "0.1"),
    ] {
        assert_eq!(canonical(text), expected);
    }
}

#[test]
fn keys_sort_by_their_bytes_and_not_by_their_escapes() {
    let text = br#"{"b":1, "\u005c":2, "\"":3, "#;
    let text = [text, "\"é\":4, \"\\u0001\":5, \"\":6}".as_bytes()].concat();
    let expected = "{\"\":6,\"\\u0001\":5,\"\\\"\":3,\"\\\\\":2,\"b\":1,\"é\":4}";
    assert_eq!(canonicalize(&text, &LIMITS).unwrap(), expected.as_bytes());
}
