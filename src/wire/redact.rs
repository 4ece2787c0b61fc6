//! What must never be written down (rule J7): by key name in configuration, by path in data.

use std::sync::Arc;

use crate::{
    engine::{Change, Diff, Event, Payload, grants},
    json::{Json, JsonLimits, Object, parse},
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
                    let kept = if is_secret(key) {
                        mark()
                    } else {
                        redact_keys(value)
                    };
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
    ["key", "token", "secret", "password", "authorization"]
        .iter()
        .any(|word| key.contains(word))
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
    let limits = JsonLimits {
        depth: usize::MAX,
        bytes: usize::MAX,
    };
    let Ok(Json::Object(object)) = parse(payload.as_bytes(), &limits) else {
        return None;
    };
    let redacted = redact_paths(&object, globs, &mut Vec::new());
    Some(Payload::from_canonical(
        Json::Object(redacted).to_canonical(),
    ))
}

/// Replaces what a diff writes at declared context paths.
pub fn redact_diff(diff: &mut Diff, globs: &[String]) {
    for op in diff.0.iter_mut().filter(|_| !globs.is_empty()) {
        let hidden = globs.iter().any(|glob| grants(glob, &op.path));
        if let Change::Set(value) | Change::Append(value) = &mut op.change {
            if hidden {
                *value = mark();
            } else if let Json::Object(object) = value {
                *value = Json::Object(redact_paths(object, globs, &mut op.path.clone()));
            }
        }
    }
}

fn redact_paths(object: &Object, globs: &[String], path: &mut Vec<Arc<str>>) -> Object {
    let mut redacted = Object::new();
    for (key, value) in object {
        path.push(Arc::clone(key));
        let value = match value {
            _ if globs.iter().any(|glob| grants(glob, path)) => mark(),
            Json::Object(inner) => Json::Object(redact_paths(inner, globs, path)),
            other => other.clone(),
        };
        redacted.insert(Arc::clone(key), value);
        path.pop();
    }
    redacted
}

fn mark() -> Json {
    Json::String(REDACTED.into())
}
