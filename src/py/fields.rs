//! The fields of events and actions as Python gives them, checked one by one.

use std::sync::Arc;

use pyo3::{
    prelude::*,
    types::{PyDict, PyInt, PyMapping, PyString},
};

use super::models_error::model_error;
use crate::{
    engine::{CrewName, Ids, Kind, Limits, StreamId, closest},
    wire::EventProblem,
};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(check_kind, module)?)?;
    module.add_function(wrap_pyfunction!(check_crew, module)?)
}

/// Refuses what is no kind of events or actions.
#[pyfunction]
fn check_kind(kind: &Bound<'_, PyAny>) -> PyResult<()> {
    to_kind(kind).map(drop)
}

/// Refuses what is no name of a crew.
#[pyfunction]
fn check_crew(crew: &Bound<'_, PyAny>) -> PyResult<()> {
    let name = CrewName::new(to_str("crew", crew)?);
    name.map(drop).map_err(|error| refused(crew.py(), &EventProblem::Name(error)))
}

/// What a model is called and which fields it has, in the order of its arguments.
pub(super) struct Shape<const N: usize> {
    /// `Event`
    pub class: &'static str,
    /// `an event`
    pub name: &'static str,
    pub fields: [&'static str; N],
}

/// Fields by their place; absent and `None` are the same.
pub(super) type Given<'py, const N: usize> = [Option<Bound<'py, PyAny>>; N];

/// What no model may exceed, whatever is configured. The limits of the configuration are held
/// against an event when it is published: a model does not know where it is going.
pub(super) fn model_limits() -> Limits {
    Limits {
        event_bytes: 65 << 20,
        payload_bytes: 64 << 20,
        json_depth: 1_000,
        id_bytes: 4_096,
        ..Limits::default()
    }
}

impl<const N: usize> Shape<N> {
    pub fn place(&self, field: &str) -> Option<usize> {
        self.fields.iter().position(|known| *known == field)
    }

    /// Takes fields out of a mapping, over those already given.
    pub fn update<'py>(
        &self,
        mut given: Given<'py, N>,
        mapping: &Bound<'py, PyMapping>,
    ) -> PyResult<Given<'py, N>> {
        for item in mapping.items()?.iter() {
            let (key, value) = item.extract::<(Bound<'py, PyAny>, Bound<'py, PyAny>)>()?;
            let place =
                key.cast::<PyString>().ok().and_then(|key| self.place(&key.to_string_lossy()));
            let Some(place) = place else {
                return Err(self.unknown(&key));
            };
            given[place] = Some(value).filter(|value| !value.is_none());
        }
        Ok(given)
    }

    /// Reads a mapping, as the constructor reads its keyword arguments.
    pub fn read<'py>(&self, mapping: &Bound<'py, PyMapping>) -> PyResult<Given<'py, N>> {
        self.update([const { None }; N], mapping)
    }

    /// Refuses keyword arguments that are no fields.
    pub fn refuse(&self, unknown: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        match unknown.and_then(|unknown| unknown.iter().next()) {
            Some((key, _)) => Err(self.unknown(&key)),
            None => Ok(()),
        }
    }

    fn unknown(&self, key: &Bound<'_, PyAny>) -> PyErr {
        let word =
            cut(&key.str().map(|key| key.to_string_lossy().into_owned()).unwrap_or_default());
        let hint = match closest(&word, self.fields.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known are {}", listed(&self.fields)),
        };
        let name = self.name;
        model_error(key.py(), format!("field `{word}` is not part of {name}; {hint}"))
    }

    pub fn missing(&self, py: Python<'_>, field: &str, needed: &[&str]) -> PyErr {
        let (name, needed) = (self.name, listed(needed));
        model_error(py, format!("field `{field}` is missing; {name} needs {needed}"))
    }

    /// Refuses what cannot be read as a model at all.
    pub fn no_model(&self, value: &Bound<'_, PyAny>) -> PyErr {
        let (name, shown) = (self.name, shown(value));
        let class = value.get_type().name().map(|name| name.to_string()).unwrap_or_default();
        let hint = match value.cast::<PyString>() {
            Ok(_) => "use `model_validate_json` for text",
            Err(_) => "write a dict with its fields",
        };
        model_error(
            value.py(),
            format!("{name} cannot be read from `{shown}` of type {class}; {hint}"),
        )
    }
}

fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// A kind that may come from outside.
pub(super) fn to_kind(value: &Bound<'_, PyAny>) -> PyResult<Kind> {
    let text = to_str("kind", value)?;
    let kind = Kind::new(text).map_err(|error| refused(value.py(), &EventProblem::Name(error)))?;
    if kind.is_reserved() {
        let problem = EventProblem::ReservedKind { kind: text.to_owned() };
        return Err(refused(value.py(), &problem));
    }
    Ok(kind)
}

pub(super) fn to_stream(value: &Bound<'_, PyAny>) -> PyResult<StreamId> {
    let text = to_str("stream_id", value)?;
    StreamId::new(text).map_err(|error| refused(value.py(), &EventProblem::Name(error)))
}

/// What every model may say about who it is, in the order of its fields.
const IDS: [&str; 5] = ["id", "correlation_id", "transaction_id", "causation_id", "traceparent"];

/// The identities out of their fields; most models have none.
pub(super) fn to_ids(given: &[Option<Bound<'_, PyAny>>]) -> PyResult<Option<Box<Ids>>> {
    if given.iter().all(Option::is_none) {
        return Ok(None);
    }
    let id = |nth: usize| to_id(IDS[nth], given[nth].as_ref());
    Ok(Some(Box::new(Ids {
        id: id(0)?,
        correlation_id: id(1)?,
        transaction_id: id(2)?,
        causation_id: id(3)?,
        traceparent: id(4)?,
    })))
}

/// The identities in the order of their fields.
pub(super) fn ids_of(ids: Option<&Ids>) -> [Option<&str>; 5] {
    ids.map_or([None; 5], |ids| {
        [
            ids.id.as_deref(),
            ids.correlation_id.as_deref(),
            ids.transaction_id.as_deref(),
            ids.causation_id.as_deref(),
            ids.traceparent.as_deref(),
        ]
    })
}

fn to_id(field: &'static str, value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Arc<str>>> {
    let Some(value) = value else {
        return Ok(None);
    };
    let text = to_str(field, value)?;
    check_id(field, text, model_limits().id_bytes)
        .map_err(|problem| refused(value.py(), &problem))?;
    Ok(Some(text.into()))
}

fn check_id(field: &'static str, text: &str, limit: usize) -> Result<(), EventProblem> {
    match text.len() {
        0 => Err(EventProblem::EmptyId { field }),
        bytes if bytes > limit => {
            Err(EventProblem::LongId { field, value: cut(text), bytes, limit })
        }
        _ => Ok(()),
    }
}

/// Holds identities against the limits that are configured.
pub(super) fn check_ids(py: Python<'_>, ids: Option<&Ids>, limits: &Limits) -> PyResult<()> {
    let all = IDS.into_iter().zip(ids_of(ids));
    for (field, id) in all.filter_map(|(field, id)| Some((field, id?))) {
        check_id(field, id, limits.id_bytes).map_err(|problem| refused(py, &problem))?;
    }
    Ok(())
}

/// The longest an action may be worth doing, in milliseconds.
const MOST_TTL_MS: u32 = 300_000;

pub(super) fn to_ttl_ms(value: &Bound<'_, PyAny>) -> PyResult<u32> {
    let int = value.cast_exact::<PyInt>().ok().and_then(|int| int.extract().ok());
    int.filter(|ms| (1..=MOST_TTL_MS).contains(ms)).ok_or_else(|| {
        let shown = shown(value);
        let message = format!("field `ttl_ms` is `{shown}`; write an int from 1 to {MOST_TTL_MS}");
        model_error(value.py(), message)
    })
}

fn to_str<'a>(field: &'static str, value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    let text = value.cast::<PyString>().ok().and_then(|text| text.to_str().ok());
    text.ok_or_else(|| {
        refused(value.py(), &EventProblem::NotAString { field, value: shown(value) })
    })
}

pub(super) fn refused(py: Python<'_>, problem: &EventProblem) -> PyErr {
    model_error(py, problem.to_string())
}

/// Enough of a text to recognise it in a message.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(60).collect()
}

/// How a value reads in Python, cut.
pub(super) fn shown(value: &Bound<'_, PyAny>) -> String {
    value.repr().map_or_else(|_| "?".to_owned(), |text| cut(&text.to_string_lossy()))
}
