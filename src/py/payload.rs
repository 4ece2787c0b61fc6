//! The payload of a model: its JSON, and what Python sees of it.

use pyo3::{
    prelude::*,
    sync::PyOnceLock,
    types::{PyAny, PyType},
};

use super::{
    fields::{model_limits, refused},
    json::{from_python, to_python},
    models_error::model_error,
};
use crate::{
    engine::{Limits, Payload},
    json::JsonLimits,
    wire::EventProblem,
};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<TypedPayload>()
}

/// What Python sees of a payload: made when first asked for, or held since a type checked it.
///
/// A model is its JSON. An object given to it is converted at once and not kept, so whoever goes on
/// to change that object changes nothing here.
pub(super) struct Seen {
    object: PyOnceLock<Py<PyAny>>,
    /// `Signup` in `Event[Signup]`.
    of: Option<Py<PyAny>>,
}

impl Seen {
    pub fn lazy() -> Self {
        Self { object: PyOnceLock::new(), of: None }
    }

    pub fn typed(py: Python<'_>, of: Py<PyAny>, object: Py<PyAny>) -> Self {
        let cell = PyOnceLock::new();
        cell.get_or_init(py, || object);
        Self { object: cell, of: Some(of) }
    }

    /// A type that made `None` of a payload is a type all the same.
    pub fn restored(py: Python<'_>, of: Option<Py<PyAny>>, object: Option<Py<PyAny>>) -> Self {
        match of {
            Some(of) => Self::typed(py, of, object.unwrap_or_else(|| py.None())),
            None => Self::lazy(),
        }
    }

    /// What can be changed in Python is not shared.
    pub fn deep_copy(&self, memo: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = memo.py();
        let Some((of, object)) = self.parts(py) else {
            return Ok(Self::lazy());
        };
        let object = py.import("copy")?.getattr("deepcopy")?.call1((object, memo))?;
        Ok(Self::typed(py, of, object.unbind()))
    }

    pub fn object<'py>(&self, py: Python<'py>, json: &Payload) -> PyResult<Bound<'py, PyAny>> {
        made_once(&self.object, py, || to_python(py, json.as_bytes()))
    }

    pub fn of<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.of.as_ref().map(|of| of.bind(py).clone())
    }

    /// The payload for `model_dump`: a copy that belongs to the caller.
    pub fn dump<'py>(
        &self,
        py: Python<'py>,
        json: &Payload,
        mode: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        match (&self.of, self.object.get(py)) {
            (Some(of), Some(object)) if mode != "json" => {
                py.import("live_crew._typed")?.getattr("dump")?.call1((of, object))
            }
            _ => to_python(py, json.as_bytes()),
        }
    }

    /// What stands in brackets behind the name of the model, brackets included.
    pub fn brackets(&self, py: Python<'_>) -> PyResult<String> {
        let Some(of) = &self.of else {
            return Ok(String::new());
        };
        let of = of.bind(py);
        let name = match of.cast::<PyType>() {
            Ok(class) => class.qualname()?.to_string(),
            Err(_) => of.repr()?.to_string(),
        };
        Ok(format!("[{name}]"))
    }

    /// The type and the object, for pickle.
    pub fn parts(&self, py: Python<'_>) -> Option<(Py<PyAny>, Py<PyAny>)> {
        let (of, object) = (self.of.as_ref()?, self.object.get(py)?);
        Some((of.clone_ref(py), object.clone_ref(py)))
    }
}

/// What is in a cell, made when it is empty. `get_or_init` would let go of the interpreter and take
/// it again, which costs as much as a small payload; here, what two threads make at once is made
/// twice, and the first one counts.
pub(super) fn made_once<'py>(
    cell: &PyOnceLock<Py<PyAny>>,
    py: Python<'py>,
    make: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    if let Some(made) = cell.get(py) {
        return Ok(made.bind(py).clone());
    }
    let object = make()?;
    match cell.set(py, object.clone().unbind()) {
        Ok(()) => Ok(object),
        Err(late) => Ok(cell.get(py).unwrap_or(&late).bind(py).clone()),
    }
}

/// A payload that a type has checked, on its way into a model. `live_crew._typed` makes it.
#[pyclass(frozen, module = "live_crew._core")]
pub(super) struct TypedPayload {
    of: Py<PyAny>,
    object: Py<PyAny>,
    json: Payload,
}

#[pymethods]
impl TypedPayload {
    /// `plain` is what `object` is in JSON.
    #[new]
    fn new(of: Py<PyAny>, object: Py<PyAny>, plain: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self { of, object, json: encode(plain)? })
    }
}

impl TypedPayload {
    /// A payload that was in a model already.
    pub fn known(json: Payload, of: Py<PyAny>, object: Py<PyAny>) -> Self {
        Self { of, object, json }
    }
}

/// The payload given to a model.
pub(super) fn to_payload(
    py: Python<'_>,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<(Payload, Seen)> {
    let Some(value) = value else {
        return Ok((Payload::null(), Seen::lazy()));
    };
    if let Ok(typed) = value.cast_exact::<TypedPayload>() {
        let typed = typed.get();
        let seen = Seen::typed(py, typed.of.clone_ref(py), typed.object.clone_ref(py));
        return Ok((typed.json.clone(), seen));
    }
    Ok((encode(value)?, Seen::lazy()))
}

fn encode(value: &Bound<'_, PyAny>) -> PyResult<Payload> {
    let limits = model_limits();
    let limits = JsonLimits { depth: limits.json_depth, bytes: limits.payload_bytes };
    from_python(value, &limits).map_err(|error| error.into_error(value.py(), "payload"))
}

/// Holds a payload against the limits that are configured.
pub(super) fn check_payload(py: Python<'_>, payload: &Payload, limits: &Limits) -> PyResult<()> {
    let (bytes, limit) = (payload.as_bytes().len(), limits.payload_bytes);
    if bytes > limit {
        return Err(refused(py, &EventProblem::PayloadTooLarge { bytes, limit }));
    }
    // A level takes two bytes: most payloads are too short to be too deep.
    let limit = limits.json_depth;
    if bytes > limit && depth(payload.as_bytes()) > limit {
        let message = format!(
            "`payload` is nested deeper than {limit} levels; flatten it or raise `json_depth`"
        );
        return Err(model_error(py, message));
    }
    Ok(())
}

/// The levels of arrays and objects in canonical text.
fn depth(text: &[u8]) -> usize {
    let (mut level, mut deepest, mut at) = (0_usize, 0, 0);
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => {
                level += 1;
                deepest = deepest.max(level);
            }
            b'}' | b']' => level = level.saturating_sub(1),
            b'"' => at += past_string(&text[at..]),
            _ => {}
        }
    }
    deepest
}

/// Bytes up to and with the closing quote.
fn past_string(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        at += 1;
        match byte {
            b'"' => break,
            b'\\' => at += 1,
            _ => {}
        }
    }
    at
}
