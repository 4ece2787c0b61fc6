//! The JSON inside what a model wrote (rule A2).

use serde::{Deserialize, Serialize};

use crate::json::{Fault, Json, JsonError, JsonLimits, Object, Scanner};

/// How a crew's raw text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parse {
    /// The first JSON value in the text; without one, `{"text": ...}`.
    #[default]
    Auto,
    /// The first JSON value in the text; without one, the run fails.
    Json,
    /// Always `{"text": ...}`.
    Text,
}

const FENCE: &[u8] = b"```json";

/// The text as a value; `None` in the error means that nothing in it looked like JSON.
pub(super) fn read_answer(
    text: &str,
    parse: Parse,
    limits: &JsonLimits,
) -> Result<Json, Option<JsonError>> {
    let found = match parse {
        Parse::Text => return Ok(as_text(text)),
        Parse::Auto | Parse::Json => first_value(text, limits),
    };
    match (found, parse) {
        (Ok(Some(value)), _) => Ok(value),
        (Ok(None) | Err(_), Parse::Auto | Parse::Text) => Ok(as_text(text)),
        (Ok(None), Parse::Json) => Err(None),
        (Err(fault), Parse::Json) => Err(Some(fault.locate(text.as_bytes()))),
    }
}

/// The JSON value in a text, if there is one (rule A2).
pub fn find_json(text: &str, limits: &JsonLimits) -> Option<Json> {
    first_value(text, limits).ok().flatten()
}

fn as_text(text: &str) -> Json {
    Json::Object(Object::unit("text".into(), text.into()))
}

/// The whole text, or what a JSON fence holds, or the first list or object that prose is around.
///
/// A value that breaks off is a fault and not a reason to look inside it: half an answer, taken for
/// the whole, would drop the rest in silence (rule A4).
fn first_value(text: &str, limits: &JsonLimits) -> Result<Option<Json>, Fault> {
    let mut scanner = Scanner::new(text.as_bytes(), limits)?;
    if let Ok(value) = scanner.value()
        && scanner.finish().is_ok()
    {
        return Ok(Some(value));
    }
    if let Some(value) = fenced_value(text.as_bytes(), &mut scanner)? {
        return Ok(Some(value));
    }
    let mut from = 0;
    while let Some(next) = text[from..].find(['{', '[']) {
        let start = from + next;
        scanner.restart(start);
        match scanner.value() {
            Ok(value) => return Ok(Some(value)),
            Err(fault) if is_prose(&text[start..fault.offset()]) => from = start + 1,
            Err(fault) => return Err(fault),
        }
    }
    Ok(None)
}

/// What the first fence holds that is marked as JSON.
fn fenced_value(text: &[u8], scanner: &mut Scanner<'_>) -> Result<Option<Json>, Fault> {
    let mut windows = text.windows(FENCE.len());
    match windows.position(|window| window.eq_ignore_ascii_case(FENCE)) {
        Some(fence) => {
            scanner.restart(fence + FENCE.len());
            scanner.value().map(Some)
        }
        None => Ok(None),
    }
}

/// Whether a bracket that did not parse is one that people use: `[sic]`, `{name}`. Then nothing but
/// a few brackets and one word stands before the fault. "A few" keeps a text full of brackets linear.
fn is_prose(before_fault: &str) -> bool {
    let word = before_fault.trim_start_matches(['{', '[', ' ', '\n', '\r', '\t']);
    word.trim_end().bytes().all(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, parse: Parse) -> Result<String, Option<JsonError>> {
        let value = read_answer(text, parse, &JsonLimits::default())?;
        Ok(format!("{value:?}"))
    }

    #[test]
    fn a2_the_first_json_value_in_raw_text_is_found() {
        for (text, value) in [
            (" {\"a\": 1}\n", r#"{"a":1}"#),
            ("42", "42"),
            ("\"yes\"", "\"yes\""),
            ("Sure! {\"a\": 1} Anything else?", r#"{"a":1}"#),
            ("As [sic] and {{ name }} say:\n```json\n[1, 2]\n```\n", "[1,2]"),
            ("See [1].\n```JSON\n\"fenced\"\n```", "\"fenced\""),
            ("[note] {not} [nullable] [true story] {\"a\": 1}", r#"{"a":1}"#),
            ("```\n{\"a\": 1}\n```", r#"{"a":1}"#),
        ] {
            assert_eq!(read(text, Parse::Auto).as_deref(), Ok(value), "{text}");
            assert_eq!(read(text, Parse::Json).as_deref(), Ok(value), "{text}");
        }
    }

    #[test]
    fn a2_text_without_json_stays_text_in_auto_and_fails_in_json() {
        assert_eq!(read("42 goals", Parse::Auto).as_deref(), Ok(r#"{"text":"42 goals"}"#));
        assert_eq!(read("42 goals", Parse::Json), Err(None));
        assert_eq!(read("", Parse::Json), Err(None));
        assert_eq!(read("{\"a\": 1}", Parse::Text).as_deref(), Ok(r#"{"text":"{\"a\": 1}"}"#));
    }

    #[test]
    fn a4_a_value_that_breaks_off_is_never_read_in_part() {
        for text in [
            r#"{"actions": [{"kind": "a", "payload": 1}, {"kind": "#,
            r#"Here: {"actions": [{"kind": "a"}], oops}"#,
            "```json\n{\"a\": [1, 2\n```\n[1]",
        ] {
            assert!(read(text, Parse::Auto).unwrap().starts_with(r#"{"text":"#), "{text}");
            assert!(matches!(read(text, Parse::Json), Err(Some(_))), "{text}");
        }
    }

    #[test]
    fn text_full_of_brackets_is_read_in_no_time() {
        for part in ["{", "[", "{x ", "[\"", "[{", "{\"a\":[", "[ \\\""] {
            let text = part.repeat((1 << 17) / part.len());
            assert!(read(&text, Parse::Auto).is_ok());
        }
    }
}
