//! From what a crew answered to actions and context changes (section 11 of the semantics).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    OutputError, OutputProblem, Parse, Template, answer::read_answer, parse_timestamp, suggest::cut,
};
use crate::{
    engine::{
        Change, CrewName, Diff, Draft, Kind, Limits, Op, Output, Payload, StreamId, Timestamp,
    },
    json::{Json, JsonLimits, Object},
};

/// The longest an action may be worth doing, in milliseconds.
const MOST_TTL_MS: u32 = 300_000;

const ACTION_KEYS: &[&str] =
    &["kind", "payload", "ttl_ms", "stream_id", "ts", "correlation_id", "transaction_id"];

/// How a crew's answer becomes actions, as `emits` in the configuration says it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Emits {
    /// The kind of actions that do not name their own; absent means `<crew>_result`.
    pub kind: Option<Kind>,
    /// `ttl_ms` of actions that do not name their own.
    pub ttl_ms: Option<u32>,
    /// How raw text is read.
    pub parse: Parse,
    /// The payload of the one action, instead of what rule A1 finds in the answer.
    pub payload: Option<Template>,
    /// Keys to set in the context.
    pub context: Option<Template>,
}

/// What a crew answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A value: what a handler returned, or a crew's structured output.
    Value(Json),
    /// What a model wrote.
    Raw(String),
}

/// What templates see beside `output`.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The trigger event.
    pub event: &'a Json,
    /// The context as the run saw it.
    pub ctx: &'a Json,
}

/// Maps an answer by rules A1 to A4: everything in it, or an error that says why not.
pub fn read_output(
    crew: &CrewName,
    answer: Answer,
    emits: &Emits,
    scope: Scope<'_>,
    limits: &Limits,
) -> Result<Output, OutputError> {
    let value = read_value(answer, emits.parse, limits)?;
    let mapping = Mapping { crew, emits, limits };
    let mut output = match &emits.payload {
        Some(template) => {
            let payload = fill(template, &value, scope, "emits.payload")?;
            let action = mapping.default_action(&payload, "emits.payload")?;
            Output { actions: vec![action], diff: Diff::default(), value: Payload::null() }
        }
        None => mapping.map(&value)?,
    };
    if let Some(template) = &emits.context {
        let context = fill(template, &value, scope, "emits.context")?;
        output.diff.0.append(&mut set_keys(&context, "emits.context")?.0);
    }
    output.value = payload_of(&value, limits, "output")?;
    Ok(output)
}

/// Rule A2: raw text becomes a value.
fn read_value(answer: Answer, parse: Parse, limits: &Limits) -> Result<Json, OutputError> {
    let text = match answer {
        Answer::Value(value) => return Ok(value),
        Answer::Raw(text) => text,
    };
    let json = JsonLimits { depth: limits.json_depth, bytes: limits.event_bytes };
    read_answer(&text, parse, &json).map_err(|error| {
        let problem = match error {
            Some(error) => OutputProblem::BrokenJson(error),
            None => OutputProblem::NoJson(cut(&text)),
        };
        problem.at("output")
    })
}

fn fill(
    template: &Template,
    output: &Json,
    scope: Scope<'_>,
    at: &str,
) -> Result<Json, OutputError> {
    let names = [("ctx", scope.ctx), ("event", scope.event), ("output", output)];
    let names = names.into_iter().map(|(name, value)| (Arc::from(name), value.clone())).collect();
    template.render(&names).map_err(|error| OutputProblem::Template(error).at(at))
}

struct Mapping<'a> {
    crew: &'a CrewName,
    emits: &'a Emits,
    limits: &'a Limits,
}

impl Mapping<'_> {
    /// Rules A1 and A2 for a whole answer; `value` is filled in by the caller.
    fn map(&self, value: &Json) -> Result<Output, OutputError> {
        let mut diff = Diff::default();
        let actions = match value {
            Json::Object(members) if members.contains_key("actions") => {
                known_keys(members, &["actions", "context"], "output")?;
                if let Some(context) = members.get("context") {
                    diff = set_keys(context, "context")?;
                }
                self.listed(&members["actions"])?
            }
            Json::Array(items) => {
                let each = |(nth, item): (usize, &Json)| self.any(item, &format!("output[{nth}]"));
                let actions: Result<Vec<_>, _> = items.iter().enumerate().map(each).collect();
                actions?.into_iter().flatten().collect()
            }
            one => self.any(one, "output")?.into_iter().collect(),
        };
        Ok(Output { actions, diff, value: Payload::null() })
    }

    /// The value of `actions`: here nothing but actions is meant.
    fn listed(&self, actions: &Json) -> Result<Vec<Draft>, OutputError> {
        let Json::Array(items) = actions else {
            return Err(wrong(actions, "a list of actions").at("actions"));
        };
        let each = |(nth, item): (usize, &Json)| {
            let at = format!("actions[{nth}]");
            match item {
                Json::Object(members) => self.action(members, &at),
                other => Err(wrong(other, "an object with `kind` and `payload`").at(at)),
            }
        };
        items.iter().enumerate().map(each).collect()
    }

    /// An action, nothing, or a value that becomes the payload of one.
    fn any(&self, value: &Json, at: &str) -> Result<Option<Draft>, OutputError> {
        match value {
            Json::Null => Ok(None),
            Json::Object(members)
                if members.contains_key("kind") && members.contains_key("payload") =>
            {
                self.action(members, at).map(Some)
            }
            other => self.default_action(other, at).map(Some),
        }
    }

    fn default_action(&self, payload: &Json, at: &str) -> Result<Draft, OutputError> {
        let kind = self.emits.kind.clone().unwrap_or_else(|| default_kind(self.crew));
        if kind.is_reserved() {
            return Err(OutputProblem::ReservedKind(kind.to_string()).at("emits.kind"));
        }
        Ok(Draft {
            kind,
            payload: payload_of(payload, self.limits, at)?,
            ttl_ms: self.emits.ttl_ms,
            stream: None,
            ts: None,
            correlation_id: None,
            transaction_id: None,
        })
    }

    fn action(&self, members: &Object, at: &str) -> Result<Draft, OutputError> {
        known_keys(members, ACTION_KEYS, at)?;
        let required = |key| members.get(key).ok_or_else(|| OutputProblem::MissingKey(key).at(at));
        let (kind, payload) = (required("kind")?, required("payload")?);
        let id = |value: &Json| self.id(value);
        Ok(Draft {
            kind: action_kind(kind).map_err(|problem| problem.at(format!("{at}.kind")))?,
            payload: payload_of(payload, self.limits, &format!("{at}.payload"))?,
            ttl_ms: optional(members, "ttl_ms", at, ttl_ms)?.or(self.emits.ttl_ms),
            stream: optional(members, "stream_id", at, stream)?,
            ts: optional(members, "ts", at, ts)?,
            correlation_id: optional(members, "correlation_id", at, id)?,
            transaction_id: optional(members, "transaction_id", at, id)?,
        })
    }

    fn id(&self, value: &Json) -> Result<Arc<str>, OutputProblem> {
        match value {
            Json::String(text) if text.is_empty() => Err(wrong(value, "an id, or leave it out")),
            Json::String(text) if text.len() > self.limits.id_bytes => {
                let (bytes, limit) = (text.len(), self.limits.id_bytes);
                Err(OutputProblem::TooLarge { bytes, limit, name: "id_bytes" })
            }
            Json::String(text) => Ok(Arc::clone(text)),
            other => Err(wrong(other, "a string")),
        }
    }
}

/// A key that may be absent; `null` is the same as absent.
fn optional<T>(
    members: &Object,
    key: &str,
    at: &str,
    read: impl FnOnce(&Json) -> Result<T, OutputProblem>,
) -> Result<Option<T>, OutputError> {
    match members.get(key) {
        None | Some(Json::Null) => Ok(None),
        Some(value) => read(value).map(Some).map_err(|problem| problem.at(format!("{at}.{key}"))),
    }
}

/// `<crew>_result`, made to fit the rule for kinds.
fn default_kind(crew: &CrewName) -> Kind {
    let name = format!("{}_result", crew.as_str().replace('-', "_"));
    // Two leading underscores would make it a reserved kind.
    let name = if name.starts_with("__") { name.trim_start_matches('_') } else { &name };
    Kind::new(&name[..name.len().min(50)]).expect("crew names are ASCII letters, digits, _ and -")
}

fn known_keys(
    members: &Object,
    known: &'static [&'static str],
    at: &str,
) -> Result<(), OutputError> {
    match members.keys().find(|key| !known.contains(&&***key)) {
        Some(key) => Err(OutputProblem::UnknownKey { key: cut(key), known }.at(at)),
        None => Ok(()),
    }
}

/// One `Set` for each key at the top (rule A2).
fn set_keys(context: &Json, at: &str) -> Result<Diff, OutputError> {
    let Json::Object(members) = context else {
        return Err(wrong(context, "an object with the keys to set").at(at));
    };
    let set = |(key, value): (&Arc<str>, &Json)| Op {
        path: vec![Arc::clone(key)],
        change: Change::Set(value.clone()),
    };
    Ok(Diff(members.iter().map(set).collect()))
}

fn payload_of(value: &Json, limits: &Limits, at: &str) -> Result<Payload, OutputError> {
    let (bytes, limit) = (value.size(), limits.payload_bytes);
    if bytes > limit {
        return Err(OutputProblem::TooLarge { bytes, limit, name: "payload_bytes" }.at(at));
    }
    Ok(Payload::from_canonical(value.to_canonical()))
}

fn action_kind(value: &Json) -> Result<Kind, OutputProblem> {
    let kind = Kind::new(text(value)?).map_err(OutputProblem::Name)?;
    if kind.is_reserved() {
        return Err(OutputProblem::ReservedKind(kind.to_string()));
    }
    Ok(kind)
}

fn stream(value: &Json) -> Result<StreamId, OutputProblem> {
    StreamId::new(text(value)?).map_err(OutputProblem::Name)
}

fn ts(value: &Json) -> Result<Timestamp, OutputProblem> {
    let text = text(value)?;
    parse_timestamp(text).map_err(|error| OutputProblem::Timestamp { value: cut(text), error })
}

fn ttl_ms(value: &Json) -> Result<u32, OutputProblem> {
    let int = if let Json::Number(number) = value { number.as_i64() } else { None };
    int.and_then(|ms| u32::try_from(ms).ok())
        .filter(|ms| (1..=MOST_TTL_MS).contains(ms))
        .ok_or_else(|| wrong(value, "an integer from 1 to 300000"))
}

fn text(value: &Json) -> Result<&str, OutputProblem> {
    value.as_str().ok_or_else(|| wrong(value, "a string"))
}

fn wrong(value: &Json, expected: &'static str) -> OutputProblem {
    OutputProblem::Wrong { expected, found: value.type_name(), value: cut(&format!("{value:?}")) }
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
