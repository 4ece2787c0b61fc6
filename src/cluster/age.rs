//! How old a message is by the clock of those who stored it: clocks of hosts do not agree.

use std::time::Duration;

use async_nats::jetstream::response::Response;
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    engine::Span,
    nats::{Connection, NatsError},
    wire::parse_timestamp,
};

/// The servers' clock, carried on by ours, which never jumps.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerClock {
    micros: i64,
    read: Instant,
}

impl ServerClock {
    /// Asks a stream what time it is.
    pub(super) async fn read(nats: &Connection, stream: &str) -> Result<Self, NatsError> {
        #[derive(Deserialize)]
        struct Info {
            ts: String,
        }
        let doing = || "what time it is".to_owned();
        let read = Instant::now();
        let asked = nats.jetstream().request(format!("STREAM.INFO.{stream}"), &()).await;
        let answer = asked.map_err(|error| NatsError::unanswered(doing(), error))?;
        let ts = match answer {
            Response::Ok(Info { ts }) => ts,
            Response::Err { error } => return Err(NatsError::refused(doing(), &error)),
        };
        let time = parse_timestamp(&ts).map_err(|error| NatsError::unanswered(doing(), error))?;
        Ok(Self { micros: time.micros(), read })
    }

    /// Whether something that was published has no time left.
    pub(super) fn is_past(&self, published_nanos: i128, timeout: Span) -> bool {
        let now = Duration::from_micros(self.micros.try_into().unwrap_or(0)) + self.read.elapsed();
        let timeout = i128::from(timeout.micros()) * 1_000;
        i128::try_from(now.as_nanos()).is_ok_and(|now| now > published_nanos + timeout)
    }
}
