//! The only place that reads the time.

use std::{future::Future, time::Duration};

use crate::engine::Timestamp;

/// Where the runtime gets its time from.
pub trait Clock: Send {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Waits until an instant has come.
    fn sleep_until(&self, instant: Timestamp) -> impl Future<Output = ()> + Send;
}

/// The time of the system, moved forward by a clock that cannot jump.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    started: Timestamp,
    since: tokio::time::Instant,
}

impl SystemClock {
    /// A clock that agrees with the system's now.
    pub fn new() -> Self {
        Self::starting_at(from_chrono(chrono::DateTime::from(std::time::SystemTime::now())))
    }

    /// A clock that says `start` now. Under a paused tokio time it is a virtual clock.
    pub fn starting_at(start: Timestamp) -> Self {
        Self { started: start, since: tokio::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let millis = self.since.elapsed();
        let micros = i64::try_from(millis.as_micros()).unwrap_or(i64::MAX);
        let now = self.started.micros().saturating_add(micros);
        Timestamp::from_micros(now).unwrap_or(Timestamp::MAX)
    }

    async fn sleep_until(&self, instant: Timestamp) {
        let left = instant.micros().saturating_sub(self.now().micros());
        if let Ok(left) = u64::try_from(left) {
            tokio::time::sleep(Duration::from_micros(left)).await;
        }
    }
}

fn from_chrono(now: chrono::DateTime<chrono::Utc>) -> Timestamp {
    Timestamp::from_micros(now.timestamp_micros()).unwrap_or(Timestamp::MAX)
}
