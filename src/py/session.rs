//! A session: the runtime as one future that the event loop of Python polls, step by step.
//!
//! Everything runs on the thread of the loop, so a handler is called without a hop. What waits
//! (timers, disks, pipes) waits on threads that never touch Python, and rings the bell.

use std::{
    os::{fd::IntoRawFd, unix::net::UnixStream},
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use pyo3::{
    prelude::*,
    types::{PyDict, PyList},
};

use super::{
    bodies::Bodies,
    crews::{Members, read_members},
    distributed::Parts,
    errors::{journal_error, misuse, runtime_error, transport_error},
    event::Event,
    input::{self, Taken, Watched},
    io::{self, Quiet},
    journal::Journal,
    kept::{self, Notices},
    log::{self, Listening},
    output::{Mouth, Output},
    place::PyPlace,
    plan::Plan,
    pulse::Pulse,
    settings::Settings,
    summary::{Summary, problem},
};
use crate::{
    context::Projection,
    runtime::{Runtime, RuntimeError, Stop, StopSwitch, SystemClock},
    transport::{FileSink, TransportError, memory::MemoryPublisher},
};

type Work = Pin<Box<dyn Future<Output = Result<Summary, RuntimeError>> + Send>>;

/// One run of an orchestrator, from its first event to its end.
#[pyclass(frozen, module = "live_crew._core")]
pub(super) struct Session {
    work: Mutex<Option<Work>>,
    /// Killed from within a step, which drops the work when it ends.
    is_killed: AtomicBool,
    waker: Waker,
    pulse: Arc<Pulse>,
    switch: StopSwitch,
    publisher: Mutex<Option<MemoryPublisher>>,
    /// The end of the bell that the loop listens to.
    ear: Mutex<Option<UnixStream>>,
    mouth: Mouth,
    taken: Arc<Taken>,
    notices: Notices,
    _listening: Listening,
    plan: Arc<crate::engine::Plan>,
}

#[pymethods]
impl Session {
    /// `members` are `(crew, call, style, takes_context, typed)`; `source` is a path, `"-"`, an
    /// iterator of events and of what `make_event` makes events of, or `None` for what is
    /// published. A source with a name goes on where it was when the journal knows it. `context` is
    /// where contexts are kept: `redis://…`, or `sqlite:` and a path.
    #[new]
    #[pyo3(signature = (plan, members, *, source, make_event, journal, spawn, settings, keep_actions, actions_path = None, problems_path = None, relay = false, relay_context = false, source_name = None, context = None))]
    #[allow(clippy::too_many_arguments, reason = "keywords, all of one call in Python")]
    fn new(
        py: Python<'_>,
        plan: &Bound<'_, Plan>,
        members: &Bound<'_, PyList>,
        source: &Bound<'_, PyAny>,
        make_event: Py<PyAny>,
        journal: &Journal,
        spawn: Py<PyAny>,
        settings: Settings,
        keep_actions: bool,
        actions_path: Option<PathBuf>,
        problems_path: Option<PathBuf>,
        relay: bool,
        relay_context: bool,
        source_name: Option<String>,
        context: Option<String>,
    ) -> PyResult<Self> {
        let _quiet = Quiet::new();
        let (planned, plan) = (plan, plan.get());
        let (bell, ear) = bell().map_err(|error| transport_error(&error))?;
        let pulse = Pulse::new(bell);
        let checked = Arc::clone(&plan.checked);
        let taken = Arc::<Taken>::default();
        let mouth = Mouth::default();
        let file = match (actions_path, problems_path) {
            (None, None) => None,
            (Some(actions), Some(problems)) => {
                Some(FileSink::append(actions, problems).map_err(|error| transport_error(&error))?)
            }
            _ => return Err(misuse("both outputs are files, or none")),
        };
        let mut sink = Output {
            mouth: mouth.clone(),
            keep: keep_actions,
            file,
            nats: None,
            relay,
            contexts: None,
        };
        let mut options = settings.options(checked.settings.pace);
        options.tell_context = relay_context || context.is_some();
        let grace = options.grace;
        let source_name_is_some = source_name.is_some();
        options.source = source_name;
        let (switch, asked) = (StopSwitch::new(), Arc::clone(&checked));
        let stop = switch.clone();
        let notices = Notices::new(Waker::from(Arc::clone(&pulse)));
        let told = notices.clone();
        let mut publisher = None;
        let work: Work = if let Ok(place) = source.cast::<PyPlace>() {
            let (planned, members) = (planned.clone().unbind(), members.clone().unbind());
            let (pulse, mouth) = (Arc::clone(&pulse), mouth.clone());
            let make = move || {
                let members = Python::attach(|py| {
                    let plan = planned.get();
                    let read = read_members(plan, members.bind(py));
                    let made = |members| {
                        let (plan, pulse) = (Arc::clone(&plan.checked), Arc::clone(&pulse));
                        Members::new(py, plan, members, pulse, spawn.clone_ref(py))
                    };
                    read.and_then(made).map_err(|error| TransportError::Custom(error.to_string()))
                })?;
                let sink = Output {
                    mouth: mouth.clone(),
                    keep: keep_actions,
                    file: None,
                    nats: None,
                    relay,
                    contexts: None,
                };
                Ok((members, sink))
            };
            let (place, taken) = (Arc::clone(&place.get().0), Arc::clone(&taken));
            options.tell_late = true;
            Box::pin(
                Parts { place, plan: checked, options, stop, taken, context, notices: told, make }
                    .run(),
            )
        } else {
            let (input, queue) = input::open(source, make_event, plan, source_name_is_some)?;
            publisher = queue;
            let mut input = Watched { input, taken: Arc::clone(&taken) };
            let members = read_members(plan, members)?;
            let (plan, pulse) = (Arc::clone(&checked), Arc::clone(&pulse));
            let crews = Members::new(py, plan, members, pulse, spawn)?;
            let store = py.detach(|| journal.open_for_writing());
            let store = store.map_err(|error| journal_error(&error))?;
            Box::pin(async move {
                let contexts = kept::begin(context, &told).await?;
                sink.contexts = contexts.as_ref().map(Projection::teller);
                let clock = SystemClock::new();
                let mut runtime =
                    Runtime::open(checked, options, store, sink, crews, clock).await?;
                let ending = runtime.run(&mut input, &stop).await?;
                let mut summary = Summary::of(&runtime, ending);
                runtime.close().await?;
                summary.unsaved = kept::finish(contexts, grace, &told).await?;
                Ok(summary)
            })
        };
        Ok(Self {
            work: Mutex::new(Some(Box::pin(work))),
            is_killed: AtomicBool::new(false),
            waker: Waker::from(Arc::clone(&pulse)),
            _listening: Listening::new(Waker::from(Arc::clone(&pulse))),
            pulse,
            switch,
            publisher: Mutex::new(publisher),
            ear: Mutex::new(Some(ear)),
            mouth,
            taken,
            notices,
            plan: asked,
        })
    }

    /// The socket that rings when a step is due, as a file descriptor that is now the caller's.
    fn take_ear(&self) -> Option<i32> {
        let ear = self.ear.lock().unwrap_or_else(PoisonError::into_inner).take();
        ear.map(IntoRawFd::into_raw_fd)
    }

    /// Goes on as far as it can. `True` asks for another step soon, `False` waits for the bell, a
    /// summary is the end.
    fn step<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        check_process()?;
        let mut work = match self.work.try_lock() {
            Ok(work) => work,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Err(misuse("a session cannot be stepped from within one of its handlers"));
            }
        };
        let Some(future) = work.as_mut() else {
            return Err(misuse("the session is over"));
        };
        let _entered = io::handle().enter();
        self.pulse.begin();
        let polled = future.as_mut().poll(&mut Context::from_waker(&self.waker));
        let again = self.pulse.end();
        self.notices.log(py);
        log::forward(py);
        if let Some(interrupt) = self.pulse.take_interrupt() {
            *work = None;
            return Err(interrupt);
        }
        if self.is_killed.load(Ordering::SeqCst) {
            *work = None;
            return Err(misuse("the session was killed in one of its handlers"));
        }
        match polled {
            Poll::Pending => Ok(again.into_pyobject(py)?.to_owned().into_any()),
            Poll::Ready(done) => {
                *work = None;
                let summary = done.map_err(|error| runtime_error(py, &error))?;
                Ok(summary.to_python(py, &self.mouth)?.into_any())
            }
        }
    }

    /// Hands over an event; `False` if there is no room yet.
    fn publish(&self, py: Python<'_>, event: &Event) -> PyResult<bool> {
        check_process()?;
        let (stream, event) = event.to_engine(py, &self.plan.settings.limits)?;
        let publisher = self.publisher.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(publisher) = publisher.as_ref() else {
            return Err(misuse(
                "the session takes no more events; publish before `stop`, and only without a source",
            ));
        };
        match publisher.try_publish(stream, event) {
            Ok(()) => Ok(true),
            Err(TransportError::Full { .. }) => Ok(false),
            Err(error) => Err(transport_error(&error)),
        }
    }

    /// No event will be published any more.
    fn end_input(&self) {
        self.publisher.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Takes no more events, finishes what is under way, then ends.
    fn drain(&self) {
        self.switch.stop(Stop::Drain);
    }

    /// Ends as soon as it can; what is in the journal stays.
    fn abort(&self) {
        self.switch.stop(Stop::Abort);
    }

    /// Drops everything at once, as a crash would; from within a step, when that ends. What is in the
    /// journal stays.
    fn kill(&self) {
        self.end_input();
        self.is_killed.store(true, Ordering::SeqCst);
        let work = match self.work.try_lock() {
            Ok(mut work) => work.take(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
            Err(TryLockError::WouldBlock) => None,
        };
        // Not while it is locked: it holds Python objects, which may come back here.
        drop(work);
    }

    /// Takes the actions said since the last time, as JSON.
    fn take_actions(&self) -> Bodies {
        std::mem::take(&mut self.mouth.said().actions)
    }

    /// Takes errors and refused input: `(channel, stream, JSON)`.
    fn take_problems<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let problems = std::mem::take(&mut self.mouth.said().problems);
        let problems: PyResult<Vec<_>> = problems.iter().map(|said| problem(py, said)).collect();
        PyList::new(py, problems?)
    }

    /// Takes the exceptions that runs raised, with their tracebacks.
    fn take_raised<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let list = PyList::empty(py);
        for raised in self.pulse.take_raised() {
            let dict = PyDict::new(py);
            dict.set_item("stream_id", raised.stream.as_str())?;
            dict.set_item("crew", raised.crew.as_str())?;
            dict.set_item("run", raised.run.to_string())?;
            dict.set_item("attempt", raised.attempt)?;
            dict.set_item("exception", raised.error.into_value(py))?;
            list.append(dict)?;
        }
        Ok(list)
    }

    /// A batch that a transport of the program's own is to publish: `(channel, stream, JSON)`.
    /// Whoever takes it must say `published`.
    fn take_relay<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyList>>> {
        let mut said = self.mouth.said();
        let Some((batch, _)) = said.relay.as_mut() else {
            return Ok(None);
        };
        let batch = std::mem::take(batch);
        drop(said);
        if batch.is_empty() {
            return Ok(None);
        }
        let batch: PyResult<Vec<_>> = batch.iter().map(|said| problem(py, said)).collect();
        PyList::new(py, batch?).map(Some)
    }

    /// The batch that was taken is published, or could not be.
    #[pyo3(signature = (error = None))]
    fn published(&self, error: Option<String>) {
        let relay = self.mouth.said().relay.take();
        if let Some((_, done)) = relay {
            // Nobody waits any more when the session was dropped.
            let _told = done.send(error.map_or(Ok(()), Err));
        }
    }

    /// How far the source is, in bytes of a file or in events, and how many events it gave.
    #[getter]
    fn taken(&self) -> (u64, u64) {
        let Taken { position, events } = &*self.taken;
        (position.load(Ordering::Relaxed), events.load(Ordering::Relaxed))
    }

    /// How much was said so far.
    #[getter]
    fn counts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counts = self.mouth.said().counts;
        super::summary::counts(py, counts)
    }
}

fn check_process() -> PyResult<()> {
    if io::is_forked() {
        return Err(misuse(
            "this process was forked off one that used live-crew, whose threads are not here; start the orchestrator after the fork, or use the `spawn` start method",
        ));
    }
    Ok(())
}

/// Both ends of a bell; neither ever blocks.
fn bell() -> std::io::Result<(UnixStream, UnixStream)> {
    let (bell, ear) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    ear.set_nonblocking(true)?;
    Ok((bell, ear))
}
