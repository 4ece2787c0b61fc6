//! What must never be written down (rule J7): by key name in configuration, by path in data.

use std::sync::Arc;

use crate::{
    engine::{Change, Diff, Event, Payload, grants},
    json::{Json, JsonLimits, parse},
};

/// What stands in the place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Replaces the values of keys that name secrets, at any depth: for configuration, environment,
/// headers and recorded model traffic.
#[must_use]
pub fn redact_keys(value: &Json) -> Json {
    match value {
        Json::Object(object) => Json::Object(
            object
                .iter()
                .map(|(key, value)| {
                    let kept = if is_secret(key) { mark() } else { redact_keys(value) };
                    (Arc::clone(key), kept)
                })
                .collect(),
        ),
        Json::Array(items) => Json::Array(Arc::new(items.iter().map(redact_keys).collect())),
        other => other.clone(),
    }
}

/// Whether a key names a secret: `*key*`, `*token*`, `*secret*`, `*password*`, `authorization`.
pub fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["key", "token", "secret", "password", "authorization"].iter().any(|word| key.contains(word))
}

/// Replaces the values at declared paths of an event's payload.
pub fn redact_event(event: &mut Event, globs: &[String]) {
    if let Some(payload) = redact_payload(&event.payload, globs) {
        event.payload = payload;
    }
}

/// The payload without the values at declared paths; `None` if it has none of them.
pub fn redact_payload(payload: &Payload, globs: &[String]) -> Option<Payload> {
    if globs.is_empty() {
        return None;
    }
    // It was checked against the limits when it came in.
    let limits = JsonLimits { depth: usize::MAX, bytes: usize::MAX };
    let value = parse(payload.as_bytes(), &limits).ok()?;
    let redacted = redact_paths(&value, globs, &mut Vec::new());
    Some(Payload::from_canonical(redacted.to_canonical()))
}

/// Replaces what a diff writes at declared context paths.
pub fn redact_diff(diff: &mut Diff, globs: &[String]) {
    for op in diff.0.iter_mut().filter(|_| !globs.is_empty()) {
        let hidden = globs.iter().any(|glob| grants(glob, &op.path));
        match &mut op.change {
            Change::Set(_) | Change::Append(_) | Change::Incr(_) if hidden => {
                op.change = Change::Set(mark());
            }
            Change::Set(value) | Change::Append(value) => {
                *value = redact_paths(value, globs, &mut op.path.clone());
            }
            Change::Incr(_) | Change::Delete | Change::Object => {}
        }
    }
}

/// Arrays have no keys: what holds for a path holds for each element at it.
fn redact_paths(value: &Json, globs: &[String], path: &mut Vec<Arc<str>>) -> Json {
    let mut member = |(key, value): (&Arc<str>, &Json)| {
        path.push(Arc::clone(key));
        let hidden = globs.iter().any(|glob| grants(glob, path));
        let kept = if hidden { mark() } else { redact_paths(value, globs, path) };
        path.pop();
        (Arc::clone(key), kept)
    };
    match value {
        Json::Object(object) => Json::Object(object.iter().map(&mut member).collect()),
        Json::Array(items) => {
            let items = items.iter().map(|item| redact_paths(item, globs, path)).collect();
            Json::Array(Arc::new(items))
        }
        other => other.clone(),
    }
}

fn mark() -> Json {
    Json::String(REDACTED.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Op;

    fn json(text: &str) -> Json {
        parse(text.as_bytes(), &JsonLimits::default()).unwrap()
    }

    #[test]
    fn j7_secrets_in_configuration_are_known_by_their_keys() {
        let config =
            json(r#"{"a":{"API_KEY":"x","url":"u"},"list":[{"token":1}],"Authorization":"b"}"#);
        assert_eq!(
            redact_keys(&config),
            json(
                r#"{"Authorization":"[redacted]","a":{"API_KEY":"[redacted]","url":"u"},"list":[{"token":"[redacted]"}]}"#
            )
        );
    }

    #[test]
    fn j7_declared_paths_are_redacted_in_payloads_also_inside_arrays() {
        let globs = ["user.email".to_owned()];
        let redacted = |text: &str| {
            let payload = Payload::from_canonical(json(text).to_canonical());
            format!("{:?}", redact_payload(&payload, &globs).unwrap())
        };
        assert_eq!(
            redacted(r#"{"user":{"email":"a@b","name":"A"}}"#),
            r#"{"user":{"email":"[redacted]","name":"A"}}"#
        );
        assert_eq!(
            redacted(r#"[{"user":[{"email":"a@b"}]},5]"#),
            r#"[{"user":[{"email":"[redacted]"}]},5]"#
        );
        assert!(redact_payload(&Payload::null(), &[]).is_none());
    }

    #[test]
    fn j7_no_change_of_the_context_writes_a_redacted_path() {
        let globs = ["pin".to_owned(), "user.email".to_owned()];
        let op = |path: &str, change| Op { path: vec![path.into()], change };
        let mut diff = Diff(vec![
            op("pin", Change::Incr(crate::json::Number::from_i64(7))),
            op("user", Change::Set(json(r#"{"email":"a@b"}"#))),
            op("goals", Change::Incr(crate::json::Number::from_i64(1))),
        ]);
        redact_diff(&mut diff, &globs);
        assert_eq!(diff.0[0].change, Change::Set(mark()));
        assert_eq!(diff.0[1].change, Change::Set(json(r#"{"email":"[redacted]"}"#)));
        assert_eq!(diff.0[2].change, Change::Incr(crate::json::Number::from_i64(1)));
    }
}
