//! A connection, and what the server behind it can do.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Weak,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_nats::{
    Client, ConnectOptions,
    jetstream::{self, context::RequestErrorKind, response::Response},
};
use serde::Deserialize;
use tokio::{sync::watch, time::sleep};
use tracing::{info, warn};

use super::{
    Address, NatsError, SignIn, State,
    patience::wait,
    refused::explain,
    sign_in,
    state::Health,
    urls::Target,
    version::{Verdict, judge},
};

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How often a silent server is asked for a sign of life; after two without one it is gone.
const PING: Duration = Duration::from_secs(10);

/// How long until a server that came back is asked again what it can do, and how often it may say
/// that it has no JetStream: that is often there a little later than its server.
const ASK_AGAIN: Duration = Duration::from_secs(1);
const MOST_NOES: u32 = 5;

/// A connection to JetStream. Clones share it.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    client: Client,
    jetstream: jetstream::Context,
    target: Target,
    health: Arc<Health>,
    level: AtomicU32,
}

impl Connection {
    /// Connects, and checks that the server will do.
    pub async fn open(address: &Address) -> Result<Self, NatsError> {
        let target = Target::of(address)?;
        let health = Arc::new(Health::new(&target.shown));
        let options = options(address, &target, &health)?;
        let client = options.connect(&target.servers[..]).await;
        let client = client.map_err(|error| explain(&error, address, &target))?;
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(TIMEOUT);
        let inner = Inner { client, jetstream, target, health, level: AtomicU32::new(0) };
        // An old one may not even answer.
        inner.refuse_old()?;
        inner.check().await?;
        info!(servers = inner.target.shown, "connected to NATS");
        let inner = Arc::new(inner);
        // Nobody joins it: it ends with the client, whose events it waits for.
        tokio::spawn(check_again(Arc::downgrade(&inner), inner.health.watch()));
        Ok(Self(inner))
    }

    /// The plain client.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// JetStream on it.
    pub fn jetstream(&self) -> &jetstream::Context {
        &self.0.jetstream
    }

    /// The addresses, for messages.
    pub fn servers(&self) -> &str {
        &self.0.target.shown
    }

    /// What this server's JetStream understands.
    pub fn level(&self) -> u32 {
        self.0.level.load(Ordering::Relaxed)
    }

    /// Whether messages can be stored together or not at all. Asked anew at every reconnect.
    pub fn has_batches(&self) -> bool {
        self.level() >= 2
    }

    /// Whether messages can be stored in their order and acknowledged together.
    pub fn has_fast_batches(&self) -> bool {
        self.level() >= 4
    }

    /// Whether it is there now, and leads to a server that will do.
    pub fn is_connected(&self) -> bool {
        self.0.health.is(&State::Connected)
    }

    /// How it is doing, now and from now on.
    pub fn states(&self) -> watch::Receiver<State> {
        self.0.health.watch()
    }

    /// What the server last said this user may not do.
    pub fn denied(&self) -> Option<String> {
        self.0.health.denied()
    }

    pub(super) fn target(&self) -> &Target {
        &self.0.target
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Connection").field(&self.0.target).finish()
    }
}

impl Inner {
    /// Asks the server what it can do. Its version is looked at last: an answer is the first sign
    /// that the client knows to which server it came back.
    async fn check(&self) -> Result<(), NatsError> {
        let servers = || self.target.shown.clone();
        let level = level(&self.jetstream).await;
        let denied = self.health.denied().filter(|said| said.contains("$JS.API.INFO"));
        let level = level.map_err(|missing| match (missing, denied) {
            (_, Some(denied)) => {
                let why = format!("JetStream may not be asked ({denied})");
                let fix = "let this user publish on `$JS.API.INFO`; `live-crew doctor --acl` \
                           writes what each user needs";
                NatsError::Unfit { servers: servers(), why, fix: fix.to_owned() }
            }
            (Missing::Off, None) => {
                let why = "it has no JetStream, or not for this account".to_owned();
                let fix = "start it with `jetstream` on, and enable it for the account".to_owned();
                NatsError::Unfit { servers: servers(), why, fix }
            }
            (Missing::Away { why, fix }, None) => {
                NatsError::Connect { servers: servers(), why, fix: fix.to_owned(), is_away: true }
            }
        })?;
        self.refuse_old()?;
        self.level.store(level, Ordering::Relaxed);
        if let Some(why) = advice(&self.client) {
            warn!(servers = self.target.shown, %why, "old NATS server");
        }
        Ok(())
    }

    fn refuse_old(&self) -> Result<(), NatsError> {
        match judge(&self.client.server_info().version) {
            Verdict::Fine | Verdict::Aged(_) => Ok(()),
            Verdict::TooOld(why, fix) => {
                Err(NatsError::Unfit { servers: self.target.shown.clone(), why, fix })
            }
        }
    }
}

/// Why the server should be upgraded, if it should.
pub(super) fn advice(client: &Client) -> Option<String> {
    match judge(&client.server_info().version) {
        Verdict::Aged(why) => Some(why),
        Verdict::Fine | Verdict::TooOld(..) => None,
    }
}

/// Checks the server whenever the connection came back: it may be another one, or have changed.
async fn check_again(connection: Weak<Inner>, mut states: watch::Receiver<State>) {
    loop {
        let mut noes = 0;
        while *states.borrow_and_update() == State::Checking {
            let Some(inner) = connection.upgrade() else { return };
            let checked = inner.check().await;
            noes = if checked.as_ref().is_err_and(|why| !why.is_passing()) { noes + 1 } else { 0 };
            let found = match checked {
                Ok(()) => State::Connected,
                Err(why) if inner.refuse_old().is_err() || noes == MOST_NOES => {
                    State::Unfit(why.to_string().into())
                }
                Err(_) => {
                    drop(inner);
                    sleep(ASK_AGAIN).await;
                    continue;
                }
            };
            inner.health.settle(found);
        }
        if states.changed().await.is_err() {
            return;
        }
    }
}

fn options(
    address: &Address,
    target: &Target,
    health: &Arc<Health>,
) -> Result<ConnectOptions, NatsError> {
    let options = sign_in::options(address, target)?;
    let told = Arc::clone(health);
    let random = RandomState::new();
    let options = options
        .name(&address.name)
        .custom_inbox_prefix(inbox_prefix(address, &target.sign_in))
        .require_tls(target.needs_tls)
        .ping_interval(PING)
        .connection_timeout(TIMEOUT)
        .reconnect_delay_callback(move |attempt| wait(attempt, random.hash_one(attempt)))
        .event_callback(move |event| {
            told.hear(event);
            std::future::ready(())
        });
    // Servers tell of others by their IP, which certificates seldom have, and without saying
    // whether they encrypt: whoever signs in does so at the servers that were named.
    let is_careful = target.needs_tls || !target.sign_in.is_anonymous();
    Ok(if is_careful { options.ignore_discovered_servers() } else { options })
}

/// Where answers go to: a place of its own, so that nobody else needs to be allowed to listen.
fn inbox_prefix(address: &Address, sign_in: &SignIn) -> String {
    let name = match sign_in {
        SignIn::User { user, .. } => user,
        _ => &address.name,
    };
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = name.chars().map(safe).collect();
    format!("_INBOX_{}", if name.is_empty() { "live-crew" } else { &name })
}

/// Why a server does not say what its JetStream understands.
enum Missing {
    /// It has none.
    Off,
    /// It has none yet, or nobody leads it: why, and what to do.
    Away { why: String, fix: &'static str },
}

/// What a server's JetStream understands.
async fn level(jetstream: &jetstream::Context) -> Result<u32, Missing> {
    #[derive(Deserialize)]
    struct Account {
        #[serde(default)]
        api: Api,
    }
    #[derive(Deserialize, Default)]
    struct Api {
        #[serde(default)]
        level: u32,
    }
    match jetstream.request("INFO", &()).await {
        Ok(Response::Ok(Account { api })) => Ok(api.level),
        Ok(Response::Err { error }) if [10_039, 10_076].contains(&error.error_code().0) => {
            Err(Missing::Off)
        }
        Ok(Response::Err { error }) => {
            let why = format!("JetStream is not ready ({error})");
            Err(Missing::Away { why, fix: "wait, then try again" })
        }
        Err(error) if error.kind() == RequestErrorKind::NoResponders => Err(Missing::Off),
        Err(error) => {
            let why = format!("JetStream does not answer ({error})");
            Err(Missing::Away { why, fix: "check that its cluster has a leader" })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_to_a_place_of_the_identity() {
        let address = Address { name: "scorer host.1".to_owned(), ..Address::default() };
        assert_eq!(inbox_prefix(&address, &SignIn::Anonymous), "_INBOX_scorer_host_1");
        let user = SignIn::User { user: "runner-a".to_owned(), password: String::new() };
        assert_eq!(inbox_prefix(&address, &user), "_INBOX_runner-a");
        assert_eq!(inbox_prefix(&Address::default(), &SignIn::Anonymous), "_INBOX_live-crew");
    }
}
