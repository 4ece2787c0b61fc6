//! Events out of a file, all at once.

use std::{fmt::Write as _, time::Duration};

use pyo3::{exceptions::PyOSError, prelude::*, types::PyList};
use tokio::runtime::Builder;

use super::{
    event::Event,
    models_error::{internal_error, model_error},
};
use crate::{
    engine::Limits,
    transport::{DeadLetter, Delivery, FileSource, Source as _, TransportError},
};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(read_events, module)?)
}

const BATCH: usize = 4_096;
/// As many faults as somebody repairs before trying again.
const MOST_FAULTS: usize = 20;
/// How long a signal such as Ctrl-C may wait while nothing is read.
const SIGNALS: Duration = Duration::from_millis(50);

/// Every event of the file at `path`, or of standard input if that is `-`.
#[pyfunction]
fn read_events<'py>(py: Python<'py>, path: &str) -> PyResult<Bound<'py, PyList>> {
    let limits = Limits::default();
    let opened =
        if path == "-" { FileSource::stdin(&limits) } else { FileSource::open(path, &limits) };
    let mut source = opened.map_err(|error| unreadable(&error))?;
    let runtime = Builder::new_current_thread()
        .enable_time()
        .build()
        .map_err(|error| internal_error(py, &format!("no runtime: {error}")))?;
    let (events, mut faults) = (PyList::empty(py), Vec::new());
    loop {
        let next = py.detach(|| {
            runtime.block_on(async { tokio::time::timeout(SIGNALS, source.next(BATCH)).await })
        });
        py.check_signals()?;
        let Ok(next) = next else {
            continue;
        };
        let deliveries = next.map_err(|error| unreadable(&error))?;
        if deliveries.is_empty() {
            break;
        }
        for delivery in deliveries {
            match delivery {
                Delivery::Event { stream, event, .. } => {
                    events.append(Event::from_source(py, stream, event)?)?;
                }
                Delivery::Refused(letter) => faults.push(letter),
            }
        }
        if faults.len() >= MOST_FAULTS {
            break;
        }
    }
    if faults.is_empty() {
        return Ok(events);
    }
    faults.truncate(MOST_FAULTS);
    Err(model_error(py, told(path, &faults)))
}

/// One line for each fault.
fn told(path: &str, faults: &[DeadLetter]) -> String {
    let mut message = String::new();
    for fault in faults {
        let separator = if message.is_empty() { "" } else { "\n" };
        let place = fault.place.map(|place| format!("{place}: ")).unwrap_or_default();
        write!(message, "{separator}{path}: {place}{}", fault.reason)
            .expect("a string takes every byte");
    }
    message
}

fn unreadable(error: &TransportError) -> PyErr {
    PyOSError::new_err(error.to_string())
}
