//! What leaves a stream, as canonical JSON.

use crate::{
    engine::{
        Action, Arrived, CrewName, ErrorEvent, LatePolicy, RunKey, Slice, StreamId, Timestamp,
        Trouble, write_run_name,
    },
    json::{Json, write_string},
};

use super::{write_event, write_timestamp};

/// `,"key":` in one piece.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}

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

    /// A key as `key!` spells it; the first one goes without the comma.
    fn key(&mut self, key: &'static str) -> &mut Vec<u8> {
        let from = usize::from(std::mem::take(&mut self.first));
        self.out.extend_from_slice(&key.as_bytes()[from..]);
        self.out
    }

    fn text(&mut self, key: &'static str, value: &str) {
        write_string(value, self.key(key));
    }

    /// Text in which nothing can need an escape: names, digits.
    fn plain(&mut self, key: &'static str, write: impl FnOnce(&mut Vec<u8>)) {
        let out = self.key(key);
        out.push(b'"');
        write(out);
        out.push(b'"');
    }

    fn name(&mut self, key: &'static str, value: &str) {
        self.plain(key, |out| out.extend_from_slice(value.as_bytes()));
    }

    fn optional(&mut self, key: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn number(&mut self, key: &'static str, value: i64) {
        self.key(key).extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    fn instant(&mut self, key: &'static str, value: Timestamp) {
        self.plain(key, |out| write_timestamp(value, out));
    }

    fn close(self) {
        self.out.push(b'}');
    }
}

/// An action as its consumers read it. `causation_id` names the run: `crew/slice.place`.
pub fn write_action(stream: &StreamId, crew: &CrewName, action: &Action, out: &mut Vec<u8>) {
    let mut members = Members::open(out);
    members.plain(key!("causation_id"), |out| write_run_name(crew, action.run, out));
    members.optional(key!("correlation_id"), action.correlation_id.as_deref());
    members.plain(key!("id"), |out| out.extend_from_slice(&action.id.hex()));
    members.name(key!("kind"), action.kind.as_str());
    members.key(key!("payload")).extend_from_slice(action.payload.as_bytes());
    members.name(key!("stream_id"), action.stream.as_ref().unwrap_or(stream).as_str());
    members.optional(key!("traceparent"), action.traceparent.as_deref());
    members.optional(key!("transaction_id"), action.transaction_id.as_deref());
    members.instant(key!("ts"), action.ts);
    members.number(key!("ttl_ms"), i64::from(action.ttl_ms()));
    members.close();
}

/// An `__error` event.
pub fn write_error(stream: &StreamId, now: Timestamp, error: &ErrorEvent, out: &mut Vec<u8>) {
    let mut members = Members::open(out);
    members.text(key!("kind"), "__error");
    write_trouble(error, members.key(key!("payload")));
    members.text(key!("stream_id"), stream.as_str());
    members.instant(key!("ts"), now);
    members.close();
}

fn write_trouble(error: &ErrorEvent, out: &mut Vec<u8>) {
    let mut members = Members::open(out);
    members.text(key!("crew"), error.crew.as_str());
    match &error.what {
        Trouble::Run(failure) => {
            members.text(key!("message"), &failure.message);
            if !error.missing.is_empty() {
                let list = members.key(key!("missing"));
                list.push(b'[');
                for (at, need) in error.missing.iter().enumerate() {
                    if at > 0 {
                        list.push(b',');
                    }
                    write_string(need, list);
                }
                list.push(b']');
            }
            members.text(key!("reason"), failure.reason.as_str());
        }
        Trouble::CrewDisabled { failures } => {
            members.number(key!("failures"), i64::from(*failures));
            members.text(
                key!("message"),
                &format!(
                    "{failures} runs in a row failed; the crew stops until it is enabled again"
                ),
            );
            members.text(key!("reason"), "disabled");
        }
        Trouble::Conflict { path, first, last } => {
            members.text(key!("first"), first);
            members.text(key!("last"), last);
            members.text(key!("path"), path);
            members.text(key!("reason"), "ctx_conflict");
        }
    }
    members.optional(key!("run"), error.run.map(|run: RunKey| run.to_string()).as_deref());
    members.number(key!("slice"), error.slice.0);
    members.close();
}

/// The context of a stream as it is after a slice.
pub fn write_context(context: &Json, slice: Slice, out: &mut Vec<u8>) {
    out.extend_from_slice(CONTEXT);
    context.write(out);
    out.extend_from_slice(SLICE);
    out.extend_from_slice(itoa::Buffer::new().format(slice.0).as_bytes());
    out.push(b'}');
}

/// The parts of what [`write_context`] wrote: the context as it stands there, and its slice.
pub fn split_context(text: &[u8]) -> Option<(&[u8], Slice)> {
    let inner = text.strip_prefix(CONTEXT)?.strip_suffix(b"}")?;
    let digits = inner.iter().rev().take_while(|byte| byte.is_ascii_digit() || **byte == b'-');
    let (before, slice) = inner.split_at(inner.len() - digits.count());
    let slice = str::from_utf8(slice).ok()?.parse().ok()?;
    Some((before.strip_suffix(SLICE)?, Slice(slice)))
}

const CONTEXT: &[u8] = br#"{"context":"#;
const SLICE: &[u8] = br#","slice":"#;

/// A late event and what became of it (rule T5).
pub fn write_late(stream: &StreamId, arrived: &Arrived, policy: LatePolicy, out: &mut Vec<u8>) {
    let mut members = Members::open(out);
    write_event(stream, &arrived.event, members.key(key!("event")));
    if let Some(intended) = arrived.intended {
        members.number(key!("intended_slice"), intended.0);
    }
    members.text(
        key!("policy"),
        match policy {
            LatePolicy::Next => "next",
            LatePolicy::Drop => "drop",
            LatePolicy::DeadLetter => "dead_letter",
            LatePolicy::Fail => "fail",
        },
    );
    members.close();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{JsonLimits, parse};

    #[test]
    fn a_context_is_found_in_what_was_written_of_it() {
        for (text, slice) in
            [("{}", 0), (r#"{"a":{"slice":7},"slice":1}"#, -12), ("[1,2]", i64::MAX)]
        {
            let mut out = Vec::new();
            let context = parse(text.as_bytes(), &JsonLimits::default()).unwrap();
            write_context(&context, Slice(slice), &mut out);
            assert_eq!(split_context(&out), Some((text.as_bytes(), Slice(slice))));
        }
        for text in ["", "{}", r#"{"context":{}}"#, r#"{"context":{},"slice":}"#, r#"{"slice":1}"#]
        {
            assert_eq!(split_context(text.as_bytes()), None, "{text}");
        }
    }
}
