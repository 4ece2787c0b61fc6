//! `live_crew.Action`; what Python calls on it is in `methods`.

mod methods;

use std::{
    borrow::Cow,
    cmp::Ordering,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use pyo3::{IntoPyObjectExt as _, prelude::*};

use super::{
    event::Event,
    fields::{Given, Shape, check_id, refused, to_id, to_kind, to_stream, to_ttl_ms},
    model::{self, Model},
    models_error::model_error,
    payload::{Seen, check_payload, to_payload},
    time,
};
use crate::{
    engine::{
        self, ActionId, CrewName, DEFAULT_TTL_MS, Draft, Kind, Limits, Payload, RunKey, StreamId,
        Timestamp,
    },
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
    origin: Origin,
    correlation_id: Option<Arc<str>>,
    transaction_id: Option<Arc<str>>,
    traceparent: Option<Arc<str>>,
}

/// Who an action is and what caused it.
#[derive(Debug, Clone)]
enum Origin {
    /// As somebody wrote it.
    Given { id: Option<Arc<str>>, causation_id: Option<Arc<str>> },
    /// The run that answered with it; written out when somebody asks.
    Run { id: ActionId, crew: CrewName, run: RunKey },
}

const N: usize = 10;

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
        required: &["kind", "payload"],
    };

    fn build(py: Python<'_>, given: &Given<'_, N>) -> PyResult<Self> {
        let [ts, kind, stream, payload, ttl_ms, id, correlation, transaction, causation, trace] =
            given;
        let kind = kind.as_ref().ok_or_else(|| Self::SHAPE.missing(py, "kind", &["kind"]))?;
        let (payload, seen) = to_payload(py, payload.as_ref())?;
        Ok(Self {
            ts: ts.as_ref().map(|ts| time::to_timestamp("ts", ts)).transpose()?,
            kind: to_kind(kind)?,
            stream: stream.as_ref().map(to_stream).transpose()?,
            payload,
            seen,
            ttl_ms: ttl_ms.as_ref().map(to_ttl_ms).transpose()?,
            origin: Origin::Given {
                id: to_id("id", id.as_ref())?,
                causation_id: to_id("causation_id", causation.as_ref())?,
            },
            correlation_id: to_id("correlation_id", correlation.as_ref())?,
            transaction_id: to_id("transaction_id", transaction.as_ref())?,
            traceparent: to_id("traceparent", trace.as_ref())?,
        })
    }

    fn field<'py>(&self, py: Python<'py>, place: usize) -> PyResult<Bound<'py, PyAny>> {
        match place {
            0 => self.datetime(py),
            1 => self.kind.as_str().into_bound_py_any(py),
            2 => self.stream().into_bound_py_any(py),
            model::PAYLOAD => self.seen.object(py, &self.payload),
            4 => self.ttl().into_bound_py_any(py),
            5 => self.id().into_bound_py_any(py),
            6 => self.correlation_id.as_deref().into_bound_py_any(py),
            7 => self.transaction_id.as_deref().into_bound_py_any(py),
            8 => self.causation_id().into_bound_py_any(py),
            _ => self.traceparent.as_deref().into_bound_py_any(py),
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

/// Appends `"field":"value",`, or nothing.
fn write_optional(field: &str, value: Option<&str>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        write_string(field, out);
        out.push(b':');
        write_string(value, out);
        out.push(b',');
    }
}

impl Action {
    /// The same bytes as `wire::write_action`, without what is not known yet.
    fn write_with(&self, ttl_ms: Option<u32>, out: &mut Vec<u8>) {
        out.push(b'{');
        write_optional("causation_id", self.causation_id().as_deref(), out);
        write_optional("correlation_id", self.correlation_id.as_deref(), out);
        write_optional("id", self.id().as_deref(), out);
        write_optional("kind", Some(self.kind.as_str()), out);
        out.extend_from_slice(b"\"payload\":");
        out.extend_from_slice(self.payload.as_bytes());
        out.push(b',');
        write_optional("stream_id", self.stream(), out);
        write_optional("traceparent", self.traceparent.as_deref(), out);
        write_optional("transaction_id", self.transaction_id.as_deref(), out);
        write_optional("ts", self.ts.map(time::to_text).as_deref(), out);
        if let Some(ttl_ms) = ttl_ms {
            out.extend_from_slice(format!("\"ttl_ms\":{ttl_ms},").as_bytes());
        }
        // `payload` stands there for certain, and with it a comma.
        out.pop();
        out.push(b'}');
    }

    /// An action of the engine, on its way out.
    pub fn from_outgoing(
        py: Python<'_>,
        stream: &StreamId,
        crew: &CrewName,
        action: &engine::Action,
    ) -> PyResult<Py<Self>> {
        Py::new(
            py,
            Self {
                ts: Some(action.ts),
                kind: action.kind.clone(),
                stream: Some(action.stream.as_ref().unwrap_or(stream).clone()),
                payload: action.payload.clone(),
                seen: Seen::lazy(),
                ttl_ms: Some(action.ttl_ms),
                origin: Origin::Run { id: action.id, crew: crew.clone(), run: action.run.key },
                correlation_id: action.correlation_id.clone(),
                transaction_id: action.transaction_id.clone(),
                traceparent: action.traceparent.clone(),
            },
        )
    }

    /// What a handler answered, for the engine to complete. The run becomes its cause whatever it
    /// says; an id of one's own is refused, because it would be lost.
    pub fn to_draft(&self, py: Python<'_>, limits: &Limits) -> PyResult<Draft> {
        if let Some(id) = self.id() {
            let message = format!(
                "field `id` is `{id}`, but the id of an action comes from its run, so that a \
                 restart makes the same one; leave it out"
            );
            return Err(model_error(py, message));
        }
        check_payload(py, &self.payload, limits)?;
        let ids = [&self.correlation_id, &self.transaction_id];
        for (field, id) in ["correlation_id", "transaction_id"].into_iter().zip(ids) {
            if let Some(id) = id {
                check_id(field, id, limits.id_bytes).map_err(|problem| refused(py, &problem))?;
            }
        }
        Ok(Draft {
            kind: self.kind.clone(),
            payload: self.payload.clone(),
            ttl_ms: self.ttl_ms,
            stream: self.stream.clone(),
            ts: self.ts,
            correlation_id: self.correlation_id.clone(),
            transaction_id: self.transaction_id.clone(),
        })
    }

    fn stream(&self) -> Option<&str> {
        self.stream.as_ref().map(StreamId::as_str)
    }

    fn ttl(&self) -> u32 {
        self.ttl_ms.unwrap_or(DEFAULT_TTL_MS)
    }

    fn id(&self) -> Option<Cow<'_, str>> {
        match &self.origin {
            Origin::Given { id, .. } => id.as_deref().map(Cow::Borrowed),
            Origin::Run { id, .. } => Some(id.to_string().into()),
        }
    }

    fn causation_id(&self) -> Option<Cow<'_, str>> {
        match &self.origin {
            Origin::Given { causation_id, .. } => causation_id.as_deref().map(Cow::Borrowed),
            Origin::Run { crew, run, .. } => Some(format!("{crew}/{run}").into()),
        }
    }

    fn datetime<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self.ts {
            Some(ts) => time::to_datetime(py, ts),
            None => Ok(py.None().into_bound(py)),
        }
    }

    /// By what can be read of it: who made it and whether a default was given does not count.
    fn order(&self, other: &Self) -> Ordering {
        let main = |action: &Self| (action.ts, action.kind.clone(), action.payload.clone());
        let rest = |action: &'_ Self| {
            let text = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
            (
                action.stream.clone(),
                action.ttl(),
                text(action.id()),
                text(action.causation_id()),
                action.correlation_id.clone(),
                action.transaction_id.clone(),
                action.traceparent.clone(),
            )
        };
        main(self).cmp(&main(other)).then_with(|| rest(self).cmp(&rest(other)))
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
            origin: self.origin.clone(),
            correlation_id: self.correlation_id.clone(),
            transaction_id: self.transaction_id.clone(),
            traceparent: self.traceparent.clone(),
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
