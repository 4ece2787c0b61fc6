//! Changes to values that were handed out: told from what they were, shown where they are.

use std::sync::Arc;

use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{PyDict, PyList, PyString},
};

use crate::{
    engine::{Change, ChangeError, Op},
    json::Json,
};

/// Puts a value into lists and dicts that were handed out.
pub(super) fn show(
    py: Python<'_>,
    object: &Bound<'_, PyAny>,
    path: &[Arc<str>],
    value: Bound<'_, PyAny>,
) -> PyResult<()> {
    let [_, between @ .., last] = path else {
        // The whole value: a list that grew is changed in place, so every reference sees it.
        if let (Ok(list), Ok(new)) = (object.cast::<PyList>(), value.cast::<PyList>()) {
            return list.set_slice(0, list.len(), new);
        }
        return Ok(());
    };
    let mut at = object.clone();
    for key in between {
        let Ok(dict) = at.cast_into::<PyDict>() else { return Ok(()) };
        at = if let Some(next) = dict.get_item(&**key)? {
            next
        } else {
            let made = PyDict::new(py).into_any();
            dict.set_item(&**key, &made)?;
            made
        };
    }
    at.cast::<PyDict>().map_or(Ok(()), |dict| dict.set_item(&**last, value))
}

/// The smallest path-level changes that make `new` out of `old`.
pub(super) fn differences(
    path: &mut Vec<Arc<str>>,
    old: Option<&Json>,
    new: &Json,
    ops: &mut Vec<Op>,
) {
    match (old, new) {
        (Some(old), new) if old == new => {}
        (Some(Json::Object(old)), Json::Object(new)) => {
            for key in old.keys().filter(|key| !new.contains_key(*key)) {
                path.push(Arc::clone(key));
                ops.push(Op { path: path.clone(), change: Change::Delete });
                path.pop();
            }
            for (key, value) in new {
                path.push(Arc::clone(key));
                differences(path, old.get(key), value, ops);
                path.pop();
            }
        }
        (_, new) => ops.push(Op { path: path.clone(), change: Change::Set(new.clone()) }),
    }
}

pub(super) fn is_mutable(value: &Bound<'_, PyAny>) -> bool {
    value.is_instance_of::<PyDict>() || value.is_instance_of::<PyList>()
}

pub(super) fn keys_of(path: &Bound<'_, PyAny>) -> PyResult<Vec<Arc<str>>> {
    if let Ok(dotted) = path.cast::<PyString>() {
        return Ok(dotted.to_cow()?.split('.').map(Into::into).collect());
    }
    let keys: Vec<String> = path
        .extract()
        .map_err(|_| PyTypeError::new_err("a context path is a dotted string or a list of keys"))?;
    Ok(keys.iter().map(|key| key.as_str().into()).collect())
}

pub(super) fn change_error(error: &ChangeError) -> PyErr {
    PyTypeError::new_err(error.to_string())
}
