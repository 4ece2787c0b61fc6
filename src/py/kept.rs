//! Where the contexts of a session are kept beside its journal, decided at run time.

use std::{
    sync::{Arc, Mutex, PoisonError},
    task::Waker,
    time::Duration,
};

use pyo3::prelude::*;
use tokio::{runtime::Handle, task::block_in_place};

use crate::{
    context::{
        ContextError, ContextStore, JetStreamContext, Kept, Notice, Projection, RedisContext,
        SqliteContext, Teller,
    },
    engine::{Span, StreamId},
    nats::Connection,
    transport::{Channel, Outgoing, TransportError},
    wire::split_context,
};

/// What Python is to log of it, and who wakes the session that does.
#[derive(Debug, Clone)]
pub(super) struct Notices {
    waiting: Arc<Mutex<Vec<(&'static str, String)>>>,
    waker: Waker,
}

impl Notices {
    pub(super) fn new(waker: Waker) -> Self {
        Self { waiting: Arc::default(), waker }
    }

    fn push(&self, level: &'static str, text: String) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((level, text));
        self.waker.wake_by_ref();
    }

    /// What a projection tells of outages.
    fn teller(&self) -> impl Fn(Notice) + Send + 'static {
        let notices = self.clone();
        move |notice| match notice {
            Notice::Failing(error) => {
                let text =
                    format!("{error}; the run goes on, and they are saved when that is mended");
                notices.push("warning", text);
            }
            Notice::Back(streams) => {
                notices.push("info", format!("contexts are saved again, {streams} of them anew"));
            }
        }
    }

    /// Logs what waits under `live_crew.context`.
    pub(super) fn log(&self, py: Python<'_>) {
        let waiting =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if waiting.is_empty() {
            return;
        }
        let log = || -> PyResult<()> {
            let logger = py.import("logging")?.call_method1("getLogger", ("live_crew.context",))?;
            for (level, text) in waiting {
                logger.call_method1(level, ("%s", text))?;
            }
            Ok(())
        };
        if let Err(error) = log() {
            // A run does not end because its log is broken.
            error.write_unraisable(py, None);
        }
    }
}

/// Opens where the contexts of this session are kept, and begins to save. The session is a writer
/// of its own, higher than those before.
pub(super) async fn begin(
    place: Option<String>,
    notices: &Notices,
) -> Result<Option<Projection>, TransportError> {
    let Some(place) = place else {
        return Ok(None);
    };
    let tell = notices.teller();
    let projection = if let Some(path) = place.strip_prefix("sqlite:") {
        let mut store = SqliteContext::open(path).map_err(failed)?;
        let writer = store.new_writer().map_err(failed)?;
        Projection::begin(OnDisk(store), writer, tell)
    } else {
        let mut store = RedisContext::open(&place).await.map_err(failed)?;
        let writer = store.new_writer().await.map_err(failed)?;
        Projection::begin(store, writer, tell)
    };
    Ok(Some(projection))
}

/// The same for a part of streams on NATS, where the term is the writer: parts move between
/// sessions, and the one that has a part now need not be the one that began last.
pub(super) async fn begin_part(
    place: Option<&str>,
    nats: &Connection,
    replicas: usize,
    term: u64,
    notices: &Notices,
) -> Result<Option<Projection>, TransportError> {
    let tell = notices.teller();
    Ok(match place {
        None => None,
        Some(JETSTREAM) => {
            let store = JetStreamContext::open(nats.clone(), replicas).await.map_err(failed)?;
            Some(Projection::begin(store, term, tell))
        }
        Some(url) => {
            let store = RedisContext::open(url).await.map_err(failed)?;
            Some(Projection::begin(store, term, tell))
        }
    })
}

/// Whether a place for parts can be written at all.
pub(super) async fn check(
    place: Option<&str>,
    nats: &Connection,
    replicas: usize,
) -> Result<(), ContextError> {
    match place {
        None => Ok(()),
        Some(JETSTREAM) => JetStreamContext::open(nats.clone(), replicas).await.map(drop),
        Some(url) => RedisContext::open(url).await.map(drop),
    }
}

/// The bucket on the servers that a session is connected to.
const JETSTREAM: &str = "jetstream";

/// Tells of the commits in a batch.
pub(super) fn tell(contexts: &Teller, batch: &[Outgoing]) -> Result<(), TransportError> {
    for message in batch.iter().filter(|message| message.channel == Channel::Context) {
        if let (Some(stream), Some((context, slice))) =
            (&message.stream, split_context(&message.body))
        {
            contexts.tell(stream, slice, context).map_err(failed)?;
        }
    }
    Ok(())
}

/// Waits until all is saved, not longer than the grace; gives the streams that are not.
pub(super) async fn finish(
    contexts: Option<Projection>,
    grace: Span,
    notices: &Notices,
) -> Result<usize, TransportError> {
    let Some(contexts) = contexts else {
        return Ok(0);
    };
    let grace = Duration::from_micros(grace.micros().try_into().unwrap_or(0));
    let unsaved = contexts.finish(grace).await.map_err(failed)?;
    if unsaved > 0 {
        notices.push(
            "error",
            format!(
                "the last contexts of {unsaved} streams are not saved; they are in the journal, \
                 and saved when a run goes on with it"
            ),
        );
    }
    Ok(unsaved)
}

#[allow(clippy::needless_pass_by_value, reason = "what `map_err` gives")]
fn failed(error: ContextError) -> TransportError {
    TransportError::Custom(error.to_string())
}

/// A file, whose work must not hold up the timers of its thread.
#[derive(Debug)]
struct OnDisk(SqliteContext);

impl ContextStore for OnDisk {
    async fn save(&mut self, kept: &[Kept]) -> Result<(), ContextError> {
        block_in_place(|| Handle::current().block_on(self.0.save(kept)))
    }

    async fn load(&mut self, stream: &StreamId) -> Result<Option<Kept>, ContextError> {
        self.0.load(stream).await
    }

    async fn forget(&mut self, stream: &StreamId) -> Result<(), ContextError> {
        self.0.forget(stream).await
    }
}
