//! The Python face of the core: convert, call, raise. No logic lives here.
//!
//! | file | what is in it |
//! |---|---|
//! | `session`, `pulse`, `io` | a run as a future that the event loop polls, and what wakes it |
//! | `place`, `distributed`, `standing` | streams on NATS, a session over them, and how far it is |
//! | `nats` | the section of NATS, and what there is to ask of a server |
//! | `crews`, `run`, `attempt` | crews that are Python code, their runs, and those run again |
//! | `context`, `changes`, `answers` | what a run reads and writes, what it answered |
//! | `input`, `output`, `stores` | sources, sinks and stores decided at run time; `bodies` is what a sink keeps |
//! | `kept` | where contexts are kept beside the journal |
//! | `log` | warnings and errors for Python's `logging` |
//! | `plan`, `spec`, `settings` | crews and settings as Python declares them |
//! | `template` | templates, and text that a model wrote |
//! | `journal`, `summary` | what can be asked of a journal and of a run that ended |
//! | `event`, `action`, `events` | the models; `model`, `fields`, `payload`, `time` are what they share |
//! | `json` | Python values to canonical JSON and back |

mod action;
mod answers;
mod attempt;
mod bodies;
mod changes;
mod context;
mod crews;
mod distributed;
mod errors;
mod event;
mod events;
mod fields;
mod input;
mod io;
mod journal;
mod json;
mod kept;
mod log;
mod model;
mod models_error;
mod nats;
mod output;
mod payload;
mod place;
mod plan;
mod pulse;
mod run;
mod session;
mod settings;
mod spec;
mod standing;
mod steps;
mod stores;
mod summary;
mod template;
mod time;

use pyo3::prelude::*;

/// The compiled part of `live_crew`.
#[pymodule(gil_used = true)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    log::begin();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    action::register(module)?;
    event::register(module)?;
    events::register(module)?;
    fields::register(module)?;
    nats::register(module)?;
    payload::register(module)?;
    steps::register(module)?;
    time::register(module)?;
    module.add_class::<attempt::Attempt>()?;
    module.add_class::<bodies::Bodies>()?;
    module.add_class::<context::RunContext>()?;
    module.add_class::<journal::Journal>()?;
    module.add_class::<place::PyPlace>()?;
    module.add_class::<plan::Plan>()?;
    module.add_class::<run::Run>()?;
    module.add_class::<session::Session>()?;
    module.add_class::<template::Template>()?;
    module.add_class::<template::Text>()?;
    Ok(())
}
