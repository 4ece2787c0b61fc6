//! The Python face of the core: convert, call, raise. No logic lives here.
//!
//! | file | what is in it |
//! |---|---|
//! | `session`, `pulse`, `io` | a run as a future that the event loop polls, and what wakes it |
//! | `crews`, `run` | crews that are Python code |
//! | `context`, `answers` | what a run reads and writes, what it answered |
//! | `input`, `output`, `stores` | sources, sinks and stores decided at run time |
//! | `plan`, `spec` | crews and settings as Python declares them |
//! | `journal`, `summary` | what can be asked of a journal and of a run that ended |
//! | `event`, `action`, `json`, `time` | the models and their JSON |

mod action;
mod answers;
mod context;
mod crews;
mod errors;
mod event;
mod input;
mod io;
mod journal;
mod json;
mod models_error;
mod output;
mod plan;
mod pulse;
mod run;
mod session;
mod spec;
mod stores;
mod summary;
mod time;

use pyo3::prelude::*;

/// The compiled part of `live_crew`.
#[pymodule(gil_used = true)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    event::register(module)?;
    action::register(module)?;
    module.add_class::<context::RunContext>()?;
    module.add_class::<journal::Journal>()?;
    module.add_class::<plan::Plan>()?;
    module.add_class::<run::Run>()?;
    module.add_class::<session::Session>()?;
    Ok(())
}
