//! What time it is for the servers, whose time events and runs have: clocks of hosts do not agree.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_nats::jetstream::response::Response;
use serde::Deserialize;
use tokio::time::{Instant, sleep};

use crate::{
    engine::{Span, Timestamp},
    nats::{Connection, NatsError},
    runtime::Clock,
    wire::parse_timestamp,
};

/// How often it is asked what time it is: another server may lead the stream, with another clock.
const ASK: Duration = Duration::from_secs(2);
/// What two clocks may differ by and still be one.
const SLACK: Duration = Duration::from_millis(250);

/// The clock of the server that leads a stream, carried on by ours, which never jumps.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerClock {
    time: Timestamp,
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
        let asked = nats.jetstream().request(format!("STREAM.INFO.{stream}"), &()).await;
        let answer = asked.map_err(|error| NatsError::unanswered(doing(), error))?;
        let ts = match answer {
            Response::Ok(Info { ts }) => ts,
            Response::Err { error } => return Err(NatsError::refused(doing(), &error)),
        };
        let time = parse_timestamp(&ts).map_err(|error| NatsError::unanswered(doing(), error))?;
        Ok(Self { time, read: Instant::now() })
    }

    /// What time it is. Never ahead of the server: the answer is counted from when it was here.
    fn now(&self) -> i64 {
        self.time.micros().saturating_add(micros(self.read.elapsed()))
    }

    /// Whether something that was published has no time left.
    pub(super) fn is_past(&self, published_nanos: i128, timeout: Span) -> bool {
        let timeout = i128::from(timeout.micros()) * 1_000;
        i128::from(self.now()) * 1_000 > published_nanos + timeout
    }
}

/// The time of the server that leads a stream, whichever that is. It never goes back: where the
/// next one is behind, it stands still until that has come as far.
#[derive(Debug, Clone)]
pub struct ServerTime(Arc<Followed>);

#[derive(Debug)]
struct Followed {
    began: Instant,
    /// What time it was for the server when this began.
    at_begin: AtomicI64,
    /// The latest time that was told.
    told: AtomicI64,
}

impl ServerTime {
    /// Asks a stream what time it is, and from then on until this is dropped.
    pub async fn follow(nats: &Connection, stream: &'static str) -> Result<Self, NatsError> {
        let clock = ServerClock::read(nats, stream).await?;
        let followed = Arc::new(Followed {
            began: clock.read,
            at_begin: AtomicI64::new(clock.time.micros()),
            told: AtomicI64::new(i64::MIN),
        });
        // Nobody joins it: it ends by itself soon after the last of them is dropped.
        tokio::spawn(ask_again(nats.clone(), stream, Arc::downgrade(&followed)));
        Ok(Self(followed))
    }
}

async fn ask_again(nats: Connection, stream: &'static str, followed: Weak<Followed>) {
    loop {
        sleep(ASK).await;
        if followed.strong_count() == 0 {
            return;
        }
        let asked = Instant::now();
        // One that is away is asked again, and time goes on meanwhile.
        let Ok(read) = ServerClock::read(&nats, stream).await else { continue };
        let Some(followed) = followed.upgrade() else { return };
        if let Some(jump) = followed.correct(&read, asked.elapsed()) {
            let by_ms = jump / 1_000;
            tracing::warn!(stream, by_ms, "another clock leads, and slices follow it");
        }
    }
}

impl Followed {
    fn now(&self) -> i64 {
        self.at_begin.load(Ordering::Relaxed).saturating_add(micros(self.began.elapsed()))
    }

    /// Takes over what a server said, unless it may be the same clock; by how much it jumps.
    fn correct(&self, read: &ServerClock, took: Duration) -> Option<i64> {
        // The server looked at its clock somewhere within the time that the answer took.
        let ahead = read.now().saturating_sub(self.now());
        let (slack, took) = (micros(SLACK), micros(took));
        if (-slack - took..=slack).contains(&ahead) {
            return None;
        }
        self.at_begin.fetch_add(ahead, Ordering::Relaxed);
        Some(ahead)
    }
}

impl Clock for ServerTime {
    fn now(&self) -> Timestamp {
        let now = self.0.now();
        let told = self.0.told.fetch_max(now, Ordering::Relaxed);
        Timestamp::from_micros(now.max(told)).unwrap_or(Timestamp::MAX)
    }

    async fn sleep_until(&self, instant: Timestamp) {
        // By the time that is followed, which does not stand still.
        let left = instant.micros().saturating_sub(self.0.now());
        if let Ok(left) = u64::try_from(left) {
            sleep(Duration::from_micros(left)).await;
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    /// Time that was read a moment ago, and an answer that says it is so many seconds ahead.
    fn answer(time: &ServerTime, ahead: i64) -> ServerClock {
        let now = time.0.now().saturating_add(ahead);
        ServerClock { time: Timestamp::from_micros(now).unwrap(), read: Instant::now() }
    }

    fn time() -> ServerTime {
        let at_begin = AtomicI64::new(1_000 * SECOND);
        ServerTime(Arc::new(Followed {
            began: Instant::now(),
            at_begin,
            told: AtomicI64::new(i64::MIN),
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn time_follows_the_clock_that_leads_and_never_goes_back() {
        let time = time();
        let begin = time.now();
        assert_eq!(time.0.correct(&answer(&time, 3 * SECOND), Duration::ZERO), Some(3 * SECOND));
        assert_eq!(time.now().micros() - begin.micros(), 3 * SECOND);
        assert_eq!(time.0.correct(&answer(&time, -2 * SECOND), Duration::ZERO), Some(-2 * SECOND));
        assert_eq!(time.now().micros() - begin.micros(), 3 * SECOND);
        // What is to be at an instant is there when the clock that leads is.
        let asked = Instant::now();
        time.sleep_until(Timestamp::from_micros(begin.micros() + 4 * SECOND).unwrap()).await;
        assert_eq!(asked.elapsed().as_secs(), 3);
        assert_eq!(time.now().micros() - begin.micros(), 4 * SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_took_long_is_no_other_clock() {
        let time = time();
        let late = answer(&time, -9 * SECOND);
        assert_eq!(time.0.correct(&late, Duration::from_secs(10)), None);
        assert_eq!(time.0.correct(&answer(&time, SECOND / 5), Duration::ZERO), None);
    }
}
