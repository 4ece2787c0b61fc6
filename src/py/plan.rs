//! A plan as Python makes it: crews checked against each other, with what reads their answers.

use std::sync::Arc;

use pyo3::{
    prelude::*,
    types::{PyDict, PyList},
};

use super::{errors::plan_error, spec};
use crate::{
    engine::{Need, Pace, Pattern, Plan as Checked},
    wire::Emits,
};

/// A checked set of crews.
#[pyclass(frozen, module = "live_crew._core")]
pub(super) struct Plan {
    pub(super) checked: Arc<Checked>,
    /// How answers become actions, in the order of the plan.
    pub(super) emits: Vec<Emits>,
}

#[pymethods]
impl Plan {
    /// Checks crews, given as `runtime.yaml` mappings, and the settings of their streams.
    #[new]
    fn new(
        py: Python<'_>,
        crews: &Bound<'_, PyList>,
        settings: &Bound<'_, PyAny>,
        pace: &str,
    ) -> PyResult<Self> {
        let settings = spec::settings(settings, spec::pace(pace)?)?;
        let mut specs = Vec::with_capacity(crews.len());
        let mut emits = Vec::with_capacity(crews.len());
        for crew in crews {
            let (spec, emit) = spec::crew(&crew)?;
            emits.push((spec.name.clone(), emit));
            specs.push(spec);
        }
        let checked = Checked::check(specs, settings).map_err(|error| plan_error(py, &error))?;
        let of = |name| emits.iter().find(|(crew, _)| crew == name).map(|(_, emit)| emit.clone());
        let emits =
            checked.crews.iter().map(|crew| of(&crew.spec.name).unwrap_or_default()).collect();
        Ok(Self { checked, emits })
    }

    /// The names of the crews, in the order in which a slice takes them.
    #[getter]
    fn crews(&self) -> Vec<&str> {
        self.checked.crews.iter().map(|crew| crew.spec.name.as_str()).collect()
    }

    #[getter]
    fn pace(&self) -> &'static str {
        match self.checked.settings.pace {
            Pace::Virtual => "virtual",
            Pace::Realtime => "realtime",
        }
    }

    #[getter]
    fn slice_ms(&self) -> u32 {
        self.checked.settings.beat.ms()
    }

    /// The crews with their levels, triggers and needs, for drawing.
    fn graph<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let nodes = PyList::empty(py);
        for crew in &self.checked.crews {
            let node = PyDict::new(py);
            node.set_item("crew", crew.spec.name.as_str())?;
            node.set_item("level", crew.level)?;
            let triggers: Vec<&str> = crew.spec.triggers.iter().map(Pattern::as_str).collect();
            node.set_item("triggers", triggers)?;
            let needs = PyList::empty(py);
            for need in &crew.spec.needs {
                let sort = match need {
                    Need::Crew { .. } => "crew",
                    Need::Event { .. } => "event",
                };
                needs.append((sort, need.name(), need.offset()))?;
            }
            node.set_item("needs", needs)?;
            nodes.append(node)?;
        }
        Ok(nodes)
    }
}
