//! Crews that are Python code: called on the spot, run as tasks, or handed to whoever does them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use pyo3::{
    exceptions::{PyKeyboardInterrupt, PyValueError},
    intern,
    prelude::*,
    types::{PyDict, PyList},
};
use tokio::sync::mpsc;

use super::{
    answers::{Reader, failure, without_exit},
    context::RunContext,
    event::Event,
    plan,
    pulse::Pulse,
    run::Run,
    steps::{Step, Steps},
};
use crate::{
    engine::{Arrived, Batch, CrewIx, Job, Outcome, Plan, RunId, StreamId},
    json::JsonLimits,
    runtime::{Back, Crews, Started},
};

/// How a crew is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// A function, called on the thread of the loop.
    Inline,
    /// A coroutine function, run as a task of the loop.
    Task,
    /// Something that takes a run and tells later.
    Submit,
}

/// The Python side of one crew.
pub(super) struct Member {
    pub(super) call: Py<PyAny>,
    pub(super) style: Style,
    pub(super) takes_context: bool,
    pub(super) reader: Reader,
    /// Turns an event into the typed one the handler declares.
    pub(super) typed: Option<Py<PyAny>>,
}

/// The crews of a session.
pub(super) struct Members {
    plan: Arc<Plan>,
    all: Vec<Member>,
    pulse: Arc<Pulse>,
    /// Makes a coroutine a task and starts it, and tells a run when it is done.
    spawn: Py<PyAny>,
    /// Begins a coroutine without a task, where that can be done.
    steps: Option<Steps>,
    back: mpsc::UnboundedReceiver<Finished>,
    finished: mpsc::UnboundedSender<Finished>,
    under_way: HashMap<(StreamId, RunId, u32), Py<PyAny>>,
}

/// A run that came back from elsewhere.
pub(super) struct Finished {
    pub(super) stream: StreamId,
    pub(super) run: RunId,
    pub(super) attempt: u32,
    pub(super) result: PyResult<Py<PyAny>>,
    pub(super) job: Given,
    pub(super) notes: Option<crate::engine::Payload>,
}

/// What a run was given.
pub(super) struct Given {
    pub(super) event: Py<PyAny>,
    pub(super) context: Option<Py<RunContext>>,
    /// Its first trigger event.
    pub(super) trigger: Option<Arc<Arrived>>,
}

impl Members {
    pub(super) fn new(
        py: Python<'_>,
        plan: Arc<Plan>,
        members: Vec<Member>,
        pulse: Arc<Pulse>,
        spawn: Py<PyAny>,
    ) -> PyResult<Self> {
        let (finished, back) = mpsc::unbounded_channel();
        let (steps, under_way) = (Steps::of(spawn.bind(py))?, HashMap::new());
        Ok(Self { plan, all: members, pulse, spawn, steps, back, finished, under_way })
    }

    fn begin(&mut self, py: Python<'_>, stream: &StreamId, job: &Job) -> PyResult<Started> {
        let member = &self.all[job.run.crew.0 as usize];
        let given = given(py, &self.plan, member, stream, job)?;
        let member = &mut self.all[job.run.crew.0 as usize];
        if member.style == Style::Submit {
            let run = self.ticket(py, stream, job, given)?;
            let member = &self.all[job.run.crew.0 as usize];
            let handle = member.call.call1(py, (run,))?;
            self.under_way.insert((stream.clone(), job.run, job.attempt), handle);
            return Ok(Started::Later);
        }
        let answer = match &given.context {
            Some(context) => member.call.call1(py, (&given.event, context))?,
            None => member.call.call1(py, (&given.event,))?,
        };
        if member.style == Style::Inline && !is_awaitable(answer.bind(py))? {
            return Ok(Started::Done(read(&mut member.reader, answer.bind(py), &given)));
        }
        let step = match &mut self.steps {
            Some(steps) => steps.take(answer.bind(py))?,
            None => Step::NotTaken,
        };
        let task = match step {
            Step::Over(answer) => {
                return Ok(Started::Done(read(&mut member.reader, &answer, &given)));
            }
            Step::Task(task) => task,
            Step::NotTaken => self.spawn.bind(py).call1((answer,))?,
        };
        if task.call_method0(intern!(py, "done"))?.is_truthy()? {
            let answer = task.call_method0(intern!(py, "result"))?;
            return Ok(Started::Done(read(&mut member.reader, &answer, &given)));
        }
        let run = self.ticket(py, stream, job, given)?;
        self.spawn.bind(py).call_method1(intern!(py, "tell"), (&task, run))?;
        self.under_way.insert((stream.clone(), job.run, job.attempt), task.unbind());
        Ok(Started::Later)
    }

    fn ticket(
        &self,
        py: Python<'_>,
        stream: &StreamId,
        job: &Job,
        given: Given,
    ) -> PyResult<Py<Run>> {
        let name = self.plan.crew(job.run.crew).spec.name.as_str();
        Py::new(
            py,
            Run::new(name, stream, job, given, self.finished.clone(), Arc::clone(&self.pulse)),
        )
    }

    /// What an exception means for the run. An interrupt is meant for the program: it ends the
    /// session, and whoever goes on has the run again.
    fn raised(
        &self,
        py: Python<'_>,
        stream: &StreamId,
        run: RunId,
        attempt: u32,
        error: PyErr,
    ) -> Option<Outcome> {
        if error.is_instance_of::<PyKeyboardInterrupt>(py) {
            self.pulse.interrupt(error);
            return None;
        }
        let error = without_exit(py, error);
        let failed = Outcome::Failed(failure(py, &error));
        let crew = &self.plan.crew(run.crew).spec.name;
        self.pulse.remember(stream, crew, run.key, attempt, error);
        Some(failed)
    }
}

impl Crews for Members {
    fn is_immediate(&self, crew: CrewIx) -> bool {
        self.all[crew.0 as usize].style != Style::Submit
    }

    fn start(&mut self, stream: &StreamId, job: Job) -> Started {
        Python::attach(|py| match self.begin(py, stream, &job) {
            Ok(started) => started,
            Err(error) => self
                .raised(py, stream, job.run, job.attempt, error)
                .map_or(Started::Later, Started::Done),
        })
    }

    fn cancel(&mut self, stream: &StreamId, run: RunId, attempt: u32) {
        let Some(handle) = self.under_way.remove(&(stream.clone(), run, attempt)) else {
            return;
        };
        Python::attach(|py| {
            // What cannot be cancelled goes on, and its answer is discarded as stale.
            if let Err(error) = handle.call_method0(py, intern!(py, "cancel")) {
                error.write_unraisable(py, Some(handle.bind(py)));
            }
        });
    }

    async fn next_back(&mut self) -> Back {
        let Some(finished) = self.back.recv().await else {
            // The sender is here as well, so this does not happen.
            return std::future::pending().await;
        };
        let Finished { stream, run, attempt, result, job, notes } = finished;
        let outcome = Python::attach(|py| {
            self.under_way.remove(&(stream.clone(), run, attempt));
            match result {
                Ok(answer) => {
                    let reader = &mut self.all[run.crew.0 as usize].reader;
                    Some(read(reader, answer.bind(py), &job))
                }
                Err(error) => self.raised(py, &stream, run, attempt, error),
            }
        });
        match outcome {
            Some(outcome) => Back { stream, run, attempt, outcome, notes },
            None => std::future::pending().await,
        }
    }

    fn is_tired(&self) -> bool {
        self.pulse.is_tired()
    }

    async fn breathe(&mut self) {
        self.pulse.breathe().await;
    }
}

/// What a run gets to see, as Python objects.
pub(super) fn given(
    py: Python<'_>,
    plan: &Plan,
    member: &Member,
    stream: &StreamId,
    job: &Job,
) -> PyResult<Given> {
    let spec = &plan.crew(job.run.crew).spec;
    let make = |arrived| -> PyResult<Py<PyAny>> {
        let event = Event::from_arrived(py, stream, arrived)?.into_any();
        match &member.typed {
            Some(typed) => typed.call1(py, (event,)),
            None => Ok(event),
        }
    };
    let first = job.triggers.iter().next();
    let (event, events) = if spec.batch == Batch::Slice {
        let events: PyResult<Vec<_>> = job.triggers.iter().map(make).collect();
        let events = PyList::new(py, events?)?;
        (events.clone().into_any().unbind(), Some(events.unbind()))
    } else {
        let event = first.map_or_else(|| Ok(py.None()), make)?;
        let events = member
            .takes_context
            .then(|| first.map(|_| PyList::new(py, [&event]).map(Bound::unbind)).transpose());
        (event, events.transpose()?.flatten())
    };
    let limits = &plan.settings.limits;
    let json = JsonLimits { depth: limits.json_depth, bytes: limits.event_bytes };
    let context = member
        .takes_context
        .then(|| Py::new(py, RunContext::new(stream, spec, job, json, events)))
        .transpose()?;
    Ok(Given { event, context, trigger: first.cloned() })
}

/// Whether a plain function answered with a coroutine all the same.
fn is_awaitable(answer: &Bound<'_, PyAny>) -> PyResult<bool> {
    if answer.is_none() || answer.is_exact_instance_of::<PyDict>() {
        return Ok(false);
    }
    answer.hasattr(intern!(answer.py(), "__await__"))
}

fn read(reader: &mut Reader, answer: &Bound<'_, PyAny>, given: &Given) -> Outcome {
    let context = given.context.as_ref().map(|context| context.bind(answer.py()));
    reader.read(answer, context, given.trigger.as_deref())
}

/// The Python side of every crew of a plan, in its order. `members` are
/// `(crew, call, style, takes_context, typed)`.
pub(super) fn read_members(
    plan: &plan::Plan,
    members: &Bound<'_, PyList>,
) -> PyResult<Vec<Member>> {
    let mut by_name = BTreeMap::new();
    for member in members {
        let (name, call, style, takes_context, typed): (
            String,
            Py<PyAny>,
            String,
            bool,
            Option<Py<PyAny>>,
        ) = member.extract()?;
        let style = match style.as_str() {
            "inline" => Style::Inline,
            "task" => Style::Task,
            "submit" => Style::Submit,
            other => return Err(PyValueError::new_err(format!("no style `{other}`"))),
        };
        by_name.insert(name, (call, style, takes_context, typed));
    }
    let limits = &plan.checked.settings.limits;
    plan.checked
        .crews
        .iter()
        .zip(&plan.emits)
        .map(|(crew, emits)| {
            let name = &crew.spec.name;
            let (call, style, takes_context, typed) = by_name
                .remove(name.as_str())
                .ok_or_else(|| PyValueError::new_err(format!("crew `{name}` has no member")))?;
            let reader = Reader::new(name.clone(), emits.clone(), limits);
            Ok(Member { call, style, takes_context, reader, typed })
        })
        .collect()
}
