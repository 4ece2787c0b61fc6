use proptest::prelude::*;

use super::*;

const GOOD: &str = r#"{"ts":"2026-01-01T00:00:00Z","kind":"goal","stream_id":"m1","payload":1}"#;

fn limits() -> Limits {
    Limits { event_bytes: 2_000, payload_bytes: 300, ..Limits::default() }
}

fn decode(input: &[u8]) -> Vec<Delivery> {
    let mut decoder = Decoder::new("events.jsonl", &limits());
    decoder.push(Bytes::copy_from_slice(input));
    let mut deliveries = decoder.take(usize::MAX);
    deliveries.extend(decoder.finish(usize::MAX));
    deliveries
}

fn good_count(deliveries: &[Delivery]) -> usize {
    deliveries.iter().filter(|delivery| matches!(delivery, Delivery::Event { .. })).count()
}

fn dead_letters(deliveries: &[Delivery]) -> Vec<&DeadLetter> {
    let mut letters = Vec::new();
    for delivery in deliveries {
        if let Delivery::Refused(letter) = delivery {
            letters.push(letter);
        }
    }
    letters
}

/// `bad` between two good events, as JSON Lines and as an array: it alone is refused, in `column`
/// of its line, for a reason that says so.
fn check_bad(bad: impl AsRef<[u8]>, column: u32, reason: &str) {
    let bad = bad.as_ref();
    let (good, shown) = (GOOD.as_bytes(), String::from_utf8_lossy(bad));
    let lines = [good, b"\n", bad, b"\n", good].concat();
    let array = [b"[\n", good, b",\n ", bad, b",\n", good, b"]"].concat();
    for (input, line, column) in [(lines, 2, column), (array, 3, column + 1)] {
        let deliveries = decode(&input);
        assert_eq!(good_count(&deliveries), 2, "{shown}");
        let letters = dead_letters(&deliveries);
        let [letter] = letters[..] else { panic!("{letters:?}") };
        let place = letter.place.unwrap();
        assert!(letter.reason.contains(reason), "{shown}: {letter}");
        assert_eq!((place.line, place.column), (line, column), "{shown}: {letter}");
        assert_eq!(place, Place::of(&input, place.offset), "{shown}");
        assert!(bad.starts_with(&letter.raw), "{shown}");
    }
}

/// An event with one field replaced.
fn with(field: &str, value: &str) -> String {
    let old = match field {
        "ts" => r#""2026-01-01T00:00:00Z""#,
        "kind" => r#""goal""#,
        "stream_id" => r#""m1""#,
        "payload" => "1}",
        _ => panic!("{field}"),
    };
    let value = if field == "payload" { format!("{value}}}") } else { value.into() };
    let event = GOOD.replacen(old, &value, 1);
    assert_ne!(event, GOOD);
    event
}

#[test]
fn malformed_json_is_refused_where_it_breaks() {
    check_bad(r#"{"ts": nope}"#, 9, "found `o`");
    check_bad("nope", 2, "found `o`");
    check_bad(r#"{"ts": [1}"#, 10, "expected `,` or `]`, found `}`");
}

#[test]
fn a_value_of_the_wrong_type_is_refused() {
    check_bad(with("ts", "5"), 7, "`ts` is `5`; write a string");
    check_bad(with("kind", "{}"), 37, "`kind` is `{}`; write a string");
    check_bad("7", 1, "is an object, found `7`");
}

#[test]
fn a_missing_or_unknown_field_is_refused() {
    check_bad(r#"{"kind":"goal"}"#, 15, "field `ts` is missing");
    check_bad(GOOD.replace("payload", "pay_load"), 61, "did you mean `payload`?");
}

#[test]
fn a_bad_name_and_a_reserved_kind_are_refused() {
    check_bad(with("stream_id", r#""m 1""#), 56, "stream_id `m 1` is not allowed");
    check_bad(with("kind", r#""__hb""#), 37, "kind `__hb` is reserved");
}

#[test]
fn a_payload_or_an_event_over_its_limit_is_refused() {
    check_bad(with("payload", &format!("\"{}\"", "x".repeat(400))), 71, "raise `payload_bytes`");
    check_bad(with("payload", &format!("\"{}\"", "x".repeat(2_000))), 1, "`event_bytes` = 2000");
}

#[test]
fn bytes_that_are_not_utf_8_are_refused() {
    let mut bad = with("payload", "\"x\"").into_bytes();
    bad[71] = 0xFF;
    check_bad(bad, 72, "not UTF-8");
}

#[test]
fn equal_keys_are_refused() {
    check_bad(with("payload", r#"{"a": 1, "\u0061": 2}"#), 80, "key `a` stands twice");
    check_bad(with("payload", r#"1,"kind":"goal""#), 73, "field `kind` stands twice");
}

#[test]
fn deep_nesting_is_refused() {
    check_bad(
        with("payload", &("[".repeat(1_000) + &"]".repeat(900))),
        198,
        "deeper than 128 levels",
    );
}

#[test]
fn numbers_that_json_does_not_have_are_refused() {
    check_bad(with("payload", "NaN"), 71, "`NaN` is not a JSON number");
    check_bad(with("payload", "-Infinity"), 71, "`-Infinity` is not a JSON number");
    check_bad(with("payload", "1e400"), 71, "`1e400` is beyond the range");
}

#[test]
fn a_place_in_an_element_of_many_lines_is_one_in_the_input() {
    let input = format!("[{GOOD},\n  {{\n   \"ts\": 5\n  }}\n]");
    let deliveries = decode(input.as_bytes());
    let place = dead_letters(&deliveries)[0].place.unwrap();
    assert_eq!((place.line, place.column), (3, 10));
    assert_eq!(place, Place::of(input.as_bytes(), place.offset));
}

#[test]
fn what_is_wrong_between_elements_is_refused_by_name() {
    let deliveries = decode(format!("[{GOOD},,{GOOD}] x").as_bytes());
    assert_eq!(good_count(&deliveries), 2);
    let shown: Vec<_> = dead_letters(&deliveries).iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "`events.jsonl`, line 1, column 75: \
             expected an element before this `,`; remove the extra `,`",
            "`events.jsonl`, line 1, column 150: \
             expected nothing after the closing `]`; remove it, or write one event per line",
        ]
    );
}

#[test]
fn what_is_cut_off_says_so() {
    let input = with("payload", &format!("\"{}\"", "x".repeat(2_000)));
    let deliveries = decode(input.as_bytes());
    let letter = dead_letters(&deliveries)[0];
    assert!(letter.truncated);
    assert!(input.as_bytes().starts_with(&letter.raw));
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_without_a_panic(input in prop::collection::vec(any::<u8>(), 0..200)) {
        decode(&input);
    }

    #[test]
    fn a_damaged_byte_costs_the_events_it_touches_and_no_more(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>().prop_filter("`[` makes it an array", |byte| *byte != b'['),
    ) {
        let mut input = format!("{GOOD}\n").repeat(20).into_bytes();
        let at = at.index(input.len());
        input[at] = byte;
        prop_assert!(good_count(&decode(&input)) >= 18);
    }
}
