//! Templates as Python uses them, and what a model wrote.

use pyo3::{exceptions::PyValueError, prelude::*, types::PyDict};

use super::json::{json_to_python, to_json};
use crate::{
    json::{JsonLimits, Object},
    wire,
};

/// JSON whose strings may hold `{{ expressions }}`. What they give is never read as a template.
#[pyclass(frozen, module = "live_crew._core")]
pub(super) struct Template(wire::Template);

#[pymethods]
impl Template {
    #[new]
    fn new(source: &Bound<'_, PyAny>) -> PyResult<Self> {
        let limits = JsonLimits::default();
        let source =
            to_json(source, &limits).map_err(|error| error.into_error(source.py(), "template"))?;
        wire::Template::new(source)
            .map(Self)
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// Fills in; the keywords are the names that expressions may use.
    #[pyo3(signature = (**names))]
    fn render<'py>(
        &self,
        py: Python<'py>,
        names: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let limits = JsonLimits { depth: 128, bytes: usize::MAX };
        let mut scope = Object::new();
        for (name, value) in names.into_iter().flatten() {
            let name: String = name.extract()?;
            let value = to_json(&value, &limits).map_err(|error| error.into_error(py, &name))?;
            scope.insert(name.into(), value);
        }
        let filled =
            self.0.render(&scope).map_err(|error| PyValueError::new_err(error.to_string()))?;
        json_to_python(py, &filled)
    }
}

/// What a model wrote: an answer in which JSON is looked for, as `emits.parse` says (rule A2).
#[pyclass(frozen, module = "live_crew._core")]
pub(super) struct Text {
    #[pyo3(get)]
    pub(super) text: String,
}

#[pymethods]
impl Text {
    #[new]
    fn new(text: String) -> Self {
        Self { text }
    }

    /// The JSON value in it, as `emits.parse: json` finds it; `None` without one.
    fn json<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let found = wire::find_json(&self.text, &JsonLimits::default());
        found.map(|value| json_to_python(py, &value)).transpose()
    }

    fn __repr__(&self) -> String {
        format!("Text({})", super::io::json_text(&self.text))
    }
}
