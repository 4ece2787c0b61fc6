//! Where the events of a session come from.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use pyo3::{prelude::*, types::PyIterator};

use super::{errors::transport_error, event::Event, plan::Plan};
use crate::{
    engine::{self, Limits, StreamId},
    transport::{
        BATCH_BYTES, Cursor, Delivery, FileSource, NatsSource, Source, TransportError,
        memory::{MemoryPublisher, MemorySource, channel},
    },
};

/// Events that wait between `publish` and the session.
const QUEUE: usize = 10_000;

/// A source decided at run time.
pub(super) enum Input {
    File(Box<FileSource>),
    /// Standard input: whatever it is this time, nothing of it was taken before.
    Stdin(Box<FileSource>),
    /// What `publish` is given.
    Queue(MemorySource),
    /// NATS.
    Nats(Box<NatsSource>),
    /// Ready-made events.
    Events(Events),
}

/// How far a source is, for whoever watches.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The last cursor: bytes of a file, events of anything else.
    pub(super) position: AtomicU64,
    pub(super) events: AtomicU64,
}

/// A source that tells how far it is.
pub(super) struct Watched {
    pub(super) input: Input,
    pub(super) taken: Arc<Taken>,
}

impl Source for Watched {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        let batch = self.input.next(max).await?;
        if let Some(last) = batch.last() {
            self.taken.position.store(last.cursor().0, Ordering::Relaxed);
            self.taken.events.fetch_add(batch.len() as u64, Ordering::Relaxed);
        }
        Ok(batch)
    }

    async fn resume_after(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        self.input.resume_after(cursor).await
    }

    async fn confirm(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        self.input.confirm(cursor).await
    }

    async fn ack(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        self.input.ack(cursor).await
    }
}

/// Events out of an iterator.
pub(super) struct Events {
    iterator: Py<PyIterator>,
    /// Makes an event of what is none yet.
    make: Py<PyAny>,
    taken: u64,
    limits: Limits,
    /// Whether it begins again with what was taken before.
    goes_on: bool,
    /// What it raised, told once the events before it are taken in.
    raised: Option<PyErr>,
}

impl Events {
    pub(super) fn new(
        iterator: Py<PyIterator>,
        make: Py<PyAny>,
        limits: Limits,
        goes_on: bool,
    ) -> Self {
        Self { iterator, make, taken: 0, limits, goes_on, raised: None }
    }

    /// Leaves out what was taken before. Without a name nothing was: only the count goes on.
    fn skip(&mut self, py: Python<'_>, taken: u64) -> PyResult<()> {
        let mut iterator = self.iterator.bind(py).clone();
        while self.goes_on && self.taken < taken {
            match iterator.next() {
                Some(event) => event.map(drop)?,
                None => break,
            }
            self.taken += 1;
        }
        self.taken = taken;
        Ok(())
    }

    fn take(&mut self, py: Python<'_>, max: usize) -> PyResult<Vec<Delivery>> {
        if let Some(error) = self.raised.take() {
            return Err(error);
        }
        let mut deliveries = Vec::with_capacity(max.min(1_024));
        let mut bytes = 0;
        let mut events = self.iterator.bind(py).clone().take(max);
        while bytes < BATCH_BYTES
            && let Some(event) = events.next()
        {
            match event.and_then(|event| self.read(&event)) {
                Ok((stream, event)) => {
                    self.taken += 1;
                    let cursor = Cursor(self.taken);
                    bytes += event.payload.as_bytes().len();
                    deliveries.push(Delivery::Event { stream, event, cursor });
                }
                Err(error) if deliveries.is_empty() => return Err(error),
                Err(error) => {
                    self.raised = Some(error);
                    break;
                }
            }
        }
        Ok(deliveries)
    }

    fn read(&self, given: &Bound<'_, PyAny>) -> PyResult<(StreamId, engine::Event)> {
        let py = given.py();
        if let Ok(event) = given.cast_exact::<Event>() {
            return event.get().to_engine(py, &self.limits);
        }
        let made = self.make.bind(py).call1((given,))?;
        made.cast::<Event>()?.get().to_engine(py, &self.limits)
    }
}

impl Source for Input {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        match self {
            Self::File(source) | Self::Stdin(source) => source.next(max).await,
            Self::Queue(source) => source.next(max).await,
            Self::Nats(source) => source.next(max).await,
            Self::Events(events) => Python::attach(|py| events.take(py, max))
                .map_err(|error| TransportError::Custom(error.to_string())),
        }
    }

    async fn resume_after(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        match self {
            Self::File(source) => source.resume_after(cursor).await,
            Self::Queue(source) => source.resume_after(cursor).await,
            Self::Nats(source) => source.resume_after(cursor).await,
            Self::Stdin(_) => Ok(()),
            Self::Events(events) => Python::attach(|py| events.skip(py, cursor.0))
                .map_err(|error| TransportError::Custom(error.to_string())),
        }
    }

    async fn confirm(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        match self {
            Self::Nats(source) => source.confirm(cursor).await,
            Self::File(_) | Self::Queue(_) | Self::Stdin(_) | Self::Events(_) => Ok(()),
        }
    }

    async fn ack(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        match self {
            Self::File(source) | Self::Stdin(source) => source.ack(cursor).await,
            Self::Queue(source) => source.ack(cursor).await,
            Self::Nats(source) => source.ack(cursor).await,
            Self::Events(_) => Ok(()),
        }
    }
}

/// What an orchestrator was given to read. `goes_on` is a source that the journal may know.
pub(super) fn open(
    source: &Bound<'_, PyAny>,
    make_event: Py<PyAny>,
    plan: &Plan,
    goes_on: bool,
) -> PyResult<(Input, Option<MemoryPublisher>)> {
    let limits = &plan.checked.settings.limits;
    if source.is_none() {
        let (publisher, source) = channel(QUEUE);
        return Ok((Input::Queue(source), Some(publisher)));
    }
    if let Ok(path) = source.extract::<PathBuf>() {
        let is_stdin = path.as_os_str() == "-";
        let opened =
            if is_stdin { FileSource::stdin(limits) } else { FileSource::open(&path, limits) };
        let source = Box::new(opened.map_err(|error| transport_error(&error))?);
        return Ok((if is_stdin { Input::Stdin(source) } else { Input::File(source) }, None));
    }
    let iterator: Bound<'_, PyIterator> = source.try_iter()?;
    let events = Events::new(iterator.unbind(), make_event, limits.clone(), goes_on);
    Ok((Input::Events(events), None))
}
