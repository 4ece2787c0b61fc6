//! Instants between Python and the engine, and the slices they fall into.

use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::{
    exceptions::PyTypeError,
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::{PyInt, PyString, PyType},
};

use super::{
    event::Event,
    fields::{cut, shown},
    models_error::model_error,
};
use crate::{
    engine::{Beat, Clock, Timestamp},
    wire::{parse_timestamp, write_timestamp},
};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(slice_index, module)?)
}

/// What is needed of Python's `datetime`; its C interface is not part of the stable ABI.
struct Calendar {
    datetime: Py<PyType>,
    timedelta: Py<PyType>,
    /// 1970 in UTC.
    epoch: Py<PyAny>,
    /// 1970 without a time zone.
    naive_epoch: Py<PyAny>,
}

impl Calendar {
    fn load(py: Python<'_>) -> PyResult<&Self> {
        static CALENDAR: PyOnceLock<Calendar> = PyOnceLock::new();
        CALENDAR.get_or_try_init(py, || {
            let module = py.import("datetime")?;
            let datetime = module.getattr("datetime")?.cast_into::<PyType>()?;
            let utc = module.getattr("timezone")?.getattr("utc")?;
            Ok(Self {
                epoch: datetime.call1((1970, 1, 1, 0, 0, 0, 0, utc))?.unbind(),
                naive_epoch: datetime.call1((1970, 1, 1))?.unbind(),
                datetime: datetime.unbind(),
                timedelta: module.getattr("timedelta")?.cast_into::<PyType>()?.unbind(),
            })
        })
    }

    fn is_datetime(&self, value: &Bound<'_, PyAny>) -> PyResult<bool> {
        let datetime = self.datetime.bind(value.py());
        Ok(value.get_type().is(datetime) || value.is_instance(datetime)?)
    }
}

/// Reads a `datetime` (naive is UTC) or its text.
pub(super) fn to_timestamp(field: &str, value: &Bound<'_, PyAny>) -> PyResult<Timestamp> {
    let py = value.py();
    if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_string_lossy();
        return parse_timestamp(&text).map_err(|error| {
            model_error(py, format!("field `{field}` is `{}`: {error}", cut(&text)))
        });
    }
    let calendar = Calendar::load(py)?;
    if !calendar.is_datetime(value)? {
        let (shown, class) = (shown(value), value.get_type().name()?);
        return Err(model_error(
            py,
            format!(
                "field `{field}` is `{shown}`, of type {class}; \
                 write a `datetime` or a string such as `2026-05-01T12:00:00Z`"
            ),
        ));
    }
    Timestamp::from_micros(micros(calendar, value)?).ok_or_else(|| {
        let shown = shown(value);
        model_error(py, format!("field `{field}` is `{shown}`: outside the years 1 to 9999 (UTC)"))
    })
}

/// Microseconds since 1970 of a `datetime`. By way of the difference, because a `timedelta` is three
/// integers and nothing is rounded.
fn micros(calendar: &Calendar, value: &Bound<'_, PyAny>) -> PyResult<i64> {
    let py = value.py();
    let is_naive = value.getattr(intern!(py, "tzinfo"))?.is_none();
    let difference = if is_naive {
        value.sub(&calendar.naive_epoch)?
    } else {
        match value.sub(&calendar.epoch) {
            // A time zone that knows no offset: Python calls that naive too.
            Err(error) if error.is_instance_of::<PyTypeError>(py) => {
                value.sub(&calendar.naive_epoch)?
            }
            difference => difference?,
        }
    };
    let part = |name| difference.getattr(name)?.extract::<i64>();
    let seconds = part(intern!(py, "days"))? * SECONDS_PER_DAY + part(intern!(py, "seconds"))?;
    Ok(seconds * MICROS_PER_SECOND + part(intern!(py, "microseconds"))?)
}

/// The instant as an aware `datetime` in UTC.
pub(super) fn to_datetime(py: Python<'_>, ts: Timestamp) -> PyResult<Bound<'_, PyAny>> {
    let calendar = Calendar::load(py)?;
    let (seconds, micros) =
        (ts.micros().div_euclid(MICROS_PER_SECOND), ts.micros().rem_euclid(MICROS_PER_SECOND));
    let (days, seconds) =
        (seconds.div_euclid(SECONDS_PER_DAY), seconds.rem_euclid(SECONDS_PER_DAY));
    let difference = calendar.timedelta.bind(py).call1((days, seconds, micros))?;
    calendar.epoch.bind(py).add(difference)
}

/// The instant as text, as the wire has it.
pub(super) fn to_text(ts: Timestamp) -> String {
    let mut text = Vec::with_capacity(27);
    write_timestamp(ts, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// What time it is.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).ok().and_then(Timestamp::from_micros).unwrap_or(Timestamp::MAX)
}

/// The slice an instant falls into: `floor((ts - epoch0) / slice_ms)`, exact, in microseconds.
///
/// Negative before `epoch0`. An instant is a `datetime` (naive is UTC), its text, or an event.
#[pyfunction]
#[pyo3(signature = (ts, epoch0, slice_ms = None), text_signature = "(ts, epoch0, slice_ms=500)")]
fn slice_index(
    ts: &Bound<'_, PyAny>,
    epoch0: &Bound<'_, PyAny>,
    slice_ms: Option<&Bound<'_, PyAny>>,
) -> PyResult<i64> {
    let instant = |field: &str, value: &Bound<'_, PyAny>| match value.cast_exact::<Event>() {
        Ok(event) => Ok(event.get().timestamp()),
        Err(_) => to_timestamp(field, value),
    };
    let clock = Clock { epoch0: instant("epoch0", epoch0)?, beat: beat(slice_ms)? };
    Ok(clock.slice_of(instant("ts", ts)?).0)
}

fn beat(slice_ms: Option<&Bound<'_, PyAny>>) -> PyResult<Beat> {
    let Some(value) = slice_ms else {
        return Ok(Beat::from_ms(DEFAULT_SLICE_MS).expect("the default is in range"));
    };
    let int = value.cast_exact::<PyInt>().ok().and_then(|int| int.extract().ok());
    int.and_then(Beat::from_ms).ok_or_else(|| {
        let shown = shown(value);
        model_error(value.py(), format!("`slice_ms` is `{shown}`; write an int from 1 to 10000"))
    })
}

const DEFAULT_SLICE_MS: u32 = 500;
