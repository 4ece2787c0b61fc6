//! What time it is for the servers, whose time events and runs have: clocks of hosts do not agree.

use async_nats::jetstream::response::Response;
use serde::Deserialize;
use tokio::time::Instant;

use crate::{
    engine::{Span, Timestamp},
    nats::{Connection, NatsError},
    wire::parse_timestamp,
};

/// The servers' clock, carried on by ours, which never jumps.
#[derive(Debug, Clone, Copy)]
pub struct ServerClock {
    time: Timestamp,
    read: Instant,
}

impl ServerClock {
    /// Asks a stream what time it is.
    pub async fn read(nats: &Connection, stream: &str) -> Result<Self, NatsError> {
        #[derive(Deserialize)]
        struct Info {
            ts: String,
        }
        let doing = || "what time it is".to_owned();
        let asked = nats.jetstream().request(format!("STREAM.INFO.{stream}"), &()).await;
        let answer = asked.map_err(|error| NatsError::unanswered(doing(), error))?;
        let ts = match answer {
            Response::Ok(Info { ts }) => ts,
            Response::Err { error } => return Err(NatsError::refused(doing(), &error)),
        };
        let time = parse_timestamp(&ts).map_err(|error| NatsError::unanswered(doing(), error))?;
        Ok(Self { time, read: Instant::now() })
    }

    /// What time it is. Never ahead of them: the answer is counted from when it was here.
    pub fn now(&self) -> Timestamp {
        let micros = i64::try_from(self.read.elapsed().as_micros()).unwrap_or(i64::MAX);
        let now = self.time.micros().saturating_add(micros);
        Timestamp::from_micros(now).unwrap_or(Timestamp::MAX)
    }

    /// Whether something that was published has no time left.
    pub(super) fn is_past(&self, published_nanos: i128, timeout: Span) -> bool {
        let timeout = i128::from(timeout.micros()) * 1_000;
        i128::from(self.now().micros()) * 1_000 > published_nanos + timeout
    }
}
