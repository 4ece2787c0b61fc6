//! First steps of coroutines, without a task: most handlers never wait, and a task costs more than
//! all the rest of an event.
//!
//! The step has a context of its own and a current task, as in a task. That one is none yet:
//! `live_crew._tasks` makes it one when somebody looks at it, or when the coroutine waits.

use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::{
    exceptions::PyRuntimeError,
    intern,
    prelude::*,
    types::{IntoPyDict, PyList, PyTuple},
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
    count_weakrefs: Py<PyAny>,
    stepper: Option<Stepper>,
    run: Py<PyAny>,
    /// A task that nobody looked at, for the next coroutine.
    unseen: Option<Unseen>,
}

/// A task that nobody has but us.
struct Unseen {
    task: Py<PyAny>,
    /// With its loop: what enters it and leaves it.
    entered: Py<PyTuple>,
}

/// A generator that takes a coroutine and gives its answer, one after the other: to ask the
/// coroutine itself is to catch its answer as an exception.
#[derive(FromPyObject)]
struct Stepper {
    /// All the steps of a coroutine that waits.
    steps: Py<PyAny>,
    send: Py<PyAny>,
    /// Told that the coroutine waits; and what comes before an answer.
    waits: Py<PyList>,
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
        let (
            new_task,
            task,
            enter,
            leave,
            event_loop,
            count_weakrefs,
            coroutine,
            copy_context,
            run,
        ) = parts.extract()?;
        Ok(Some(Self {
            tasks: tasks.clone().unbind(),
            coroutine,
            new_task,
            task,
            copy_context,
            enter,
            leave,
            event_loop,
            count_weakrefs,
            run,
            stepper: None,
            unseen: None,
        }))
    }

    pub(super) fn take<'py>(&mut self, answer: &Bound<'py, PyAny>) -> PyResult<Step<'py>> {
        let py = answer.py();
        if !answer.get_type().is(&self.coroutine) {
            return Ok(Step::NotTaken);
        }
        let Unseen { task, entered } = match self.unseen.take() {
            Some(unseen) => unseen,
            None => self.make(py)?,
        };
        let (task, entered) = (task.into_bound(py), entered.into_bound(py));
        let stepper = match self.stepper.take() {
            Some(stepper) => stepper,
            None => self.tasks.bind(py).call_method0(intern!(py, "stepper"))?.extract()?,
        };
        let context = self.copy_context.bind(py).call0()?;
        if self.enter.bind(py).call1(&entered).is_err() {
            // Within a task no other one can begin.
            self.stepper = Some(stepper);
            return Ok(Step::NotTaken);
        }
        taken().push(Taken {
            task: task.clone().unbind(),
            context: context.clone().unbind(),
            tasks: self.tasks.clone_ref(py),
        });
        let sent = self.run.bind(py).call1((&context, &stepper.send, answer));
        let over = taken().pop();
        drop(over);
        self.leave.bind(py).call1(&entered)?;
        // Nobody has it but us, and nobody looked at it: then nobody will.
        #[expect(deprecated, reason = "the way that is not is unsafe")]
        let is_unseen = task.get_refcnt() == 2 && task.get_type().is(&self.task);
        let came_to = match sent {
            Ok(sent) => {
                if let Some(answer) = stepper.answer(&sent) {
                    self.stepper = Some(stepper);
                    if is_unseen {
                        // Who has a weak reference would find it again.
                        let watched = self.count_weakrefs.bind(py).call1((&task,))?.is_truthy()?;
                        self.unseen = (!watched)
                            .then(|| Unseen { task: task.unbind(), entered: entered.unbind() });
                        return Ok(Step::Over(answer));
                    }
                    [("answer", answer)].into_py_dict(py)?
                } else {
                    stepper.waits.bind(py).append(true)?;
                    [("steps", stepper.steps.into_bound(py)), ("waits_for", sent)]
                        .into_py_dict(py)?
                }
            }
            Err(error) => {
                begin_at_coroutine(py, &error)?;
                if is_unseen {
                    return Err(error);
                }
                [("error", error)].into_py_dict(py)?
            }
        };
        let take_over = self.tasks.bind(py).getattr(intern!(py, "take_over"))?;
        drop(entered);
        take_over.call((task, context, answer), Some(&came_to)).map(Step::Task)
    }

    fn make(&self, py: Python<'_>) -> PyResult<Unseen> {
        let task = self.new_task.bind(py).call1((&self.task,))?;
        let entered = (self.event_loop.bind(py), &task).into_pyobject(py)?;
        Ok(Unseen { task: task.unbind(), entered: entered.unbind() })
    }
}

impl Stepper {
    /// What the coroutine answered, if that is what was sent back.
    fn answer<'py>(&self, sent: &Bound<'py, PyAny>) -> Option<Bound<'py, PyAny>> {
        let sent = sent.cast_exact::<PyTuple>().ok()?;
        let mark = sent.get_borrowed_item(0).ok()?;
        if !mark.is(&self.waits) {
            return None;
        }
        sent.get_item(1).ok()
    }
}

/// Leaves the stepper out of a traceback.
fn begin_at_coroutine(py: Python<'_>, error: &PyErr) -> PyResult<()> {
    if let Some(traceback) = error.traceback(py) {
        let next = traceback.getattr(intern!(py, "tb_next"))?;
        error.set_traceback(py, next.cast_into().ok());
    }
    Ok(())
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
