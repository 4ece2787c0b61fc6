//! What may come in: the last look at an event before it reaches an engine.

use crate::{
    engine::{Event, Kind, Limits, Span, Timestamp},
    wire::write_timestamp,
};

/// The window of event times a live stream accepts, around now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acceptance {
    /// How far back; `None` is for ever.
    pub past: Option<Span>,
    /// How far ahead; `None` is for ever.
    pub future: Option<Span>,
}

impl Acceptance {
    /// No window at all: files, tests, replays.
    pub fn anything() -> Self {
        Self { past: None, future: None }
    }
}

impl Default for Acceptance {
    fn default() -> Self {
        const DAY: u32 = 24 * 60 * 60;
        Self { past: Some(Span::from_secs(30 * DAY)), future: Some(Span::from_secs(60)) }
    }
}

/// Why an event was not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("kind `{0}` is reserved: kinds that start with `__` belong to live-crew")]
    Reserved(Kind),
    #[error("payload has {got} bytes, the limit is {limit} (`Limits::payload_bytes`)")]
    TooLarge { got: usize, limit: usize },
    #[error(
        "`ts` {ts} is further back than {days} days; send it sooner, or widen the acceptance window"
    )]
    TooOld { ts: String, days: i64 },
    #[error(
        "`ts` {ts} is more than {seconds} s ahead of the clock here; check the clock of the producer"
    )]
    TooNew { ts: String, seconds: i64 },
}

pub(super) fn check(
    event: &Event,
    limits: &Limits,
    acceptance: &Acceptance,
    now: Timestamp,
) -> Result<(), Refusal> {
    if event.kind.is_reserved() {
        return Err(Refusal::Reserved(event.kind.clone()));
    }
    let got = event.payload.as_bytes().len();
    if got > limits.payload_bytes {
        return Err(Refusal::TooLarge { got, limit: limits.payload_bytes });
    }
    if let Some(past) = acceptance.past
        && event.ts < now.minus(past)
    {
        let days = past.micros() / (24 * 60 * 60 * 1_000_000);
        return Err(Refusal::TooOld { ts: shown(event.ts), days });
    }
    if let Some(future) = acceptance.future
        && event.ts > now.plus(future)
    {
        let seconds = future.micros() / 1_000_000;
        return Err(Refusal::TooNew { ts: shown(event.ts), seconds });
    }
    Ok(())
}

fn shown(ts: Timestamp) -> String {
    let mut out = Vec::new();
    write_timestamp(ts, &mut out);
    String::from_utf8(out).expect("an RFC 3339 instant is ASCII")
}
