//! Streams on NATS: where they are, which of them, and what a session does with them.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use pyo3::{exceptions::PyValueError, prelude::*, types::PyList};
use tokio::sync::OnceCell;

use super::{
    errors::transport_error, event::Event, io::block_on, nats::read_address, standing::Standing,
};
use crate::{
    cluster::Role,
    engine::{self, CrewName, Limits, StreamId},
    nats::{Address, Connection, Layout, NatsError, subjects},
    runtime::RuntimeError,
    store::{JetStreamStore, Scope},
    transport::TransportError,
    wire,
};

/// Events that are published at a time. The client takes 5 000, and waits for ever at the next one.
const UNDER_WAY: usize = 1_024;

/// Streams on NATS: a source of events, a place for actions, and a journal.
#[pyclass(frozen, module = "live_crew._core", name = "Nats")]
pub(super) struct PyPlace(pub(super) Arc<Place>);

/// What a session on NATS is told.
pub(super) struct Place {
    pub(super) address: Address,
    pub(super) layout: Layout,
    /// The one stream it is about, if it is about one.
    pub(super) only: Option<StreamId>,
    /// What this process is called in terms and leases.
    pub(super) who: String,
    /// How long a scheduler that is gone keeps its parts.
    pub(super) lease: Duration,
    /// The crews it runs; absent: all.
    here: Option<BTreeSet<String>>,
    schedules: bool,
    runs: bool,
    /// Whether a session waits for a server that is away when it begins.
    pub(super) waits: bool,
    pub(super) standing: Standing,
    connection: OnceCell<Connection>,
    /// One for sending events alone, where that came first.
    sending: OnceCell<Connection>,
}

impl Place {
    /// A connection, whether the streams are there or not: who may only send may not make them.
    async fn reach(&self) -> Result<Connection, NatsError> {
        match self.connection.get() {
            Some(nats) => Ok(nats.clone()),
            None => self.sending.get_or_try_init(|| Connection::open(&self.address)).await.cloned(),
        }
    }

    /// The connection, made when it is first needed.
    pub(super) async fn connect(&self) -> Result<Connection, NatsError> {
        let make = async || {
            let nats = Connection::open(&self.address).await?;
            // Who only does runs needs no other stream, and may not be allowed to make any.
            if !self.schedules && crate::nats::stream(&nats, Layout::RUNS).await.is_ok() {
                return Ok(nats);
            }
            self.layout.ensure(&nats).await.map_err(|error| or_denied(&nats, error))?;
            Ok(nats)
        };
        self.connection.get_or_try_init(make).await.cloned()
    }

    /// Whether this process schedules, and whether it does runs for others.
    pub(super) fn tasks(&self) -> (bool, bool) {
        (self.schedules, self.runs)
    }

    /// Where the journals are.
    pub(super) fn shown(&self) -> String {
        let at = self.connection.get().map(|nats| format!(" at {}", nats.servers()));
        format!("{}{}", Layout::LOG, at.unwrap_or_default())
    }

    /// The parts it may schedule.
    pub(super) fn role(&self) -> Role {
        self.only.clone().map_or(Role::Shards, |stream| Role::Streams(vec![stream]))
    }

    /// Whether a crew is run by this process.
    pub(super) fn has(&self, crew: &CrewName) -> bool {
        self.here.as_ref().is_none_or(|here| here.contains(crew.as_str()))
    }

    /// The journals, to be read.
    pub(super) async fn journal(&self) -> Result<JetStreamStore, crate::store::StoreError> {
        let nats = self.connect().await.map_err(|error| crate::store::StoreError::Io {
            journal: Layout::LOG.to_owned(),
            doing: "opening it",
            source: Box::new(error),
        })?;
        let scope = self.only.clone().map_or(Scope::All, Scope::Stream);
        JetStreamStore::open_readonly(nats, scope).await
    }
}

/// What a session cannot go on after.
pub(super) fn unreachable(error: &NatsError) -> RuntimeError {
    RuntimeError::Transport(TransportError::Custom(error.to_string()))
}

#[pymethods]
impl PyPlace {
    #[new]
    #[pyo3(signature = (address, *, stream = None, crews = None, shards = 8, replicas = 1, role = "both", lease_s = 3, waits = false))]
    #[allow(clippy::too_many_arguments, reason = "keywords, all of one call in Python")]
    fn new(
        address: &Bound<'_, PyAny>,
        stream: Option<&str>,
        crews: Option<BTreeSet<String>>,
        shards: u32,
        replicas: usize,
        role: &str,
        lease_s: u64,
        waits: bool,
    ) -> PyResult<Self> {
        let only = stream.map(StreamId::new).transpose();
        let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        Ok(Self(Arc::new(Place {
            address: read_address(address)?,
            layout: Layout { replicas, shards: shards.max(1), ..Layout::default() },
            only: only.map_err(|error| PyValueError::new_err(error.to_string()))?,
            who: format!("{}-{}", host.unwrap_or_else(|| "host".into()), std::process::id()),
            lease: Duration::from_secs(lease_s),
            here: crews,
            schedules: role != "runner",
            runs: role != "scheduler",
            waits,
            standing: Standing::default(),
            connection: OnceCell::new(),
            sending: OnceCell::new(),
        })))
    }

    /// Connects, and makes the streams that are missing; raises what is wrong with that.
    fn connect(&self, py: Python<'_>) -> PyResult<()> {
        let connected = py.detach(|| block_on(self.0.connect()));
        connected.map(drop).map_err(|error| transport_error(&error))
    }

    /// Why its session has not begun yet, each reason once.
    fn take_waits(&self) -> Vec<String> {
        self.0.standing.take_waits()
    }

    /// The servers, once its session has begun and while they are there.
    #[getter]
    fn live_on(&self) -> Option<&str> {
        let nats = self.0.connection.get().filter(|nats| nats.is_connected())?;
        self.0.standing.has_begun().then(|| nats.servers())
    }

    /// For how many shards or streams its session decides now.
    #[getter]
    fn decides_for(&self) -> usize {
        self.0.standing.decides_for()
    }

    /// The dead letters: number, the stream they were sent to if it is known, JSON.
    fn dead_letters(&self, py: Python<'_>) -> PyResult<Vec<(u64, Option<String>, String)>> {
        let read =
            py.detach(|| block_on(async { crate::nats::letters(&self.0.connect().await?).await }));
        let letters = read.map_err(|error| transport_error(&error))?;
        let told = letters.into_iter().map(|letter| {
            let stream = subjects::stream_of(&letter.subject).filter(|name| name.as_str() != "-");
            let body = String::from_utf8_lossy(&letter.body).into_owned();
            (letter.number, stream.map(|name| name.to_string()), body)
        });
        Ok(told.collect())
    }

    /// Sends the event of a dead letter again and forgets the letter; gives its stream.
    fn requeue(&self, py: Python<'_>, number: u64) -> PyResult<String> {
        let sent = py.detach(|| {
            block_on(async { crate::nats::requeue(&self.0.connect().await?, number).await })
        });
        Ok(sent.map_err(|error| transport_error(&error))?.to_string())
    }

    /// Sends events to their streams and waits until the server has them.
    fn publish(&self, py: Python<'_>, events: &Bound<'_, PyList>) -> PyResult<()> {
        let limits = Limits::default();
        let events: PyResult<Vec<_>> = events
            .iter()
            .map(|event| event.cast::<Event>()?.get().to_engine(py, &limits))
            .collect();
        let events = events?;
        let sent = py.detach(|| {
            block_on(async {
                let Some((first, others)) = events.split_first() else { return Ok(()) };
                let mut nats = self.0.reach().await?;
                match send(&nats, first).await?.await {
                    Ok(_) => {}
                    Err(error) if error.kind() == PublishErrorKind::StreamNotFound => {
                        nats = self.0.connect().await?;
                        send(&nats, first).await?.await.map_err(|error| lost(&error))?;
                    }
                    Err(error) => return Err(or_denied(&nats, lost(&error))),
                }
                let mut acks = VecDeque::new();
                for event in others {
                    if acks.len() == UNDER_WAY {
                        next_ack(&mut acks).await?;
                    }
                    acks.push_back(send(&nats, event).await?);
                }
                while !acks.is_empty() {
                    next_ack(&mut acks).await?;
                }
                Ok::<_, NatsError>(())
            })
        });
        sent.map_err(|error| transport_error(&error))
    }
}

/// Of what is not allowed there is no answer, but word of it.
fn or_denied(nats: &Connection, error: NatsError) -> NatsError {
    match (nats.denied(), &error) {
        (Some(why), NatsError::Unanswered { .. }) => NatsError::Unfit {
            servers: nats.servers().to_owned(),
            why,
            fix: "`live-crew doctor --acl` writes what each user needs".to_owned(),
        },
        _ => error,
    }
}

async fn send(
    nats: &Connection,
    (stream, event): &(StreamId, engine::Event),
) -> Result<PublishAckFuture, NatsError> {
    let mut body = Vec::new();
    wire::write_event(stream, event, &mut body);
    let mut headers = async_nats::HeaderMap::new();
    if let Some(id) = event.ids.as_deref().and_then(|ids| ids.id.as_deref()) {
        // The server compares ids of all streams, a producer those of one.
        headers.insert("Nats-Msg-Id", format!("{stream}/{id}"));
    }
    let subject = subjects::events(stream);
    let sent = nats.jetstream().publish_with_headers(subject, headers, body.into()).await;
    sent.map_err(|error| lost(&error))
}

async fn next_ack(acks: &mut VecDeque<PublishAckFuture>) -> Result<(), NatsError> {
    let Some(ack) = acks.pop_front() else { return Ok(()) };
    ack.await.map(|_| ()).map_err(|error| lost(&error))
}

fn lost(error: &dyn std::fmt::Display) -> NatsError {
    NatsError::unanswered("an event", error)
}
