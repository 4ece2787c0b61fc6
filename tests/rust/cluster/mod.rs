//! Several processes as one, each with a connection of its own to a real server.

mod carried;
mod events;
mod keeper;
mod lease;
mod refused;
mod remote;

use std::{future::Future, time::Duration};

use live_crew::nats::{Address, Connection, Layout};

use crate::servers::NatsServer;

/// How long anything may take that has no time of its own.
const PATIENCE: Duration = Duration::from_secs(30);

async fn connect(server: &NatsServer) -> Connection {
    let address = Address { servers: vec![server.url()], ..Address::default() };
    Connection::open(&address).await.unwrap()
}

/// A server with the streams of live-crew, and a connection to it.
async fn begin() -> (NatsServer, Connection) {
    let server = NatsServer::start();
    let nats = connect(&server).await;
    Layout::default().ensure(&nats).await.unwrap();
    (server, nats)
}

/// What comes within the time there is.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let came = tokio::time::timeout(PATIENCE, future).await;
    came.unwrap_or_else(|_| panic!("{what} did not come in {PATIENCE:?}"))
}
