//! What Python calls on an event.

use pyo3::{
    prelude::*,
    pyclass::CompareOp,
    types::{PyBytes, PyDict, PyMapping, PyString, PyTuple, PyType},
};

use super::Event;
use crate::{
    py::{
        fields::model_limits,
        model::{self, Model as _},
        models_error::model_error,
        payload::Seen,
    },
    wire::parse_event,
};

#[pymethods]
impl Event {
    /// `ts` may be a datetime (naive is UTC) or its text; now, if it is not given.
    #[new]
    #[pyo3(signature = (
        ts = None, kind = None, stream_id = None, payload = None, id = None, correlation_id = None,
        transaction_id = None, causation_id = None, traceparent = None, **unknown
    ))]
    #[allow(clippy::too_many_arguments, reason = "an event has nine fields")]
    fn make<'py>(
        py: Python<'py>,
        ts: Option<Bound<'py, PyAny>>,
        kind: Option<Bound<'py, PyAny>>,
        stream_id: Option<Bound<'py, PyAny>>,
        payload: Option<Bound<'py, PyAny>>,
        id: Option<Bound<'py, PyAny>>,
        correlation_id: Option<Bound<'py, PyAny>>,
        transaction_id: Option<Bound<'py, PyAny>>,
        causation_id: Option<Bound<'py, PyAny>>,
        traceparent: Option<Bound<'py, PyAny>>,
        unknown: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        Self::SHAPE.refuse(unknown)?;
        let ids = (id, correlation_id, transaction_id, causation_id, traceparent);
        Self::build(py, &[ts, kind, stream_id, payload, ids.0, ids.1, ids.2, ids.3, ids.4])
    }

    #[classattr]
    fn __match_args__() -> (&'static str, &'static str, &'static str, &'static str) {
        ("ts", "kind", "stream_id", "payload")
    }

    /// `Event[T]`: an event whose payload is checked to be a `T`.
    #[classmethod]
    fn __class_getitem__<'py>(
        class: &Bound<'py, PyType>,
        of: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        class.py().import("live_crew._typed")?.getattr("TypedModel")?.call1((class, of))
    }

    /// When it happened: an aware `datetime` in UTC.
    #[getter]
    fn ts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.datetime(py)
    }

    /// What sort of thing happened.
    #[getter]
    fn kind(&self) -> &str {
        self.arrived.event.kind.as_str()
    }

    /// The stream it belongs to.
    #[getter]
    fn stream_id(&self) -> &str {
        self.stream.as_str()
    }

    /// Any JSON value, or what `T` makes of it in an `Event[T]`.
    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.seen.object(py, &self.arrived.event.payload)
    }

    /// The producer's own id; events with the same one are taken once.
    #[getter]
    fn id(&self) -> Option<&str> {
        self.ids()[0]
    }

    /// Groups what belongs to one request.
    #[getter]
    fn correlation_id(&self) -> Option<&str> {
        self.ids()[1]
    }

    /// Groups what belongs to one transaction.
    #[getter]
    fn transaction_id(&self) -> Option<&str> {
        self.ids()[2]
    }

    /// What caused it.
    #[getter]
    fn causation_id(&self) -> Option<&str> {
        self.ids()[3]
    }

    /// W3C trace context.
    #[getter]
    fn traceparent(&self) -> Option<&str> {
        self.ids()[4]
    }

    /// Every field by name; in mode `json` with values that JSON has.
    #[pyo3(signature = (*, mode = "python"))]
    fn model_dump<'py>(&self, py: Python<'py>, mode: &str) -> PyResult<Bound<'py, PyDict>> {
        model::dump(py, self, mode)
    }

    /// Canonical JSON, byte for byte as it goes over the wire.
    fn model_dump_json<'py>(&self, py: Python<'py>) -> Bound<'py, PyString> {
        PyString::new(py, &String::from_utf8_lossy(&model::to_json(self)))
    }

    /// Reads a mapping of fields; an event is given back as it is.
    #[classmethod]
    fn model_validate<'py>(
        class: &Bound<'py, PyType>,
        obj: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Self>> {
        if let Ok(event) = obj.cast::<Self>() {
            return Ok(event.clone());
        }
        let mapping = obj.cast::<PyMapping>().map_err(|_| Self::SHAPE.no_model(obj))?;
        Bound::new(class.py(), Self::build(class.py(), &Self::SHAPE.read(mapping)?)?)
    }

    /// Reads JSON, as strictly as a source does; errors name line and column.
    #[classmethod]
    fn model_validate_json(
        class: &Bound<'_, PyType>,
        json_data: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let text = model::text_of(json_data)?;
        let (stream, event) = parse_event(&text, &model_limits())
            .map_err(|error| model_error(class.py(), error.to_string()))?;
        Ok(Self::new(stream, event, Seen::lazy()))
    }

    /// The JSON Schema of an event.
    #[classmethod]
    fn model_json_schema<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
        class.py().import("live_crew._typed")?.getattr("json_schema")?.call1((class,))
    }

    /// A copy; the fields in `update` are changed and checked.
    #[pyo3(signature = (*, update = None))]
    fn model_copy<'py>(
        slf: &Bound<'py, Self>,
        update: Option<&Bound<'py, PyMapping>>,
    ) -> PyResult<Bound<'py, Self>> {
        match update {
            Some(update) => Bound::new(slf.py(), model::copy(slf.py(), slf.get(), update)?),
            None => Ok(slf.clone()),
        }
    }

    #[classmethod]
    fn __get_pydantic_core_schema__<'py>(
        class: &Bound<'py, PyType>,
        source: &Bound<'py, PyAny>,
        handler: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let module = class.py().import("live_crew._typed")?;
        module.getattr("core_schema")?.call1((class, source, handler))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        model::repr(py, self)
    }

    fn __richcmp__(&self, other: &Self, op: CompareOp) -> bool {
        op.matches(self.order(other))
    }

    fn __hash__(&self) -> u64 {
        self.hash()
    }

    fn __copy__<'py>(slf: &Bound<'py, Self>) -> Bound<'py, Self> {
        slf.clone()
    }

    /// A copy with a payload of its own.
    fn __deepcopy__<'py>(
        slf: &Bound<'py, Self>,
        memo: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Self>> {
        let event = slf.get();
        Bound::new(slf.py(), event.seen_as(event.seen.deep_copy(memo)?))
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let text = model::to_json(slf.get());
        model::reduce(&slf.get_type(), slf.get(), &text)
    }

    #[classmethod]
    #[pyo3(signature = (json, of = None, payload = None))]
    fn _restore(
        class: &Bound<'_, PyType>,
        json: &Bound<'_, PyAny>,
        of: Option<Py<PyAny>>,
        payload: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let event = Self::model_validate_json(class, json)?;
        Ok(event.seen_as(Seen::restored(class.py(), of, payload)))
    }

    /// The same event, its payload seen as what a type made of it.
    fn _typed(&self, py: Python<'_>, of: Py<PyAny>, payload: Py<PyAny>) -> Self {
        self.seen_as(Seen::typed(py, of, payload))
    }

    /// The type of the payload, and the JSON to make one from.
    fn _payload<'py>(&self, py: Python<'py>) -> (Option<Bound<'py, PyAny>>, Bound<'py, PyBytes>) {
        let json = PyBytes::new(py, self.arrived.event.payload.as_bytes());
        (self.seen.of(py), json)
    }
}
