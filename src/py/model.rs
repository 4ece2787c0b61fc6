//! What events and actions have in common: the ways in and out of Python and JSON.

use std::borrow::Cow;

use pyo3::{
    prelude::*,
    types::{PyByteArray, PyBytes, PyDict, PyMapping, PyString, PyTuple, PyType},
};

use super::{
    fields::{Given, Shape, shown},
    models_error::model_error,
    payload::{Seen, TypedPayload},
    time,
};
use crate::engine::{DEFAULT_TTL_MS, Payload, Timestamp};

/// An event or an action: `N` fields, of which one is called `ts` and one `payload`.
pub(super) trait Model<const N: usize>: Sized {
    const SHAPE: Shape<N>;

    /// Makes it of fields that are still to be checked.
    fn build(py: Python<'_>, given: &Given<'_, N>) -> PyResult<Self>;

    /// A field by its place in the shape; `None` if it was not given.
    fn field<'py>(&self, py: Python<'py>, place: usize) -> PyResult<Bound<'py, PyAny>>;

    fn ts(&self) -> Option<Timestamp>;

    fn payload(&self) -> (&Payload, &Seen);

    /// Appends it as canonical JSON.
    fn write(&self, out: &mut Vec<u8>);
}

/// Where models have their payload.
pub(super) const PAYLOAD: usize = 3;

pub(super) fn to_json<const N: usize>(model: &impl Model<N>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    model.write(&mut out);
    out
}

/// Every field by name. In mode `json` with values that JSON has, else as the attributes are; what
/// can be changed in it is a copy.
pub(super) fn dump<'py, const N: usize, M: Model<N>>(
    py: Python<'py>,
    model: &M,
    mode: &str,
) -> PyResult<Bound<'py, PyDict>> {
    if !matches!(mode, "python" | "json") {
        let mode = PyString::new(py, mode);
        let message = format!("`mode` is {}; write 'python' or 'json'", shown(&mode));
        return Err(model_error(py, message));
    }
    let dict = PyDict::new(py);
    for (place, field) in M::SHAPE.fields.into_iter().enumerate() {
        let value = match (place, model.ts()) {
            (PAYLOAD, _) => {
                let (json, seen) = model.payload();
                seen.dump(py, json, mode)?
            }
            (0, Some(ts)) if mode == "json" => PyString::new(py, &time::to_text(ts)).into_any(),
            _ => model.field(py, place)?,
        };
        if field == "ttl_ms" && value.is_none() {
            dict.set_item(field, DEFAULT_TTL_MS)?;
        } else {
            dict.set_item(field, value)?;
        }
    }
    Ok(dict)
}

/// An expression that makes it again, given its class and the type of its payload.
pub(super) fn repr<const N: usize, M: Model<N>>(py: Python<'_>, model: &M) -> PyResult<String> {
    let mut text = format!("{}{}(", M::SHAPE.class, model.payload().1.brackets(py)?);
    let mut separator = "";
    for (place, field) in M::SHAPE.fields.into_iter().enumerate() {
        let value = match (place, model.ts()) {
            (0, Some(ts)) => PyString::new(py, &time::to_text(ts)).into_any(),
            _ => model.field(py, place)?,
        };
        if place == PAYLOAD || !value.is_none() {
            text.push_str(separator);
            text.push_str(field);
            text.push('=');
            text.push_str(&value.repr()?.to_string_lossy());
            separator = ", ";
        }
    }
    text.push(')');
    Ok(text)
}

/// A copy with some fields changed, all of them checked again.
pub(super) fn copy<const N: usize, M: Model<N>>(
    py: Python<'_>,
    model: &M,
    update: &Bound<'_, PyMapping>,
) -> PyResult<M> {
    let mut given: Given<'_, N> = [const { None }; N];
    for (place, field) in given.iter_mut().enumerate() {
        *field = Some(model.field(py, place)?).filter(|value| !value.is_none());
    }
    let (json, seen) = model.payload();
    given[PAYLOAD] = None;
    let mut given = M::SHAPE.update(given, update)?;
    given[PAYLOAD] = match (given[PAYLOAD].take(), seen.parts(py)) {
        (None, _) if update.contains(M::SHAPE.fields[PAYLOAD])? => None,
        (None, Some((of, object))) => {
            let known = TypedPayload::known(json.clone(), of, object);
            Some(Bound::new(py, known)?.into_any())
        }
        (None, None) => Some(seen.object(py, json)?),
        (Some(payload), Some((of, _))) => Some(checked(py, (of, payload))?),
        (payload, None) => payload,
    };
    M::build(py, &given)
}

fn checked<'py>(
    py: Python<'py>,
    of_and_payload: (Py<PyAny>, Bound<'py, PyAny>),
) -> PyResult<Bound<'py, PyAny>> {
    py.import("live_crew._typed")?.getattr("check")?.call1(of_and_payload)
}

/// For pickle: how to make it again. A type and the object it made go along as they are.
pub(super) fn reduce<'py, const N: usize, M: Model<N>>(
    class: &Bound<'py, PyType>,
    model: &M,
    text: &[u8],
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
    let py = class.py();
    let text = PyBytes::new(py, text);
    let arguments = match model.payload().1.parts(py) {
        Some((of, object)) => (text, of, object).into_pyobject(py)?,
        None => (text,).into_pyobject(py)?,
    };
    Ok((class.getattr("_restore")?, arguments))
}

/// The bytes of a text given as `str`, `bytes` or `bytearray`.
pub(super) fn text_of<'a>(value: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_str().map_err(|_| {
            let message = format!("{} holds half of a surrogate pair; remove it", shown(value));
            model_error(value.py(), message)
        })?;
        return Ok(text.as_bytes().into());
    }
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().into());
    }
    if let Ok(bytes) = value.cast::<PyByteArray>() {
        return Ok(bytes.to_vec().into());
    }
    let class = value.get_type().name()?;
    let message = format!("JSON is given as str or bytes, not as {class}; use `model_validate`");
    Err(model_error(value.py(), message))
}
