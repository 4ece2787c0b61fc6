//! `live_crew.Event`; what Python calls on it is in `methods`.

mod methods;

use std::{
    cmp::Ordering,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use pyo3::{IntoPyObjectExt as _, prelude::*, sync::PyOnceLock};

use super::{
    fields::{Given, Shape, check_ids, ids_of, to_ids, to_kind, to_stream},
    model::{self, Model},
    payload::{Seen, check_payload, made_once, to_payload},
    time,
};
use crate::{
    engine::{self, Arrived, Limits, Payload, StreamId, Timestamp},
    wire::write_event,
};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Event>()
}

/// Something that happened: an instant, a kind, the stream it belongs to, any JSON as payload.
///
/// Immutable: the payload is copied when the event is made, so hash and equality never change.
/// `Event[T]` checks the payload with pydantic and gives it as `T`. Events compare by `(ts, kind,
/// payload)`, then by their identities and their stream: the order in which a slice gives them.
#[pyclass(frozen, module = "live_crew")]
pub(super) struct Event {
    stream: StreamId,
    arrived: Arc<Arrived>,
    seen: Seen,
    ts: PyOnceLock<Py<PyAny>>,
}

const N: usize = 9;
/// Where the identities start among the fields.
const FIRST_ID: usize = 4;

impl Model<N> for Event {
    const SHAPE: Shape<N> = Shape {
        class: "Event",
        name: "an event",
        fields: [
            "ts",
            "kind",
            "stream_id",
            "payload",
            "id",
            "correlation_id",
            "transaction_id",
            "causation_id",
            "traceparent",
        ],
    };

    fn build(py: Python<'_>, given: &Given<'_, N>) -> PyResult<Self> {
        let [ts, kind, stream, payload, ids @ ..] = given;
        let needed = |field, value| {
            Option::ok_or_else(value, || Self::SHAPE.missing(py, field, &["kind", "stream_id"]))
        };
        let kind = to_kind(needed("kind", kind.as_ref())?)?;
        let stream = to_stream(needed("stream_id", stream.as_ref())?)?;
        let ts = ts.as_ref().map_or_else(|| Ok(time::now()), |ts| time::to_timestamp("ts", ts))?;
        let (payload, seen) = to_payload(py, payload.as_ref())?;
        let ids = to_ids(ids)?;
        Ok(Self::new(stream, engine::Event { ts, kind, payload, ids }, seen))
    }

    fn field<'py>(&self, py: Python<'py>, place: usize) -> PyResult<Bound<'py, PyAny>> {
        match place {
            0 => self.datetime(py),
            1 => self.arrived.event.kind.as_str().into_bound_py_any(py),
            2 => self.stream.as_str().into_bound_py_any(py),
            model::PAYLOAD => self.seen.object(py, &self.arrived.event.payload),
            _ => self.ids()[place - FIRST_ID].into_bound_py_any(py),
        }
    }

    fn ts(&self) -> Option<Timestamp> {
        Some(self.timestamp())
    }

    fn payload(&self) -> (&Payload, &Seen) {
        (&self.arrived.event.payload, &self.seen)
    }

    fn write(&self, out: &mut Vec<u8>) {
        write_event(&self.stream, &self.arrived.event, out);
    }
}

impl Event {
    fn new(stream: StreamId, event: engine::Event, seen: Seen) -> Self {
        let arrived = Arc::new(Arrived { event, intended: None, cursor: 0 });
        Self { stream, arrived, seen, ts: PyOnceLock::new() }
    }

    /// An event of the engine. Nothing of it is converted until Python asks for it.
    pub fn from_arrived(
        py: Python<'_>,
        stream: &StreamId,
        arrived: &Arc<Arrived>,
    ) -> PyResult<Py<Self>> {
        let (stream, arrived) = (stream.clone(), Arc::clone(arrived));
        Py::new(py, Self { stream, arrived, seen: Seen::lazy(), ts: PyOnceLock::new() })
    }

    /// An event as a source gave it.
    pub fn from_source(
        py: Python<'_>,
        stream: StreamId,
        event: engine::Event,
    ) -> PyResult<Py<Self>> {
        Py::new(py, Self::new(stream, event, Seen::lazy()))
    }

    /// The event for the engine, held against the limits that are configured.
    pub fn to_engine(
        &self,
        py: Python<'_>,
        limits: &Limits,
    ) -> PyResult<(StreamId, engine::Event)> {
        check_payload(py, &self.arrived.event.payload, limits)?;
        check_ids(py, self.arrived.event.ids.as_deref(), limits)?;
        Ok((self.stream.clone(), self.arrived.event.clone()))
    }

    pub fn timestamp(&self) -> Timestamp {
        self.arrived.event.ts
    }

    fn order(&self, other: &Self) -> Ordering {
        let by_event = self.arrived.event.order(&other.arrived.event);
        by_event.then_with(|| self.stream.cmp(&other.stream))
    }

    fn ids(&self) -> [Option<&str>; 5] {
        ids_of(self.arrived.event.ids.as_deref())
    }

    /// The same event, with another view of its payload.
    fn seen_as(&self, seen: Seen) -> Self {
        let (stream, arrived) = (self.stream.clone(), Arc::clone(&self.arrived));
        Self { stream, arrived, seen, ts: PyOnceLock::new() }
    }

    fn datetime<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        made_once(&self.ts, py, || time::to_datetime(py, self.timestamp()))
    }

    fn hash(&self) -> u64 {
        let event = &self.arrived.event;
        let mut hasher = DefaultHasher::new();
        (event.ts, &event.kind, &event.payload, &self.stream).hash(&mut hasher);
        hasher.finish()
    }
}
