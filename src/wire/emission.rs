//! What leaves a stream, as canonical JSON.

use crate::{
    engine::{
        Action, Arrived, CrewName, ErrorEvent, LatePolicy, RunKey, StreamId, Timestamp, Trouble,
        write_run_name,
    },
    json::write_string,
};

use super::{write_event, write_timestamp};

/// One JSON object, its keys written in byte order by whoever uses it.
struct Members<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Members<'a> {
    fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    fn text(&mut self, key: &str, value: &str) {
        write_string(value, self.key(key));
    }

    /// Text in which nothing can need an escape: names, digits.
    fn plain(&mut self, key: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let out = self.key(key);
        out.push(b'"');
        write(out);
        out.push(b'"');
    }

    fn name(&mut self, key: &str, value: &str) {
        self.plain(key, |out| out.extend_from_slice(value.as_bytes()));
    }

    fn optional(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn number(&mut self, key: &str, value: i64) {
        self.key(key).extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn instant(&mut self, key: &str, value: Timestamp) {
        self.plain(key, |out| write_timestamp(value, out));
    }

    fn close(self) {
        self.out.push(b'}');
    }
}

/// An action as its consumers read it. `causation_id` names the run: `crew/slice.place`.
pub fn write_action(stream: &StreamId, crew: &CrewName, action: &Action, out: &mut Vec<u8>) {
    let mut members = Members::open(out);
    members.plain("causation_id", |out| write_run_name(crew, action.run, out));
    members.optional("correlation_id", action.correlation_id.as_deref());
    members.plain("id", |out| out.extend_from_slice(&action.id.hex()));
    members.name("kind", action.kind.as_str());
    members.key("payload").extend_from_slice(action.payload.as_bytes());
    members.name("stream_id", action.stream.as_ref().unwrap_or(stream).as_str());
    members.optional("traceparent", action.traceparent.as_deref());
    members.optional("transaction_id", action.transaction_id.as_deref());
    members.instant("ts", action.ts);
    members.number("ttl_ms", i64::from(action.ttl_ms));
    members.close();
}

/// An `__error` event.
pub fn write_error(stream: &StreamId, now: Timestamp, error: &ErrorEvent, out: &mut Vec<u8>) {
    let mut members = Members::open(out);
    members.text("kind", "__error");
    write_trouble(error, members.key("payload"));
    members.text("stream_id", stream.as_str());
    members.instant("ts", now);
    members.close();
}

fn write_trouble(error: &ErrorEvent, out: &mut Vec<u8>) {
    let mut members = Members::open(out);
    members.text("crew", error.crew.as_str());
    match &error.what {
        Trouble::Run(failure) => {
            members.text("message", &failure.message);
            if !error.missing.is_empty() {
                let list = members.key("missing");
                list.push(b'[');
                for (at, need) in error.missing.iter().enumerate() {
                    if at > 0 {
                        list.push(b',');
                    }
                    write_string(need, list);
                }
                list.push(b']');
            }
            members.text("reason", failure.reason.as_str());
        }
        Trouble::CrewDisabled { failures } => {
            members.number("failures", i64::from(*failures));
            members.text(
                "message",
                &format!(
                    "{failures} runs in a row failed; the crew stops until it is enabled again"
                ),
            );
            members.text("reason", "disabled");
        }
        Trouble::Conflict { path, first, last } => {
            members.text("first", first);
            members.text("last", last);
            members.text("path", path);
            members.text("reason", "ctx_conflict");
        }
    }
    members.optional("run", error.run.map(|run: RunKey| run.to_string()).as_deref());
    members.number("slice", error.slice.0);
    members.close();
}

/// A late event and what became of it (rule T5).
pub fn write_late(stream: &StreamId, arrived: &Arrived, policy: LatePolicy, out: &mut Vec<u8>) {
    let mut members = Members::open(out);
    write_event(stream, &arrived.event, members.key("event"));
    if let Some(intended) = arrived.intended {
        members.number("intended_slice", intended.0);
    }
    members.text(
        "policy",
        match policy {
            LatePolicy::Next => "next",
            LatePolicy::Drop => "drop",
            LatePolicy::DeadLetter => "dead_letter",
            LatePolicy::Fail => "fail",
        },
    );
    members.close();
}
