//! `live_crew.Action`; what Python calls on it is in `methods`.

mod methods;

use std::{
    cmp::Ordering,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use pyo3::{IntoPyObjectExt as _, prelude::*};

use super::{
    event::Event,
    fields::{Given, Shape, check_ids, ids_of, to_ids, to_kind, to_stream, to_ttl_ms},
    model::{self, Model},
    models_error::model_error,
    payload::{Seen, check_payload, to_payload},
    time,
};
use crate::{
    engine::{DEFAULT_TTL_MS, Draft, Ids, Kind, Limits, Payload, StreamId, Timestamp},
    json::write_string,
};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Action>()
}

/// Something to be done: what a handler answers with, and what live-crew publishes.
///
/// A handler gives `kind` and `payload`; what else it leaves out is filled in: `ts` is the end of
/// the slice, `stream_id` the stream of the event, `ttl_ms` 5 000, and the ids are those of the
/// run. Immutable and compared like an `Event`; `Action[T]` checks the payload.
#[pyclass(frozen, module = "live_crew")]
pub(super) struct Action {
    ts: Option<Timestamp>,
    kind: Kind,
    stream: Option<StreamId>,
    payload: Payload,
    seen: Seen,
    ttl_ms: Option<u32>,
    ids: Option<Box<Ids>>,
}

const N: usize = 10;
/// Where the identities start among the fields.
const FIRST_ID: usize = 5;

impl Model<N> for Action {
    const SHAPE: Shape<N> = Shape {
        class: "Action",
        name: "an action",
        fields: [
            "ts",
            "kind",
            "stream_id",
            "payload",
            "ttl_ms",
            "id",
            "correlation_id",
            "transaction_id",
            "causation_id",
            "traceparent",
        ],
    };

    fn build(py: Python<'_>, given: &Given<'_, N>) -> PyResult<Self> {
        let [ts, kind, stream, payload, ttl_ms, ids @ ..] = given;
        let kind = kind.as_ref().ok_or_else(|| Self::SHAPE.missing(py, "kind", &["kind"]))?;
        let (kind, (payload, seen)) = (to_kind(kind)?, to_payload(py, payload.as_ref())?);
        Ok(Self {
            ts: ts.as_ref().map(|ts| time::to_timestamp("ts", ts)).transpose()?,
            kind,
            stream: stream.as_ref().map(to_stream).transpose()?,
            payload,
            seen,
            ttl_ms: ttl_ms.as_ref().map(to_ttl_ms).transpose()?,
            ids: to_ids(ids)?,
        })
    }

    fn field<'py>(&self, py: Python<'py>, place: usize) -> PyResult<Bound<'py, PyAny>> {
        match place {
            0 => self.datetime(py),
            1 => self.kind.as_str().into_bound_py_any(py),
            2 => self.stream().into_bound_py_any(py),
            model::PAYLOAD => self.seen.object(py, &self.payload),
            4 => self.ttl_ms.into_bound_py_any(py),
            _ => self.ids()[place - FIRST_ID].into_bound_py_any(py),
        }
    }

    fn ts(&self) -> Option<Timestamp> {
        self.ts
    }

    fn payload(&self) -> (&Payload, &Seen) {
        (&self.payload, &self.seen)
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.write_with(Some(self.ttl()), out);
    }
}

impl Action {
    /// The same bytes as `wire::write_action`, without what is not known yet.
    fn write_with(&self, ttl_ms: Option<u32>, out: &mut Vec<u8>) {
        let [id, correlation_id, transaction_id, causation_id, traceparent] = self.ids();
        out.push(b'{');
        write_optional("causation_id", causation_id, out);
        write_optional("correlation_id", correlation_id, out);
        write_optional("id", id, out);
        write_optional("kind", Some(self.kind.as_str()), out);
        out.extend_from_slice(b"\"payload\":");
        out.extend_from_slice(self.payload.as_bytes());
        out.push(b',');
        write_optional("stream_id", self.stream(), out);
        write_optional("traceparent", traceparent, out);
        write_optional("transaction_id", transaction_id, out);
        write_optional("ts", self.ts.map(time::to_text).as_deref(), out);
        if let Some(ttl_ms) = ttl_ms {
            out.extend_from_slice(format!("\"ttl_ms\":{ttl_ms},").as_bytes());
        }
        // `payload` stands there for certain, and with it a comma.
        out.pop();
        out.push(b'}');
    }

    /// What a handler answered, for the engine to complete. The run becomes its cause whatever it
    /// says; an id of one's own is refused, because it would be lost.
    pub fn to_draft(&self, py: Python<'_>, limits: &Limits) -> PyResult<Draft> {
        if let [Some(id), ..] = self.ids() {
            let message = format!(
                "field `id` is `{id}`, but the id of an action is made from its run, so that it \
                 is the same after a restart; leave it out"
            );
            return Err(model_error(py, message));
        }
        check_payload(py, &self.payload, limits)?;
        check_ids(py, self.ids.as_deref(), limits)?;
        let ids = self.ids.as_deref();
        Ok(Draft {
            kind: self.kind.clone(),
            payload: self.payload.clone(),
            ttl_ms: self.ttl_ms,
            stream: self.stream.clone(),
            ts: self.ts,
            correlation_id: ids.and_then(|ids| ids.correlation_id.clone()),
            transaction_id: ids.and_then(|ids| ids.transaction_id.clone()),
        })
    }

    fn stream(&self) -> Option<&str> {
        self.stream.as_ref().map(StreamId::as_str)
    }

    fn ttl(&self) -> u32 {
        self.ttl_ms.unwrap_or(DEFAULT_TTL_MS)
    }

    fn ids(&self) -> [Option<&str>; 5] {
        ids_of(self.ids.as_deref())
    }

    fn datetime<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.ts {
            Some(ts) => time::to_datetime(py, ts),
            None => Ok(py.None().into_bound(py)),
        }
    }

    /// By what can be read of it: whether a default was given does not count.
    fn order(&self, other: &Self) -> Ordering {
        let main = (self.ts, &self.kind, &self.payload);
        main.cmp(&(other.ts, &other.kind, &other.payload)).then_with(|| {
            let rest = (&self.stream, self.ttl(), &self.ids);
            rest.cmp(&(&other.stream, other.ttl(), &other.ids))
        })
    }

    fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.ts, &self.kind, &self.payload, &self.stream).hash(&mut hasher);
        hasher.finish()
    }

    /// The same action, with another view of its payload.
    fn seen_as(&self, seen: Seen) -> Self {
        Self {
            ts: self.ts,
            kind: self.kind.clone(),
            stream: self.stream.clone(),
            payload: self.payload.clone(),
            seen,
            ttl_ms: self.ttl_ms,
            ids: self.ids.clone(),
        }
    }

    /// The fields an action takes over from the event it answers.
    fn inherit<'py>(py: Python<'py>, event: &Event) -> PyResult<Given<'py, N>> {
        let mut given = [const { None }; N];
        for (place, field) in Event::SHAPE.fields.into_iter().enumerate() {
            let own = match field {
                "stream_id" | "correlation_id" | "transaction_id" | "traceparent" => field,
                "id" => "causation_id",
                _ => continue,
            };
            let value = event.field(py, place)?;
            if let Some(place) = Self::SHAPE.place(own) {
                given[place] = Some(value).filter(|value| !value.is_none());
            }
        }
        Ok(given)
    }
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
