//! What Python calls on an action.

use pyo3::{
    prelude::*,
    pyclass::CompareOp,
    types::{PyBytes, PyDict, PyMapping, PyString, PyTuple, PyType},
};

use super::{Action, N};
use crate::{
    json::{JsonLimits, parse},
    py::{
        event::Event,
        fields::{Given, model_limits},
        json::json_to_python,
        model::{self, Model as _},
        models_error::model_error,
        payload::Seen,
    },
};

#[pymethods]
impl Action {
    /// `ts` may be a datetime (naive is UTC) or its text. What is not given, live-crew fills in.
    #[new]
    #[pyo3(signature = (
        ts = None, kind = None, stream_id = None, payload = None, ttl_ms = None, id = None,
        correlation_id = None, transaction_id = None, causation_id = None, traceparent = None,
        **unknown
    ))]
    #[allow(clippy::too_many_arguments, reason = "an action has ten fields")]
    fn make<'py>(
        py: Python<'py>,
        ts: Option<Bound<'py, PyAny>>,
        kind: Option<Bound<'py, PyAny>>,
        stream_id: Option<Bound<'py, PyAny>>,
        payload: Option<Bound<'py, PyAny>>,
        ttl_ms: Option<Bound<'py, PyAny>>,
        id: Option<Bound<'py, PyAny>>,
        correlation_id: Option<Bound<'py, PyAny>>,
        transaction_id: Option<Bound<'py, PyAny>>,
        causation_id: Option<Bound<'py, PyAny>>,
        traceparent: Option<Bound<'py, PyAny>>,
        unknown: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        Self::SHAPE.refuse(unknown)?;
        let ids = (id, correlation_id, transaction_id, causation_id, traceparent);
        let given = [ts, kind, stream_id, payload, ttl_ms, ids.0, ids.1, ids.2, ids.3, ids.4];
        Self::build(py, &given)
    }

    /// An action of `kind`; every other field by name.
    #[classmethod]
    #[pyo3(signature = (kind, payload = None, **fields))]
    fn create<'py>(
        class: &Bound<'py, PyType>,
        kind: Bound<'py, PyAny>,
        payload: Option<Bound<'py, PyAny>>,
        fields: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        Self::with(class.py(), [const { None }; N], kind, payload, fields)
    }

    /// An answer to `event`: its stream, correlation, transaction and trace are taken over, and its
    /// id is the cause. `fields` come before all that.
    #[classmethod]
    #[pyo3(signature = (event, kind, payload = None, **fields))]
    fn from_event<'py>(
        class: &Bound<'py, PyType>,
        event: &Bound<'py, Event>,
        kind: Bound<'py, PyAny>,
        payload: Option<Bound<'py, PyAny>>,
        fields: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        let py = class.py();
        Self::with(py, Self::inherit(py, event.get())?, kind, payload, fields)
    }

    #[classattr]
    fn __match_args__() -> (&'static str, &'static str, &'static str, &'static str) {
        ("ts", "kind", "stream_id", "payload")
    }

    /// `Action[T]`: an action whose payload is checked to be a `T`.
    #[classmethod]
    fn __class_getitem__<'py>(
        class: &Bound<'py, PyType>,
        of: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        class.py().import("live_crew._typed")?.getattr("TypedModel")?.call1((class, of))
    }

    /// When it is for: an aware `datetime` in UTC, or `None` for the end of the slice.
    #[getter]
    fn ts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.datetime(py)
    }

    /// What is to be done.
    #[getter]
    fn kind(&self) -> &str {
        self.kind.as_str()
    }

    /// The stream it is for, or `None` for that of the run.
    #[getter]
    fn stream_id(&self) -> Option<&str> {
        self.stream()
    }

    /// How long it is worth doing.
    #[getter]
    fn ttl_ms(&self) -> u32 {
        self.ttl()
    }

    /// Any JSON value, or what `T` makes of it in an `Action[T]`.
    #[getter]
    fn payload<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.seen.object(py, &self.payload)
    }

    /// The same whenever its run is repeated; absent until the run has landed.
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

    /// What caused it: the run, once it has landed.
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

    /// Reads a mapping of fields; an action is given back as it is.
    #[classmethod]
    fn model_validate<'py>(
        class: &Bound<'py, PyType>,
        obj: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Self>> {
        if let Ok(action) = obj.cast::<Self>() {
            return Ok(action.clone());
        }
        let mapping = obj.cast::<PyMapping>().map_err(|_| Self::SHAPE.no_model(obj))?;
        Bound::new(class.py(), Self::build(class.py(), &Self::SHAPE.read(mapping)?)?)
    }

    /// Reads JSON; errors in it name line and column.
    #[classmethod]
    fn model_validate_json<'py>(
        class: &Bound<'py, PyType>,
        json_data: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, Self>> {
        let (py, limits) = (class.py(), model_limits());
        let limits = JsonLimits { depth: limits.json_depth, bytes: limits.event_bytes };
        let value = parse(&model::text_of(json_data)?, &limits)
            .map_err(|error| model_error(py, error.to_string()))?;
        Self::model_validate(class, &json_to_python(py, &value)?)
    }

    /// The JSON Schema of an action.
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
        let action = slf.get();
        Bound::new(slf.py(), action.seen_as(action.seen.deep_copy(memo)?))
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let mut text = Vec::new();
        slf.get().write_with(slf.get().ttl_ms, &mut text);
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
        let action = Self::model_validate_json(class, json)?;
        Ok(action.get().seen_as(Seen::restored(class.py(), of, payload)))
    }

    /// The same action, its payload seen as what a type made of it.
    fn _typed(&self, py: Python<'_>, of: Py<PyAny>, payload: Py<PyAny>) -> Self {
        self.seen_as(Seen::typed(py, of, payload))
    }

    /// The type of the payload, and the JSON to make one from.
    fn _payload<'py>(&self, py: Python<'py>) -> (Option<Bound<'py, PyAny>>, Bound<'py, PyBytes>) {
        let json = PyBytes::new(py, self.payload.as_bytes());
        (self.seen.of(py), json)
    }
}

impl Action {
    fn with<'py>(
        py: Python<'py>,
        given: Given<'py, N>,
        kind: Bound<'py, PyAny>,
        payload: Option<Bound<'py, PyAny>>,
        fields: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Self> {
        let mut given = match fields {
            Some(fields) => Self::SHAPE.update(given, fields.as_mapping())?,
            None => given,
        };
        given[1] = Some(kind);
        given[model::PAYLOAD] = payload;
        Self::build(py, &given)
    }
}
