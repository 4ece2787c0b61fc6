//! A connection, and what the server behind it can do.

use std::time::Duration;

use async_nats::{
    Client, ConnectOptions,
    jetstream::{self, response::Response},
};
use serde::Deserialize;

use super::{Address, NatsError, SignIn};

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A connection to JetStream. Clones share it.
#[derive(Debug, Clone)]
pub struct Connection {
    client: Client,
    jetstream: jetstream::Context,
    servers: String,
    level: u32,
}

impl Connection {
    /// Connects, and checks that the server will do.
    pub async fn open(address: &Address) -> Result<Self, NatsError> {
        let servers = address.servers.join(", ");
        let options = sign_in(address).await?;
        let client = options.connect(&address.servers[..]).await;
        let client = client.map_err(|error| NatsError::Connect {
            servers: servers.clone(),
            why: error.to_string(),
            fix: "check that a server runs there".to_owned(),
        })?;
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(TIMEOUT);
        let level = level(&jetstream).await.map_err(|error| NatsError::Unfit {
            servers: servers.clone(),
            why: format!("JetStream does not answer ({error})"),
            fix: "start the server with `jetstream` on".to_owned(),
        })?;
        Ok(Self { client, jetstream, servers, level })
    }

    /// The plain client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// JetStream on it.
    pub fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    /// The addresses, for messages.
    pub fn servers(&self) -> &str {
        &self.servers
    }

    /// Whether messages can be stored together or not at all.
    pub fn has_batches(&self) -> bool {
        self.level >= 2
    }
}

/// What a server's JetStream understands.
async fn level(jetstream: &jetstream::Context) -> Result<u32, String> {
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
    let answer = jetstream.request("INFO", &()).await.map_err(|error| error.to_string())?;
    match answer {
        Response::Ok(Account { api }) => Ok(api.level),
        Response::Err { error } => Err(error.to_string()),
    }
}

async fn sign_in(address: &Address) -> Result<ConnectOptions, NatsError> {
    let options = match &address.sign_in {
        SignIn::Anonymous => ConnectOptions::new(),
        SignIn::User { user, password } => {
            ConnectOptions::with_user_and_password(user.clone(), password.clone())
        }
        SignIn::Token(token) => ConnectOptions::with_token(token.clone()),
        SignIn::Nkey(_) | SignIn::Creds(_) => ConnectOptions::new(),
    };
    Ok(options.name(&address.name).ping_interval(Duration::from_secs(10)))
}
