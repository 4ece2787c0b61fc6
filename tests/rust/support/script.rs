//! What crews do in a story: `act`, `set`, `delete`, `incr`, `append`, `value`, `fail`, `later`.

use std::sync::Arc;

use live_crew::{
    engine::{Change, Diff, Draft, Failure, Job, Kind, Op, Outcome, Output, Payload, Reason},
    json::{self, Json, JsonLimits},
};

/// One `does` line: what to do, and for which attempt and run.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    attempt: Option<u32>,
    run: Option<String>,
    deeds: String,
}

impl Line {
    /// Reads what stands behind `does`: `[try=N] [run=S.P] DEED; DEED`.
    pub(crate) fn read(mut text: &str) -> Self {
        let (mut attempt, mut run) = (None, None);
        loop {
            text = text.trim_start();
            let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
            if let Some(number) = word.strip_prefix("try=") {
                attempt = Some(number.parse().expect("`try=` takes a number"));
            } else if let Some(key) = word.strip_prefix("run=") {
                run = Some(key.to_owned());
            } else {
                return Self { attempt, run, deeds: text.to_owned() };
            }
            text = rest;
        }
    }

    fn fits(&self, job: &Job) -> bool {
        self.attempt.is_none_or(|attempt| attempt == job.attempt)
            && self.run.as_ref().is_none_or(|run| *run == job.run.key.to_string())
    }
}

/// What the script of a crew says about a job; the last line that fits counts.
pub(crate) fn deeds_for<'a>(script: &'a [Line], job: &Job) -> &'a str {
    script.iter().rev().find(|line| line.fits(job)).map_or("", |line| &line.deeds)
}

/// Whether the crew does not answer at once.
pub(crate) fn is_later(deeds: &str) -> bool {
    deeds.split("; ").any(|deed| deed.trim() == "later")
}

/// Does what a script says.
pub(crate) fn perform(deeds: &str) -> Outcome {
    let mut output = Output { actions: Vec::new(), diff: Diff::default(), value: Payload::null() };
    for deed in deeds.split("; ").map(str::trim).filter(|deed| !deed.is_empty()) {
        let (word, rest) = deed.split_once(' ').unwrap_or((deed, ""));
        let (name, value) = rest.split_once(' ').unwrap_or((rest, "null"));
        let mut change = |change| {
            let path = path(name);
            output.diff.0.push(Op { path, change });
        };
        match word {
            "later" => {}
            "fail" => {
                let message = rest.to_owned();
                return Outcome::Failed(Failure { reason: Reason::Error, message });
            }
            "act" => output.actions.push(draft(name, value)),
            "value" => output.value = payload(rest),
            "set" => change(Change::Set(json(value))),
            "delete" => change(Change::Delete),
            "incr" => match json(value) {
                Json::Number(number) => change(Change::Incr(number)),
                other => panic!("`incr` takes a number, not {other:?}"),
            },
            "append" => change(Change::Append(json(value))),
            _ => panic!("a crew cannot `{word}`"),
        }
    }
    Outcome::Done(Arc::new(output))
}

/// `KIND [JSON]`, with `ttl=…`, `corr=…`, `stream=…` written behind the kind: `KIND,ttl=100`.
fn draft(name: &str, value: &str) -> Draft {
    let mut words = name.split(',');
    let kind = Kind::new(words.next().unwrap_or_default()).unwrap();
    let mut draft = Draft {
        kind,
        payload: payload(value),
        ttl_ms: None,
        stream: None,
        ts: None,
        correlation_id: None,
        transaction_id: None,
    };
    for word in words {
        match word.split_once('=') {
            Some(("ttl", ttl)) => draft.ttl_ms = Some(ttl.parse().unwrap()),
            Some(("corr", id)) => draft.correlation_id = Some(id.into()),
            Some(("stream", id)) => {
                draft.stream = Some(live_crew::engine::StreamId::new(id).unwrap());
            }
            _ => panic!("an action has no `{word}`"),
        }
    }
    draft
}

fn path(dotted: &str) -> Vec<Arc<str>> {
    dotted.split('.').filter(|key| !key.is_empty()).map(Into::into).collect()
}

/// Reads JSON that a story holds.
pub(crate) fn json(text: &str) -> Json {
    json::parse(text.as_bytes(), &JsonLimits::default())
        .unwrap_or_else(|error| panic!("`{text}`: {error}"))
}

/// Reads JSON that a story holds, as a payload.
pub(crate) fn payload(text: &str) -> Payload {
    Payload::from_canonical(json(text).to_canonical())
}
