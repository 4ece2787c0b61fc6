use bytes::Bytes;
use proptest::prelude::*;

use super::{Fault, Frame, Framer, Place, Shape};

const LIMIT: usize = 1_000;

fn frames_in_chunks(chunks: impl IntoIterator<Item = Bytes>, limit: usize) -> Vec<Frame> {
    let mut framer = Framer::new(limit);
    let mut all = Vec::new();
    for mut chunk in chunks {
        all.extend(std::iter::from_fn(|| framer.cut(&mut chunk)));
        assert!(chunk.is_empty(), "a chunk is taken in whole");
    }
    all.extend(std::iter::from_fn(|| framer.finish()));
    all
}

fn frames(input: &[u8]) -> Vec<Frame> {
    frames_in_chunks([Bytes::copy_from_slice(input)], LIMIT)
}

/// One line per frame: where it starts, what is wrong with it, its text.
fn show(input: &str) -> Vec<String> {
    let show = |frame: Frame| {
        let Place { line, column, .. } = frame.place;
        let fault = frame.fault.map(|fault| format!("{fault:?} ")).unwrap_or_default();
        format!("{line}:{column} {fault}{}", String::from_utf8_lossy(&frame.text))
    };
    frames(input.as_bytes()).into_iter().map(show).collect()
}

fn good(input: &str) -> Vec<String> {
    let good = frames(input.as_bytes()).into_iter().filter(|frame| frame.fault.is_none());
    good.map(|frame| String::from_utf8_lossy(&frame.text).into_owned()).collect()
}

#[test]
fn each_line_is_an_element_and_blank_lines_are_none() {
    let input = "{\"a\":1}\r\n\n  \t\n  {\"b\": 2} \nnope\n{\"c\":3}";
    assert_eq!(show(input), ["1:1 {\"a\":1}", "4:3 {\"b\": 2}", "5:1 nope", "6:1 {\"c\":3}"]);
}

#[test]
fn each_element_of_an_array_is_an_element() {
    let input = " [ {\"a\":\"},]\"},\n  [1, [2]] ,\"x\\\"]\", 3\n]\n";
    assert_eq!(show(input), ["1:4 {\"a\":\"},]\"}", "2:3 [1, [2]]", "2:13 \"x\\\"]\"", "2:21 3"]);
}

#[test]
fn empty_inputs_have_no_elements() {
    for input in ["", " \n\t\r\n", "[]", " [ \n ] \n", "\u{feff}", "\u{feff}[]"] {
        assert_eq!(show(input), [""; 0], "{input:?}");
    }
}

#[test]
fn a_byte_order_mark_at_the_start_is_skipped() {
    assert_eq!(show("\u{feff}{\"a\":1}"), ["1:1 {\"a\":1}"]);
    assert_eq!(show("\u{feff}[1]"), ["1:2 1"]);
    assert_eq!(frames(b"\xEF\xBBx")[0].text, b"\xEF\xBBx"[..]);
    assert_eq!(frames(b"\xEF")[0].text, b"\xEF"[..]);
}

#[test]
fn columns_count_characters_and_offsets_bytes() {
    let frames = frames("[\"née\", 7]".as_bytes());
    assert_eq!(frames[1].place, Place { line: 1, column: 9, offset: 9 });
    assert_eq!(frames[1].end, 10);
}

#[test]
fn a_line_over_the_limit_is_refused_where_it_starts_and_the_next_ones_are_not() {
    let input = format!("1\n  \"{}\"\n2", "x".repeat(10_000));
    let frames = frames(input.as_bytes());
    assert_eq!(frames.len(), 3);
    assert_eq!(frames[1].fault, Some(Fault::TooLarge { limit: LIMIT }));
    assert_eq!(frames[1].place, Place { line: 2, column: 3, offset: 4 });
    assert_eq!((frames[2].text.as_ref(), frames[2].place.line), (&b"2"[..], 3));
}

#[test]
fn a_line_of_exactly_the_limit_is_an_element() {
    let line = "x".repeat(LIMIT);
    assert_eq!(good(&format!("{line}\n{line}")), [&line[..], &line[..]]);
    assert_eq!(good(&format!("{line}y\n{line}")), [&line[..]]);
}

#[test]
fn an_array_element_over_the_limit_is_refused_alone() {
    let large = "x".repeat(LIMIT);
    for large in [format!("{{\"{large}\"}}"), large.clone() + "y", format!("\"{large}\"")] {
        let input = format!("[1, {large}, 2]");
        let frames = frames(input.as_bytes());
        assert_eq!(frames[1].fault, Some(Fault::TooLarge { limit: LIMIT }));
        assert_eq!(frames[1].place.column, 5);
        assert_eq!(good(&input), ["1", "2"]);
    }
}

#[test]
fn a_malformed_element_is_cut_out_alone() {
    for bad in [r#"{"ts": nope}"#, "nope", r#"{"a": [1}"#, r#"{"a": 1]}"#, "{]]][}", "[}]", "1 2"] {
        let input = format!("[{{\"a\":1}}, {bad}, {{\"b\":2}}]");
        let texts: Vec<_> = frames(input.as_bytes()).into_iter().map(|f| f.text).collect();
        assert_eq!(texts, [r#"{"a":1}"#, bad, r#"{"b":2}"#], "{bad}");
    }
}

#[test]
fn a_surplus_bracket_after_an_element_is_refused_alone() {
    let input = "[{\"a\":1}}, {\"b\":2}]";
    assert_eq!(show(input), ["1:2 {\"a\":1}", "1:9 MissingComma }", "1:12 {\"b\":2}"]);
}

#[test]
fn garbage_between_elements_does_not_cost_the_next_one() {
    assert_eq!(good("[{\"a\":1},\n garbage\n{\"b\":2}]"), ["{\"a\":1}", "garbage", "{\"b\":2}"]);
}

#[test]
fn an_element_after_a_missing_comma_is_refused() {
    let input = "[{} {\"b\":2},\n{} \"x\"]";
    assert_eq!(
        show(input),
        ["1:2 {}", "1:5 MissingComma {\"b\":2}", "2:1 {}", "2:4 MissingComma \"x\""]
    );
}

#[test]
fn surplus_commas_are_refused_where_they_stand() {
    assert_eq!(show("[1,]"), ["1:2 1", "1:4 TrailingComma ]"]);
    assert_eq!(show("[,1,,2]"), ["1:2 ExtraComma ,", "1:3 1", "1:5 ExtraComma ,", "1:6 2"]);
    assert_eq!(show("[,]"), ["1:2 ExtraComma ,", "1:3 TrailingComma ]"]);
}

#[test]
fn what_follows_the_array_is_refused_as_one() {
    assert_eq!(show("[1]\n [2] {\n"), ["1:2 1", "2:2 AfterArray [2] {"]);
    let long = "x".repeat(10 * LIMIT);
    assert_eq!(show(&format!("[]{long}")), [format!("1:3 AfterArray {}", &long[..=LIMIT])]);
}

#[test]
fn an_array_without_its_end_keeps_its_elements() {
    assert_eq!(show("[1, {}\n"), ["1:2 1", "1:5 {}", "2:1 OpenArray "]);
    assert_eq!(show("["), ["1:2 OpenArray "]);
    assert_eq!(show("[1,"), ["1:2 1", "1:4 OpenArray "]);
    assert_eq!(show("[{}, {\"a\": "), ["1:2 {}", "1:6 Unclosed {\"a\":"]);
}

#[test]
fn an_unclosed_element_ends_where_the_next_one_starts() {
    for bad in [r#"{"a": "x},"#, r#"{"a": {"x": 1},"#, r#"{"a": [{"x": 1"#, r#""x, "#] {
        let input = format!("[\n {{\"a\":1}},\n {bad}\n {{\"b\":2}},\n {{\"c\":3}}\n]");
        let frames = frames(input.as_bytes());
        assert_eq!(frames[1].text, bad.trim_end(), "{bad}");
        assert_eq!(frames[1].fault, Some(Fault::Unclosed), "{bad}");
        assert_eq!(frames[1].place.line, 3, "{bad}");
        assert_eq!(good(&input), [r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#], "{bad}");
    }
}

#[test]
fn what_is_inside_an_unclosed_element_is_not_taken_for_the_next_one() {
    let input = "[\n  {\n    \"payload\": [\n      {\"ts\": 1}\n    ],\n  {\"b\":2}]";
    assert_eq!(good(input), ["{\"b\":2}"]);
}

#[test]
fn an_unclosed_element_does_not_swallow_more_than_the_limit() {
    let lines = "{\"b\":2},\n".repeat(LIMIT);
    let input = format!("[\n{{\"a\": {{\"x\": 1}},\n{lines}{{}}]");
    assert_eq!(good(&input).len(), LIMIT + 1);
}

#[test]
fn many_unclosed_elements_are_each_read_twice_at_most() {
    let input = format!("[{}", "{\n".repeat(500_000));
    let frames = frames_in_chunks([Bytes::from(input)], 2 << 20);
    assert_eq!(frames.len(), 500_000);
}

#[test]
fn an_object_spread_over_lines_is_refused_with_the_reason() {
    let shown = show("{\n  \"ts\": 1\n}\n");
    assert_eq!(shown, ["1:1 PrettyPrinted {", "2:3 \"ts\": 1", "3:1 }"]);
}

#[test]
fn endless_input_without_a_line_break_is_held_to_the_limit() {
    for start in ["", "[", "[{\"", "[]", "[1 ", "[{\"a\": \"\n"] {
        let mut framer = Framer::new(LIMIT);
        let mut refused = 0;
        let zeros = Bytes::from(vec![0; 1 << 20]);
        for mut chunk in [Bytes::from(start)].into_iter().chain(vec![zeros; 64]) {
            while let Some(frame) = framer.cut(&mut chunk) {
                refused += usize::from(frame.fault.is_some());
            }
            assert!(held(&framer) <= LIMIT, "{start}");
        }
        assert_eq!(refused, 1, "{start}");
    }
}

fn held(framer: &Framer) -> usize {
    match framer.shape.as_ref() {
        None => 0,
        Some(Shape::Lines(lines)) => lines.held(),
        Some(Shape::Array(array)) => array.held(),
    }
}

/// Text that comes near JSON: every token an array or a line can be made of.
fn jumble() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        "\"",
        "\\",
        "\n",
        "\r\n",
        " ",
        "\n{",
        "{\"a\":1}",
        "nope",
        "é",
        ":",
        "\u{feff}",
        "\0",
    ]);
    let start = prop::sample::select(vec!["", "[", " \n[", "\u{feff}", "\u{feff}["]);
    (start, prop::collection::vec(token, 0..60))
        .prop_map(|(start, tokens)| [start, &tokens.concat()].concat().into_bytes())
}

/// The same bytes, cut anywhere.
fn chunks(input: &[u8], cuts: &[prop::sample::Index]) -> Vec<Bytes> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
    at.extend([0, input.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| Bytes::copy_from_slice(&input[pair[0]..pair[1]])).collect()
}

fn place_at(input: &[u8], offset: usize) -> Place {
    let before = String::from_utf8_lossy(&input[..offset]);
    let before = before.trim_start_matches('\u{feff}');
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    Place { line: line.try_into().unwrap(), column: column.try_into().unwrap(), offset }
}

proptest! {
    #[test]
    fn chunking_cannot_be_seen(
        input in jumble(),
        limit in 0_usize..40,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let whole = frames_in_chunks([Bytes::from(input.clone())], limit);
        prop_assert_eq!(frames_in_chunks(chunks(&input, &cuts), limit), whole);
    }

    #[test]
    fn frames_are_pieces_of_the_input_in_order(input in jumble(), limit in 0_usize..40) {
        let mut end = 0;
        for frame in frames_in_chunks([Bytes::from(input.clone())], limit) {
            let Place { offset, .. } = frame.place;
            prop_assert_eq!(&input[offset..offset + frame.text.len()], &frame.text[..]);
            if !input[..offset].windows(3).skip(1).any(|bytes| bytes == "\u{feff}".as_bytes()) {
                prop_assert_eq!(frame.place, place_at(&input, offset));
            }
            prop_assert!(frame.end > end);
            prop_assert!(frame.text.len() <= limit || frame.fault.is_some());
            end = frame.end;
        }
        prop_assert!(end <= input.len() as u64 + 1);
    }

    #[test]
    fn any_bytes_are_framed_without_a_panic(input in prop::collection::vec(any::<u8>(), 0..200)) {
        frames(&input);
        frames(&[b"[", &input[..]].concat());
    }

    #[test]
    fn good_lines_survive_any_garbage_around_them(
        garbage in prop::collection::vec("[^\n\\[\u{feff}]{0,40}", 1..20),
    ) {
        let lines: Vec<String> = (0..garbage.len()).map(|n| format!("{{\"n\":{n}}}")).collect();
        let mut input = String::new();
        for (line, bad) in lines.iter().zip(&garbage) {
            input.extend([line, "\n", bad, "\n"]);
        }
        let good = good(&input);
        prop_assert!(lines.iter().all(|line| good.contains(line)));
    }

    #[test]
    fn good_elements_survive_elements_that_are_not_closed(
        tails in prop::collection::vec("[\\[{\"a:1, \\\\]{0,20}", 1..20),
    ) {
        let good_lines: Vec<String> = (0..tails.len()).map(|n| format!("{{\"n\":{n}}}")).collect();
        let mut input = String::from("[\n");
        for (line, tail) in good_lines.iter().zip(&tails) {
            input.extend([" {\"bad\": {", tail, "\n ", line, ",\n"]);
        }
        let texts: Vec<_> = frames(input.as_bytes()).into_iter().map(|f| f.text).collect();
        prop_assert!(good_lines.iter().all(|line| texts.iter().any(|text| *text == line[..])));
    }
}
