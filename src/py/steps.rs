//! First steps of coroutines, without a task: most handlers never wait, and a task costs more than
//! all the rest of an event.
//!
//! The step has a context of its own and a current task, as in a task. That one is none yet:
//! `live_crew._tasks` makes it one when somebody looks at it, or when the coroutine waits.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::{
    exceptions::{PyRuntimeError, PySystemExit},
    intern,
    prelude::*,
    types::{IntoPyDict, PyIterator, PySendResult, PyTuple},
};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(first_step_of, module)?)
}

/// What first steps are taken with: parts of asyncio, and who makes tasks.
pub(super) struct Steps {
    tasks: Py<PyAny>,
    coroutine: Py<PyAny>,
    new_task: Py<PyAny>,
    task: Py<PyAny>,
    copy_context: Py<PyAny>,
    enter: Py<PyAny>,
    leave: Py<PyAny>,
    event_loop: Py<PyAny>,
    send: Py<PyAny>,
}

/// What became of a first step.
pub(super) enum Step<'py> {
    /// The coroutine is done.
    Over(Bound<'py, PyAny>),
    /// It is a task now, done or not.
    Task(Bound<'py, PyAny>),
    /// It has not begun: it needs a task from its start.
    NotTaken,
}

/// A first step that is being taken.
struct Taken {
    task: Py<PyAny>,
    context: Py<PyAny>,
    tasks: Py<PyAny>,
}

/// The last one is the innermost: a loop may run within a step of another.
static TAKEN: Mutex<Vec<Taken>> = Mutex::new(Vec::new());

fn taken() -> MutexGuard<'static, Vec<Taken>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Steps {
    /// `tasks` is a `live_crew._tasks.Tasks`.
    pub(super) fn of(tasks: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = tasks.py();
        let parts = tasks.call_method0(intern!(py, "first_steps"))?;
        if parts.is_none() {
            return Ok(None);
        }
        let (coroutine, new_task, task, copy_context, enter, leave, event_loop) =
            parts.extract()?;
        let send = wrap_pyfunction!(send, py)?.into_any().unbind();
        let tasks = tasks.clone().unbind();
        Ok(Some(Self {
            tasks,
            coroutine,
            new_task,
            task,
            copy_context,
            enter,
            leave,
            event_loop,
            send,
        }))
    }

    pub(super) fn take<'py>(&self, answer: &Bound<'py, PyAny>) -> PyResult<Step<'py>> {
        let py = answer.py();
        if !answer.get_type().is(&self.coroutine) {
            return Ok(Step::NotTaken);
        }
        let task = self.new_task.bind(py).call1((&self.task,))?;
        let context = self.copy_context.bind(py).call0()?;
        let (event_loop, leave) = (self.event_loop.bind(py), self.leave.bind(py));
        if self.enter.bind(py).call1((event_loop, &task)).is_err() {
            // Within a task no other one can begin.
            return Ok(Step::NotTaken);
        }
        taken().push(Taken {
            task: task.clone().unbind(),
            context: context.clone().unbind(),
            tasks: self.tasks.clone_ref(py),
        });
        let sent = context.call_method1(intern!(py, "run"), (&self.send, answer));
        let over = taken().pop();
        drop(over);
        leave.call1((event_loop, &task))?;
        // Nobody has it but us, and nobody looked at it: then nobody will.
        #[expect(deprecated, reason = "the way that is not is unsafe")]
        let is_unseen = task.get_refcnt() == 1 && task.get_type().is(&self.task);
        let came_to = match sent {
            Ok(sent) => match sent.cast_exact::<Waits>() {
                Ok(waits) => {
                    let Waits { steps, waits_for } = waits.get();
                    [("steps", steps.bind(py).as_any()), ("waits_for", waits_for.bind(py))]
                        .into_py_dict(py)?
                }
                Err(_) if is_unseen => return Ok(Step::Over(sent)),
                Err(_) => [("answer", sent)].into_py_dict(py)?,
            },
            Err(error) if is_unseen => {
                if !error.is_instance_of::<PySystemExit>(py) {
                    return Err(error);
                }
                let exited = self.tasks.bind(py).call_method1(intern!(py, "exited"), (error,))?;
                return Err(PyErr::from_value(exited));
            }
            Err(error) => [("error", error)].into_py_dict(py)?,
        };
        let take_over = self.tasks.bind(py).getattr(intern!(py, "take_over"))?;
        take_over.call((task, context, answer), Some(&came_to)).map(Step::Task)
    }
}

/// A coroutine that waits: its other steps, and what it waits for.
#[pyclass(frozen, module = "live_crew._core")]
struct Waits {
    steps: Py<PyIterator>,
    waits_for: Py<PyAny>,
}

/// Begins a coroutine. What it answers if it is done then; otherwise what it waits for.
#[pyfunction]
fn send<'py>(coroutine: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = coroutine.py();
    let steps = coroutine.call_method0(intern!(py, "__await__"))?.cast_into::<PyIterator>()?;
    match steps.send(py.None().bind(py))? {
        PySendResult::Return(answer) => Ok(answer),
        PySendResult::Next(waits_for) => {
            let (steps, waits_for) = (steps.unbind(), waits_for.unbind());
            Ok(Bound::new(py, Waits { steps, waits_for })?.into_any())
        }
    }
}

/// Who makes a task of what stands for one in a first step, and the context of that step.
#[pyfunction]
fn first_step_of<'py>(task: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
    let py = task.py();
    let found = taken()
        .iter()
        .rev()
        .find(|taken| taken.task.is(task))
        .map(|taken| (taken.tasks.clone_ref(py), taken.context.clone_ref(py)));
    let found = found.ok_or_else(|| PyRuntimeError::new_err("this task has not begun"))?;
    found.into_pyobject(py)
}
