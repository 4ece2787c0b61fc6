//! The Python face: what Python sees of live-crew, as the module `live_crew._core`.

mod json;
mod models_error;

use pyo3::prelude::*;

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
