//! The Python face: what Python sees of live-crew, as the module `live_crew._core`.
#![allow(dead_code, unused_imports, reason = "the driver of runs, which comes next, uses the rest")]

mod action;
mod event;
mod events;
mod fields;
mod json;
mod model;
mod models_error;
mod payload;
mod time;

use pyo3::prelude::*;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    action::register(module)?;
    event::register(module)?;
    events::register(module)?;
    fields::register(module)?;
    payload::register(module)?;
    time::register(module)?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
