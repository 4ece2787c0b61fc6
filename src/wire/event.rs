//! Events as JSON text (section 2 of the semantics): read strictly, written canonically.

use std::{borrow::Cow, sync::Arc};

use crate::{
    engine::{Event, Ids, Kind, Limits, Payload, StreamId, Timestamp},
    json::{JsonLimits, Scanner, write_string},
};

use super::{
    EventError, EventProblem, event_error::Refusal, parse_timestamp, suggest::cut, write_timestamp,
};

/// The fields of an event; the first four are required.
pub(super) const FIELDS: [&str; 9] = [
    "ts",
    "kind",
    "stream_id",
    "payload",
    "id",
    "correlation_id",
    "transaction_id",
    "causation_id",
    "traceparent",
];

/// Reads one event. Who reads many keeps an [`EventReader`].
pub fn parse_event(text: &[u8], limits: &Limits) -> Result<(StreamId, Event), EventError> {
    EventReader::new(limits).read(text)
}

/// Reads events one after the other, and shares the names that repeat from one to the next.
#[derive(Debug)]
pub struct EventReader {
    json: JsonLimits,
    payload_bytes: usize,
    id_bytes: usize,
    last_stream: Option<StreamId>,
    last_kind: Option<Kind>,
    /// The canonical payload while its length is unknown.
    payload: Vec<u8>,
    /// What the scanner puts members in order with.
    spare: Vec<u8>,
}

/// What is known of an event beside its text: it stands for what the text leaves out.
#[derive(Debug, Clone, Default)]
pub struct Envelope {
    /// The stream it was sent to; a text that names another one is refused.
    pub stream: Option<StreamId>,
    /// When it was sent.
    pub ts: Option<Timestamp>,
    /// The id it was sent with.
    pub id: Option<Arc<str>>,
}

/// What was read of an event so far.
#[derive(Default)]
struct Fields {
    /// One bit for each of [`FIELDS`], because `null` counts as seen too.
    seen: u16,
    ts: Option<Timestamp>,
    kind: Option<Kind>,
    stream: Option<StreamId>,
    payload: Option<Payload>,
    ids: Option<Box<Ids>>,
}

impl EventReader {
    /// A reader that refuses what is beyond `limits`.
    pub fn new(limits: &Limits) -> Self {
        Self {
            json: JsonLimits { depth: limits.json_depth, bytes: limits.event_bytes },
            payload_bytes: limits.payload_bytes,
            id_bytes: limits.id_bytes,
            last_stream: None,
            last_kind: None,
            payload: Vec::new(),
            spare: Vec::new(),
        }
    }

    /// Reads one event in one pass over its text.
    pub fn read(&mut self, text: &[u8]) -> Result<(StreamId, Event), EventError> {
        self.read_sent(text, Envelope::default())
    }

    /// As [`read`](Self::read), of an event that came in an envelope.
    pub fn read_sent(
        &mut self,
        text: &[u8],
        envelope: Envelope,
    ) -> Result<(StreamId, Event), EventError> {
        self.read_fields(text, envelope).map_err(|refusal| refusal.locate(text))
    }

    fn read_fields(
        &mut self,
        text: &[u8],
        envelope: Envelope,
    ) -> Result<(StreamId, Event), Refusal> {
        let mut scanner = Scanner::new(text, &self.json)?;
        std::mem::swap(&mut scanner.spare, &mut self.spare);
        if scanner.peek() != Some(b'{') {
            let start = scanner.offset();
            let value = rest_of_value(&mut scanner)?;
            return Err(Refusal::new(EventProblem::NotAnObject { value }, start));
        }
        let mut fields = Fields::default();
        let mut more = scanner.open(b'}')?;
        while more {
            self.read_field(&mut scanner, &mut fields)?;
            more = scanner.more(b'}')?;
        }
        let end = scanner.offset();
        scanner.finish()?;
        self.spare = scanner.spare;
        let missing = |index: usize| {
            move || Refusal::new(EventProblem::MissingField { field: FIELDS[index] }, end - 1)
        };
        let mut event = Event {
            ts: fields.ts.or(envelope.ts).ok_or_else(missing(0))?,
            kind: fields.kind.ok_or_else(missing(1))?,
            payload: fields.payload.ok_or_else(missing(3))?,
            ids: fields.ids,
        };
        if let Some(id) = envelope.id {
            event.ids.get_or_insert_default().id.get_or_insert(id);
        }
        if let (Some(sent), Some(named)) = (&envelope.stream, &fields.stream)
            && sent != named
        {
            let (sent, named) = (sent.to_string(), named.to_string());
            return Err(Refusal::new(EventProblem::OtherStream { sent, named }, end - 1));
        }
        Ok((fields.stream.or(envelope.stream).ok_or_else(missing(2))?, event))
    }

    fn read_field(
        &mut self,
        scanner: &mut Scanner<'_>,
        fields: &mut Fields,
    ) -> Result<(), Refusal> {
        scanner.expect_key()?;
        let start = scanner.offset();
        let key = scanner.string()?;
        let Some(index) = FIELDS.iter().position(|field| *field == key) else {
            let problem = EventProblem::UnknownField { field: cut(&key) };
            return Err(Refusal::new(problem, start));
        };
        let field = FIELDS[index];
        if fields.seen & (1 << index) != 0 {
            return Err(Refusal::new(EventProblem::DuplicateField { field }, start));
        }
        fields.seen |= 1 << index;
        scanner.colon()?;
        match index {
            0 => fields.ts = Some(read_ts(scanner)?),
            1 => fields.kind = Some(self.read_kind(scanner)?),
            2 => fields.stream = Some(self.read_stream(scanner)?),
            3 => fields.payload = Some(self.read_payload(scanner)?),
            _ => {
                if let Some(id) = self.read_id(field, scanner)? {
                    *slot(fields.ids.get_or_insert_default(), index) = Some(id);
                }
            }
        }
        Ok(())
    }

    fn read_kind(&mut self, scanner: &mut Scanner<'_>) -> Result<Kind, Refusal> {
        let (text, start) = read_string(FIELDS[1], scanner)?;
        if let Some(kind) = self.last_kind.as_ref().filter(|kind| kind.as_str() == text) {
            return Ok(kind.clone());
        }
        let kind = Kind::new(&text).map_err(|e| Refusal::new(EventProblem::Name(e), start))?;
        if kind.is_reserved() {
            let problem = EventProblem::ReservedKind { kind: text.into_owned() };
            return Err(Refusal::new(problem, start));
        }
        self.last_kind = Some(kind.clone());
        Ok(kind)
    }

    fn read_stream(&mut self, scanner: &mut Scanner<'_>) -> Result<StreamId, Refusal> {
        let (text, start) = read_string(FIELDS[2], scanner)?;
        if let Some(stream) = self.last_stream.as_ref().filter(|last| last.as_str() == text) {
            return Ok(stream.clone());
        }
        let stream =
            StreamId::new(&text).map_err(|e| Refusal::new(EventProblem::Name(e), start))?;
        self.last_stream = Some(stream.clone());
        Ok(stream)
    }

    fn read_payload(&mut self, scanner: &mut Scanner<'_>) -> Result<Payload, Refusal> {
        scanner.peek();
        let start = scanner.offset();
        self.payload.clear();
        scanner.canonical(&mut self.payload)?;
        let (bytes, limit) = (self.payload.len(), self.payload_bytes);
        if bytes > limit {
            return Err(Refusal::new(EventProblem::PayloadTooLarge { bytes, limit }, start));
        }
        Ok(Payload::from_canonical(&self.payload))
    }

    /// An optional identity; `null` is the same as absent.
    fn read_id(
        &self,
        field: &'static str,
        scanner: &mut Scanner<'_>,
    ) -> Result<Option<Arc<str>>, Refusal> {
        if scanner.peek() == Some(b'n') {
            scanner.literal("null")?;
            return Ok(None);
        }
        let (text, start) = read_string(field, scanner)?;
        let (bytes, limit) = (text.len(), self.id_bytes);
        if bytes == 0 {
            return Err(Refusal::new(EventProblem::EmptyId { field }, start));
        }
        if bytes > limit {
            let problem = EventProblem::LongId { field, value: cut(&text), bytes, limit };
            return Err(Refusal::new(problem, start));
        }
        Ok(Some(text.into()))
    }
}

/// The place of an optional field, by its index in [`FIELDS`].
fn slot(ids: &mut Ids, index: usize) -> &mut Option<Arc<str>> {
    match index {
        4 => &mut ids.id,
        5 => &mut ids.correlation_id,
        6 => &mut ids.transaction_id,
        7 => &mut ids.causation_id,
        _ => &mut ids.traceparent,
    }
}

fn read_ts(scanner: &mut Scanner<'_>) -> Result<Timestamp, Refusal> {
    let (text, start) = read_string(FIELDS[0], scanner)?;
    parse_timestamp(&text)
        .map_err(|error| Refusal::new(EventProblem::Timestamp { value: cut(&text), error }, start))
}

/// A string and where it starts.
fn read_string<'a>(
    field: &'static str,
    scanner: &mut Scanner<'a>,
) -> Result<(Cow<'a, str>, usize), Refusal> {
    let next = scanner.peek();
    let start = scanner.offset();
    if next == Some(b'"') {
        return Ok((scanner.string()?, start));
    }
    let value = rest_of_value(scanner)?;
    Err(Refusal::new(EventProblem::NotAString { field, value }, start))
}

/// The next value for a message; if it is not even JSON, that is the error.
fn rest_of_value(scanner: &mut Scanner<'_>) -> Result<String, Refusal> {
    let mut value = Vec::new();
    scanner.canonical(&mut value)?;
    Ok(cut(&String::from_utf8_lossy(&value)))
}

/// Appends the event as canonical JSON.
pub fn write_event(stream: &StreamId, event: &Event, out: &mut Vec<u8>) {
    let ids = event.ids.as_deref();
    let id = |field: fn(&Ids) -> &Option<Arc<str>>| ids.and_then(|ids| field(ids).as_deref());
    out.push(b'{');
    write_optional("causation_id", id(|ids| &ids.causation_id), out);
    write_optional("correlation_id", id(|ids| &ids.correlation_id), out);
    write_optional("id", id(|ids| &ids.id), out);
    write_optional("kind", Some(event.kind.as_str()), out);
    out.extend_from_slice(b"\"payload\":");
    out.extend_from_slice(event.payload.as_bytes());
    out.push(b',');
    write_optional("stream_id", Some(stream.as_str()), out);
    write_optional("traceparent", id(|ids| &ids.traceparent), out);
    write_optional("transaction_id", id(|ids| &ids.transaction_id), out);
    out.extend_from_slice(b"\"ts\":\"");
    write_timestamp(event.ts, out);
    out.extend_from_slice(b"\"}");
}

/// Appends `"field":"value",`, or nothing.
fn write_optional(field: &str, value: Option<&str>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        write_string(field, out);
        out.push(b':');
        write_string(value, out);
        out.push(b',');
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
