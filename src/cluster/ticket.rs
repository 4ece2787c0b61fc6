//! A run as it travels: which one, what it was given, what came of it.
//!
//! The bodies are of one build's types and begin with a format. Which run they are about stands
//! in a header as text, so that a body nobody can read still has an owner who is told.

use std::fmt::Write as _;

use async_nats::HeaderMap;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    engine::{
        Context, CrewIx, CrewName, Failure, Job, Met, Outcome, Payload, Reason, RunId, RunKey,
        Slice, Span, StreamId, Timestamp, Triggers,
    },
    nats::subjects,
};

/// The format of both bodies.
const FORMAT: u8 = 1;
const RUN: &str = "Live-Run";

/// One attempt of one run, with a fingerprint of what it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ticket {
    pub stream: StreamId,
    pub crew: CrewName,
    /// The slice it started in.
    pub slice: Slice,
    pub key: RunKey,
    pub attempt: u32,
    pub hash: String,
}

/// What a run is given, but for its name.
#[derive(Debug, Serialize, Deserialize)]
struct Given {
    slice: Slice,
    now: Timestamp,
    triggers: Triggers,
    view: Context,
    met: Vec<Option<Met>>,
    timeout: Option<Span>,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
struct Came {
    outcome: Outcome,
    notes: Option<Payload>,
}

/// An attempt, whatever it was given.
pub(super) type AttemptKey = (StreamId, CrewName, RunKey, u32);

impl Ticket {
    /// Which attempt it is about.
    pub(super) fn attempt_key(&self) -> AttemptKey {
        (self.stream.clone(), self.crew.clone(), self.key, self.attempt)
    }

    /// The ticket of a job and its body.
    pub(super) fn issue(
        stream: &StreamId,
        crew: &CrewName,
        timeout: Option<Span>,
        job: Job,
    ) -> (Self, Vec<u8>) {
        let Job { run, attempt, slice, now, triggers, view, met } = job;
        let body = encode(&Given { slice, now, triggers, view, met, timeout });
        let hash = blake3::hash(&body).to_hex()[..32].to_owned();
        let (stream, crew) = (stream.clone(), crew.clone());
        (Self { stream, crew, slice, key: run.key, attempt, hash }, body)
    }

    /// The ticket a message is about.
    pub(super) fn of(subject: &str, headers: &HeaderMap) -> Option<Self> {
        let stream = subjects::stream_of(subject)?;
        let slice = subject.split('.').nth(3)?.parse().ok()?;
        let mut words = headers.get(RUN)?.as_str().split(' ');
        let crew = CrewName::new(words.next()?).ok()?;
        let (key, attempt) = (parse_key(words.next()?)?, words.next()?.parse().ok()?);
        let hash = words.next()?.to_owned();
        Some(Self { stream, crew, slice: Slice(slice), key, attempt, hash })
    }

    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(RUN, format!("{} {} {} {}", self.crew, self.key, self.attempt, self.hash));
        headers
    }

    /// The same for the same attempt that was given the same.
    pub(super) fn id(&self) -> String {
        let Self { stream, crew, key, attempt, hash, .. } = self;
        format!("{stream}:{crew}:{key}:{attempt}:{hash}")
    }

    pub(super) fn ready(&self) -> String {
        self.subject("ready")
    }

    pub(super) fn done(&self) -> String {
        self.subject("done")
    }

    pub(super) fn cancel(&self) -> String {
        self.subject("cancel")
    }

    fn subject(&self, what: &str) -> String {
        let Self { stream, crew, slice: Slice(slice), .. } = self;
        format!("live.{stream}.slice.{slice}.{crew}.{what}")
    }

    /// What a cancellation says: the rest of it is in its subject.
    pub(super) fn cancellation(&self) -> String {
        format!("{} {}", self.key, self.attempt)
    }

    /// Which attempt a cancellation is about.
    pub(super) fn cancelled(subject: &str, text: &[u8]) -> Option<AttemptKey> {
        let (key, attempt) = std::str::from_utf8(text).ok()?.split_once(' ')?;
        let crew = CrewName::new(subject.split('.').nth(4)?).ok()?;
        Some((subjects::stream_of(subject)?, crew, parse_key(key)?, attempt.parse().ok()?))
    }

    /// The job, for the place its crew has in the plan here, and its time limit.
    pub(super) fn job(&self, crew: CrewIx, body: &[u8]) -> Result<(Job, Option<Span>), String> {
        let Given { slice, now, triggers, view, met, timeout } = decode("a run", body)?;
        let run = RunId { crew, key: self.key };
        Ok((Job { run, attempt: self.attempt, slice, now, triggers, view, met }, timeout))
    }
}

/// The body of an answer.
pub(super) fn write_answer(outcome: &Outcome, notes: Option<&Payload>) -> Vec<u8> {
    encode(&Came { outcome: outcome.clone(), notes: notes.cloned() })
}

/// What came of a run. What cannot be read is a failure: somebody waits for it.
pub(super) fn read_answer(body: &[u8]) -> (Outcome, Option<Payload>) {
    match decode::<Came>("the answer of a run", body) {
        Ok(Came { outcome, notes }) => (outcome, notes),
        Err(why) => (failed(Reason::Error, why), None),
    }
}

pub(super) fn failed(reason: Reason, message: String) -> Outcome {
    Outcome::Failed(Failure { reason, message })
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_extend(value, vec![FORMAT]).expect("plain data goes into a vector")
}

fn decode<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, String> {
    let mut why = String::new();
    match body {
        [FORMAT, rest @ ..] => match postcard::from_bytes(rest) {
            Ok(value) => return Ok(value),
            Err(error) => write!(why, "{error}"),
        },
        [found, ..] => write!(why, "its format is {found}, and this live-crew knows {FORMAT}"),
        [] => write!(why, "it is empty"),
    }
    .expect("a text grows");
    Err(format!("{what} from another host cannot be read: {why}; run one version on all hosts"))
}

fn parse_key(text: &str) -> Option<RunKey> {
    let (trigger, place) = text.split_once('.')?;
    Some(RunKey { trigger: Slice(trigger.parse().ok()?), place: place.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_comes_back_as_it_went() {
        let stream = StreamId::new("match42").unwrap();
        let crew = CrewName::new("vision").unwrap();
        let run = RunId { crew: CrewIx(1), key: RunKey { trigger: Slice(-3), place: 2 } };
        let job = Job {
            run,
            attempt: 4,
            slice: Slice(-2),
            now: Timestamp::MIN,
            triggers: Triggers::Landing,
            view: Context::default(),
            met: vec![None, Some(Met { slice: Slice(7), output: Payload::null() })],
        };
        let timeout = Some(Span::from_secs(3));
        let (ticket, body) = Ticket::issue(&stream, &crew, timeout, job.clone());
        assert_eq!(ticket.ready(), "live.match42.slice.-2.vision.ready");
        assert_eq!(Ticket::of(&ticket.done(), &ticket.headers()), Some(ticket.clone()));
        let cancelled = Ticket::cancelled(&ticket.cancel(), ticket.cancellation().as_bytes());
        assert_eq!(cancelled, Some(ticket.attempt_key()));
        let (back, limit) = ticket.job(CrewIx(9), &body).unwrap();
        assert_eq!((back.run.crew, limit), (CrewIx(9), timeout));
        let again = Job { run, ..back };
        assert_eq!(format!("{again:?}"), format!("{job:?}"));
        for broken in [&body[..body.len() - 1], &[9, 9], &[]] {
            assert!(ticket.job(CrewIx(0), broken).unwrap_err().contains("run one version"));
        }
    }
}
