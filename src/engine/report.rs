//! What happened in a slice as canonical JSON: the text its digest is made of (rule J4).

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{
    Action, Arrived, Change, CrewName, Diff, Digest, ErrorEvent, Kind, Op, Payload, Reason, RunId,
    Slice, StreamId, Trouble,
};
use crate::json::write_string;

/// The four parts of a report, each a list without its brackets.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Report {
    members: Vec<u8>,
    outcomes: Vec<u8>,
    diff: Vec<u8>,
    actions: Vec<u8>,
}

impl Report {
    /// Forgets the slice, not the memory: a part that grew large for one slice goes all the same.
    pub fn clear(&mut self) {
        const KEPT: usize = 1 << 20;
        let Self { members, outcomes, diff, actions } = self;
        for part in [members, outcomes, diff, actions] {
            if part.capacity() > KEPT {
                *part = Vec::new();
            }
            part.clear();
        }
    }

    pub fn is_empty(&self) -> bool {
        [&self.members, &self.outcomes, &self.diff, &self.actions]
            .iter()
            .all(|part| part.is_empty())
    }

    /// The digest after this slice: of the whole report, which need not be put together for it.
    pub fn digest(&self, before: Digest, slice: Slice) -> Digest {
        let mut end = Vec::with_capacity(32);
        before.after(self.pieces(slice, &mut end))
    }

    /// The whole report.
    pub fn text(&self, slice: Slice) -> String {
        let mut end = Vec::new();
        let text = self.pieces(slice, &mut end).concat();
        String::from_utf8(text).expect("a report is JSON")
    }

    /// What stands in the report one after the other. Keys are in byte order, as canonical JSON
    /// has them.
    fn pieces<'a>(&'a self, slice: Slice, end: &'a mut Vec<u8>) -> [&'a [u8]; 9] {
        end.clear();
        end.extend_from_slice(b"],\"slice\":");
        write_int(slice.0, end);
        end.push(b'}');
        [
            b"{\"actions\":[",
            &self.actions,
            b"],\"diff\":[",
            &self.diff,
            b"],\"members\":[",
            &self.members,
            b"],\"outcomes\":[",
            &self.outcomes,
            end,
        ]
    }

    pub fn member(&mut self, arrived: &Arrived) {
        let out = next(&mut self.members);
        let ids = arrived.event.ids.as_deref();
        out.push(b'{');
        if let Some(ids) = ids {
            before("causation_id", ids.causation_id.as_deref(), out);
            before("correlation_id", ids.correlation_id.as_deref(), out);
            before("id", ids.id.as_deref(), out);
        }
        if let Some(intended) = arrived.intended {
            out.extend_from_slice(b"\"intended_slice\":");
            write_int(intended.0, out);
            out.push(b',');
        }
        write_kind_and_payload(&arrived.event.kind, &arrived.event.payload, out);
        if let Some(ids) = ids {
            after("traceparent", ids.traceparent.as_deref(), out);
            after("transaction_id", ids.transaction_id.as_deref(), out);
        }
        out.extend_from_slice(b",\"ts\":");
        write_int(arrived.event.ts.micros(), out);
        out.push(b'}');
    }

    /// Gives where the name of the run stands, for its actions.
    pub fn landed(&mut self, crew: &CrewName, run: RunId, value: &Payload) -> Range<usize> {
        let out = next(&mut self.outcomes);
        out.extend_from_slice(b"{\"outcome\":\"ok\",\"run\":\"");
        let start = out.len();
        write_run_name(crew, run, out);
        let name = start..out.len();
        out.extend_from_slice(b"\",\"value\":");
        out.extend_from_slice(value.as_bytes());
        out.push(b'}');
        name
    }

    pub fn failed(&mut self, crew: &CrewName, run: RunId, reason: Reason, message: &str) {
        let out = next(&mut self.outcomes);
        out.extend_from_slice(b"{\"message\":");
        write_string(message, out);
        outcome(reason, out);
        tail(crew, run, out);
    }

    pub fn ended(&mut self, crew: &CrewName, run: RunId, reason: Reason, missing: &[String]) {
        let out = next(&mut self.outcomes);
        out.extend_from_slice(b"{\"missing\":[");
        for (at, need) in missing.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_string(need, out);
        }
        out.push(b']');
        outcome(reason, out);
        tail(crew, run, out);
    }

    /// Troubles that are not the outcome of a run.
    pub fn error(&mut self, error: &ErrorEvent) {
        let out = next(&mut self.outcomes);
        out.extend_from_slice(b"{\"crew\":");
        write_string(error.crew.as_str(), out);
        match &error.what {
            Trouble::Run(failure) => outcome(failure.reason, out),
            Trouble::CrewDisabled { failures } => {
                out.extend_from_slice(b",\"disabled_after\":");
                write_int(i64::from(*failures), out);
            }
            Trouble::Conflict { path, first, last } => {
                for (key, value) in [("ctx_conflict", path), ("first", first), ("last", last)] {
                    out.extend_from_slice(b",\"");
                    out.extend_from_slice(key.as_bytes());
                    out.extend_from_slice(b"\":");
                    write_string(value, out);
                }
            }
        }
        out.push(b'}');
    }

    pub fn merged(&mut self, crew: &CrewName, run: RunId, diff: &Diff) {
        let out = next(&mut self.diff);
        out.extend_from_slice(b"{\"ops\":[");
        for (at, op) in diff.0.iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_op(op, out);
        }
        out.push(b']');
        tail(crew, run, out);
    }

    /// An action without what follows from its run: its id, its cause. `name` is where
    /// [`landed`](Self::landed) put the name of the run.
    pub fn action(&mut self, name: Range<usize>, action: &Action) {
        let out = next(&mut self.actions);
        out.push(b'{');
        before("correlation_id", action.correlation_id.as_deref(), out);
        write_kind_and_payload(&action.kind, &action.payload, out);
        out.extend_from_slice(b",\"run\":\"");
        out.extend_from_slice(&self.outcomes[name]);
        out.push(b'"');
        after("stream_id", action.stream.as_ref().map(StreamId::as_str), out);
        after("traceparent", action.traceparent.as_deref(), out);
        after("transaction_id", action.transaction_id.as_deref(), out);
        out.extend_from_slice(b",\"ts\":");
        write_int(action.ts.micros(), out);
        out.extend_from_slice(b",\"ttl_ms\":");
        write_int(i64::from(action.ttl_ms()), out);
        out.push(b'}');
    }
}

/// `crew/7.0`: a run as messages and causation ids name it.
pub(crate) fn write_run_name(crew: &CrewName, run: RunId, out: &mut Vec<u8>) {
    out.extend_from_slice(crew.as_str().as_bytes());
    out.push(b'/');
    write_int(run.key.trigger.0, out);
    out.push(b'.');
    write_int(i64::from(run.key.place), out);
}

fn next(part: &mut Vec<u8>) -> &mut Vec<u8> {
    if !part.is_empty() {
        part.push(b',');
    }
    part
}

/// The last member of a run's object.
fn tail(crew: &CrewName, run: RunId, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"run\":\"");
    write_run_name(crew, run, out);
    out.extend_from_slice(b"\"}");
}

fn outcome(reason: Reason, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"outcome\":\"");
    out.extend_from_slice(reason.as_str().as_bytes());
    out.push(b'"');
}

fn write_kind_and_payload(kind: &Kind, payload: &Payload, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"kind\":\"");
    out.extend_from_slice(kind.as_str().as_bytes());
    out.extend_from_slice(b"\",\"payload\":");
    out.extend_from_slice(payload.as_bytes());
}

fn write_op(op: &Op, out: &mut Vec<u8>) {
    let (name, value) = match &op.change {
        Change::Set(value) => ("set", Some(value.to_canonical())),
        Change::Delete => ("delete", None),
        Change::Incr(by) => ("incr", Some(crate::json::Json::Number(by.clone()).to_canonical())),
        Change::Append(value) => ("append", Some(value.to_canonical())),
        Change::Object => ("object", None),
    };
    out.extend_from_slice(b"{\"op\":\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\",\"path\":[");
    for (at, key) in op.path.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write_string(key, out);
    }
    out.push(b']');
    if let Some(value) = value {
        out.extend_from_slice(b",\"value\":");
        out.extend_from_slice(&value);
    }
    out.push(b'}');
}

/// An optional member that others follow.
fn before(key: &str, value: Option<&str>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        member(key, value, out);
        out.push(b',');
    }
}

/// An optional member that others stand before.
fn after(key: &str, value: Option<&str>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        out.push(b',');
        member(key, value, out);
    }
}

fn member(key: &str, value: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    write_string(value, out);
}

fn write_int(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}
