//! Why a Python value is not JSON, where inside it, and what to write instead.

use std::fmt::Write as _;

use pyo3::{prelude::*, types::PyType};

use crate::py::models_error::model_error;

/// A Python value that JSON cannot hold.
#[derive(Debug)]
pub struct NotJson(Box<(Problem, Vec<Step>)>);

/// One step from the outside in; they are collected from the inside out.
#[derive(Debug)]
enum Step {
    Index(usize),
    Key(String),
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("{name} is not JSON; {hint}")]
    Type { name: String, hint: &'static str },
    #[error("`{0}` is not JSON; write `None` or a string")]
    NotFinite(f64),
    #[error("key `{key}` is of type {name}; keys are strings in JSON, so write `str(key)`")]
    Key { key: String, name: String },
    #[error("two keys read `{0}`; keep one of them")]
    DuplicateKey(String),
    #[error("{0} holds half of a surrogate pair, which UTF-8 cannot; remove it")]
    LoneSurrogate(String),
    #[error("nested deeper than {limit} levels, or it contains itself; flatten it")]
    TooDeep { limit: usize },
    #[error("more than {limit} bytes as JSON; shorten it or raise the limit")]
    TooLarge { limit: usize },
    #[error("{name} could not be converted: {error}")]
    Raised { name: String, error: PyErr },
}

impl NotJson {
    pub(super) fn new(problem: Problem) -> Self {
        Self(Box::new((problem, Vec::new())))
    }

    pub(super) fn in_item(mut self, index: usize) -> Self {
        self.0.1.push(Step::Index(index));
        self
    }

    pub(super) fn in_key(mut self, key: &str) -> Self {
        self.0.1.push(Step::Key(key.to_owned()));
        self
    }

    /// The message; `root` is what the whole value is called, such as `payload`.
    pub fn message(&self, root: &str) -> String {
        let (problem, steps) = &*self.0;
        let mut message = root.to_owned();
        for step in steps.iter().rev().take(MOST_STEPS) {
            step.write(&mut message);
        }
        if steps.len() > MOST_STEPS {
            message.push_str("...");
        }
        write!(message, ": {problem}").expect("a string takes every byte");
        message
    }

    /// The exception; what a conversion raised is its cause.
    pub fn into_error(self, py: Python<'_>, root: &str) -> PyErr {
        let raised = model_error(py, self.message(root));
        if let Problem::Raised { error, .. } = self.0.0 {
            raised.set_cause(py, Some(error));
        }
        raised
    }
}

/// A path longer than this is cut: it is of a value that contains itself, most likely.
const MOST_STEPS: usize = 12;

impl Step {
    fn write(&self, path: &mut String) {
        match self {
            Self::Index(index) => write!(path, "[{index}]").expect("a string takes every byte"),
            Self::Key(key) if is_identifier(key) => {
                path.push('.');
                path.push_str(key);
            }
            Self::Key(key) => {
                let key = key.chars().take(60).collect::<String>();
                write!(path, "[{key:?}]").expect("a string takes every byte");
            }
        }
    }
}

fn is_identifier(key: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    key.len() <= 60 && key.starts_with(|c| part(c) && !c.is_numeric()) && key.chars().all(part)
}

/// What to say about a value whose type JSON does not have.
pub(super) fn wrong_type(value: &Bound<'_, PyAny>) -> NotJson {
    let class = value.get_type();
    NotJson::new(Problem::Type { name: class_name(&class), hint: hint(&class) })
}

pub(super) fn class_name(class: &Bound<'_, PyType>) -> String {
    class.name().map_or_else(|_| "this object".to_owned(), |name| name.to_string_lossy().into())
}

fn hint(class: &Bound<'_, PyType>) -> &'static str {
    let module = class.module().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let has = |name: &str| class.hasattr(name).unwrap_or(false);
    match (&*module, &*class_name(class)) {
        ("datetime", "datetime" | "date" | "time") => "use an ISO 8601 string",
        ("datetime", "timedelta") => "use a number of seconds",
        ("decimal", "Decimal") => "use `str(value)`, or a float if rounding is harmless",
        ("builtins", "set" | "frozenset") => "its order is not fixed; use `sorted(value)`",
        ("builtins", "bytes" | "bytearray" | "memoryview") => "use text, such as Base64",
        ("builtins", "coroutine") => "use what it returns: `await` it",
        ("numpy", _) if has("tolist") => "use `value.tolist()`",
        _ if has("model_dump") => "use `value.model_dump(mode=\"json\")`",
        _ if has("__dataclass_fields__") => "use `dataclasses.asdict(value)`",
        _ if has("__members__") => "use `value.value`",
        _ if has("keys") && has("__getitem__") => "use `dict(value)`",
        _ if has("__iter__") => "use `list(value)`",
        ("uuid" | "pathlib" | "ipaddress" | "fractions", _) => "use `str(value)`",
        _ => "use None, a bool, a number, a str, a list, or a dict whose keys are str",
    }
}
