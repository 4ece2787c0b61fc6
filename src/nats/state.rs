//! How a connection is doing.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use async_nats::{ClientError, ConnectErrorKind, Event, ServerError};
use tokio::sync::watch;
use tracing::{info, warn};

/// How a connection is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It works.
    Connected,
    /// It is back, and what the server can do is being asked anew.
    Checking,
    /// It is lost; the client tries again for ever.
    Disconnected,
    /// The server does not take the credentials any more; the client tries again for ever.
    SignInRefused,
    /// It leads to a server that will not do: why.
    Unfit(Arc<str>),
    /// It is over.
    Closed,
}

/// What the client tells of a connection. Nothing here waits: the client does while it tells.
#[derive(Debug)]
pub(super) struct Health {
    state: watch::Sender<State>,
    servers: String,
    slow: AtomicU64,
    denials: AtomicU64,
    denied: Mutex<Option<String>>,
}

impl Health {
    pub fn new(servers: &str) -> Self {
        Self {
            // Nobody asks before the first connection is there and checked.
            state: watch::Sender::new(State::Connected),
            servers: servers.to_owned(),
            slow: AtomicU64::new(0),
            denials: AtomicU64::new(0),
            denied: Mutex::new(None),
        }
    }

    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub fn is(&self, state: &State) -> bool {
        *self.state.borrow() == *state
    }

    /// The last subject that the server did not let this user use.
    pub fn denied(&self) -> Option<String> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes what the client tells.
    pub fn hear(&self, event: Event) {
        match event {
            // That of the first connection, which is checked by whoever opens it.
            Event::Connected if self.is(&State::Connected) => {}
            Event::Connected => self.become_state(State::Checking),
            Event::Disconnected => self.become_state(State::Disconnected),
            Event::Closed => self.become_state(State::Closed),
            Event::LameDuckMode => info!(servers = self.servers, "NATS server is about to stop"),
            Event::SlowConsumer(_) | Event::ServerError(ServerError::SlowConsumer(_)) => {
                if let Some(times) = count(&self.slow) {
                    warn!(servers = self.servers, times, "messages lost: read too slowly");
                }
            }
            Event::ServerError(ServerError::AuthorizationViolation) => {
                self.become_state(State::SignInRefused);
            }
            Event::ServerError(ServerError::Other(said)) => self.refused(said),
            Event::ClientError(ClientError::Other(said)) => {
                let refusals =
                    [ConnectErrorKind::AuthorizationViolation, ConnectErrorKind::Authentication];
                if refusals.iter().any(|kind| kind.to_string() == said) {
                    self.become_state(State::SignInRefused);
                }
            }
            Event::Draining
            | Event::ClientError(ClientError::MaxReconnects | ClientError::ServerNotInPool) => {}
        }
    }

    /// Ends a check, unless the connection was lost meanwhile.
    pub fn settle(&self, found: State) {
        self.go(found, |state| *state == State::Checking);
    }

    fn become_state(&self, next: State) {
        self.go(next, |state| *state != State::Closed);
    }

    /// Goes over to a state where that may be, and says so once.
    fn go(&self, next: State, may: impl Fn(&State) -> bool) {
        let is_new = self.state.send_if_modified(|state| {
            let is_new = *state != next && may(state);
            if is_new {
                *state = next.clone();
            }
            is_new
        });
        if !is_new {
            return;
        }
        let servers = &self.servers;
        match next {
            State::Connected => info!(servers, "connected to NATS"),
            State::Checking => info!(servers, "connected to NATS again"),
            State::Disconnected => warn!(servers, "lost NATS; trying again"),
            State::SignInRefused => {
                warn!(servers, "NATS does not take the credentials any more; trying again");
            }
            State::Unfit(why) => warn!(servers, %why, "connected to a server that will not do"),
            State::Closed => info!(servers, "closed the connection to NATS"),
        }
    }

    fn refused(&self, said: String) {
        if let Some(times) = count(&self.denials) {
            warn!(servers = self.servers, %said, times, "NATS refused something");
        }
        *self.denied.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
    }
}

/// Counts, and gives the number when it is worth a line: a fault may come with every message.
fn count(counter: &AtomicU64) -> Option<u64> {
    let times = counter.fetch_add(1, Ordering::Relaxed) + 1;
    times.is_power_of_two().then_some(times)
}
