//! Where the events of a session come from.

use pyo3::{prelude::*, types::PyIterator};

use super::event::Event;
use crate::{
    engine::Limits,
    transport::{Cursor, Delivery, FileSource, Source, TransportError, memory::MemorySource},
};

/// A source decided at run time.
pub(super) enum Input {
    File(Box<FileSource>),
    /// What `publish` is given.
    Queue(MemorySource),
    /// Ready-made events.
    Events {
        iterator: Py<PyIterator>,
        taken: u64,
        limits: Limits,
    },
}

impl Source for Input {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        match self {
            Self::File(source) => source.next(max).await,
            Self::Queue(source) => source.next(max).await,
            Self::Events { iterator, taken, limits } => {
                Python::attach(|py| take(iterator.bind(py), taken, limits, max))
                    .map_err(|error| TransportError::Custom(error.to_string()))
            }
        }
    }

    async fn resume_after(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        match self {
            Self::File(source) => source.resume_after(cursor).await,
            Self::Queue(source) => source.resume_after(cursor).await,
            Self::Events { iterator, taken, .. } => Python::attach(|py| {
                let mut iterator = iterator.bind(py).clone();
                while *taken < cursor.0 {
                    match iterator.next() {
                        Some(Ok(_)) => *taken += 1,
                        Some(Err(error)) => return Err(error),
                        None => break,
                    }
                }
                Ok(())
            })
            .map_err(|error| TransportError::Custom(error.to_string())),
        }
    }

    async fn ack(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        match self {
            Self::File(source) => source.ack(cursor).await,
            Self::Queue(source) => source.ack(cursor).await,
            Self::Events { .. } => Ok(()),
        }
    }
}

fn take(
    iterator: &Bound<'_, PyIterator>,
    taken: &mut u64,
    limits: &Limits,
    max: usize,
) -> PyResult<Vec<Delivery>> {
    let mut deliveries = Vec::with_capacity(max.min(1_024));
    for event in iterator.clone().take(max) {
        let event = event?;
        let event = event.cast::<Event>()?;
        let (stream, event) = event.get().to_engine(iterator.py(), limits)?;
        *taken += 1;
        deliveries.push(Delivery::Event { stream, event, cursor: Cursor(*taken) });
    }
    Ok(deliveries)
}
