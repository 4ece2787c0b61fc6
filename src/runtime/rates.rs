//! How much may come in: token buckets, for each stream and for the source as a whole.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::{StreamId, Timestamp};

/// Millionths: what a rate of one in a second gives in a microsecond.
const WHOLE: i64 = 1_000_000;

/// What one stream, or all of them together, may send. Nothing set is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// Events in a second, on average.
    pub events_per_s: Option<u32>,
    /// Events that may come at once; as many as in a second if it is not set.
    pub burst: Option<u32>,
    /// Bytes of payloads in a second, on average. As many may come at once, and one payload that
    /// is larger still: what follows it waits for longer.
    pub bytes_per_s: Option<u32>,
}

/// What live input may be at most. Not asked of files, tests and replays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// For each stream.
    pub stream: Rate,
    /// For the source, all streams together.
    pub source: Rate,
}

/// What is over which limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{who} sent more than {per_s} {what} a second{at_once} (`{limit}`); send slower, or raise the limit"
)]
pub(super) struct TooFast {
    who: String,
    per_s: u32,
    what: &'static str,
    at_once: String,
    limit: &'static str,
}

/// What is left of a rate. Made when the first event comes, full.
#[derive(Debug, Clone, Default)]
pub(super) struct Allowance {
    events: Option<Bucket>,
    bytes: Option<Bucket>,
}

/// What is left of the rate of a source, for all runtimes that read parts of it.
#[derive(Debug, Clone, Default)]
pub struct SourceAllowance(Arc<Mutex<Allowance>>);

impl SourceAllowance {
    fn lock(&self) -> MutexGuard<'_, Allowance> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// Millionths of an event or a byte; below zero after one that was larger than the bucket.
    level: i64,
    at: Timestamp,
}

/// Lets in what is within the limits.
#[derive(Debug)]
pub(super) struct Gate {
    rates: Rates,
    source: SourceAllowance,
    /// How many events were over a limit.
    pub refused: u64,
}

impl Gate {
    pub fn new(rates: Rates, source: SourceAllowance) -> Self {
        Self { rates, source, refused: 0 }
    }

    /// Whether an event may come in. One that its stream is refused costs the source nothing, so
    /// a stream that floods takes nothing from those beside it.
    pub fn admit(
        &mut self,
        stream: &StreamId,
        own: &mut Allowance,
        bytes: usize,
        now: Timestamp,
    ) -> Result<(), TooFast> {
        let Rates { stream: by_stream, source } = self.rates;
        if (by_stream, source) == (Rate::default(), Rate::default()) {
            return Ok(());
        }
        let mut all = self.source.lock();
        let checked = own
            .check(by_stream, bytes, now)
            .map_err(|over| over.by(format!("stream `{stream}`"), by_stream, STREAM))
            .and_then(|()| {
                let checked = all.check(source, bytes, now);
                checked.map_err(|over| over.by("the source".to_owned(), source, SOURCE))
            });
        match checked {
            Ok(()) => {
                own.take(bytes);
                all.take(bytes);
            }
            Err(_) => self.refused += 1,
        }
        checked
    }
}

/// The names of the limits, for messages: of events and of bytes.
type Names = [&'static str; 2];
const STREAM: Names = ["ingress.events_per_s", "ingress.bytes_per_s"];
const SOURCE: Names = ["ingress.source.events_per_s", "ingress.source.bytes_per_s"];

#[derive(Debug, Clone, Copy)]
enum Over {
    Events,
    Bytes,
}

impl Over {
    fn by(self, who: String, rate: Rate, [events, bytes]: Names) -> TooFast {
        let burst = rate.burst.map(|burst| format!(", or {burst} at once"));
        match self {
            Self::Events => TooFast {
                who,
                per_s: rate.events_per_s.unwrap_or_default(),
                what: "events",
                at_once: burst.unwrap_or_default(),
                limit: events,
            },
            Self::Bytes => TooFast {
                who,
                per_s: rate.bytes_per_s.unwrap_or_default(),
                what: "bytes",
                at_once: String::new(),
                limit: bytes,
            },
        }
    }
}

impl Allowance {
    /// Fills what has flowed in since, and looks whether there is enough.
    fn check(&mut self, rate: Rate, bytes: usize, now: Timestamp) -> Result<(), Over> {
        if let Some(per_s) = rate.events_per_s {
            let most = rate.burst.unwrap_or(per_s).max(1);
            if Bucket::fill(&mut self.events, per_s, most, now) < WHOLE {
                return Err(Over::Events);
            }
        }
        if let Some(per_s) = rate.bytes_per_s {
            let most = i64::from(per_s) * WHOLE;
            // One that is larger than the bucket takes all of it, and more.
            if Bucket::fill(&mut self.bytes, per_s, per_s, now) < cost(bytes).min(most) {
                return Err(Over::Bytes);
            }
        }
        Ok(())
    }

    fn take(&mut self, bytes: usize) {
        if let Some(events) = &mut self.events {
            events.level -= WHOLE;
        }
        if let Some(held) = &mut self.bytes {
            held.level = held.level.saturating_sub(cost(bytes));
        }
    }
}

fn cost(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX).saturating_mul(WHOLE)
}

impl Bucket {
    fn fill(bucket: &mut Option<Self>, per_s: u32, most: u32, now: Timestamp) -> i64 {
        let most = i64::from(most) * WHOLE;
        let bucket = bucket.get_or_insert(Self { level: most, at: now });
        let passed = now.micros().saturating_sub(bucket.at.micros()).max(0);
        let flowed = passed.saturating_mul(i64::from(per_s));
        bucket.level = bucket.level.saturating_add(flowed).min(most);
        bucket.at = now;
        bucket.level
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(
        rates: Rates,
        events: impl IntoIterator<Item = (&'static str, i64, usize)>,
    ) -> Vec<bool> {
        let mut gate = Gate::new(rates, SourceAllowance::default());
        let mut streams = std::collections::BTreeMap::<StreamId, Allowance>::new();
        let mut admit = |(stream, ms, bytes): (&str, i64, usize)| {
            let stream = StreamId::new(stream).unwrap();
            let now = Timestamp::from_micros(ms * 1_000).unwrap();
            gate.admit(&stream, streams.entry(stream.clone()).or_default(), bytes, now).is_ok()
        };
        events.into_iter().map(&mut admit).collect()
    }

    fn events(per_s: u32, burst: Option<u32>) -> Rate {
        Rate { events_per_s: Some(per_s), burst, ..Rate::default() }
    }

    #[test]
    fn a_burst_is_let_in_and_then_what_the_rate_gives() {
        let rates = Rates { stream: events(10, Some(3)), ..Rates::default() };
        let at = [0, 0, 0, 0, 99, 100, 101, 199, 200, 10_000, 10_000, 10_000, 10_000];
        let admitted = admitted(rates, at.map(|ms| ("a", ms, 1)));
        let expected = [1, 1, 1, 0, 0, 1, 0, 0, 1, 1, 1, 1, 0];
        assert_eq!(admitted, expected.map(|one| one == 1));
    }

    #[test]
    fn without_a_burst_a_second_may_come_at_once() {
        let rates = Rates { stream: events(5, None), ..Rates::default() };
        let admitted = admitted(rates, (0..9).map(|_| ("a", 0, 1)));
        assert_eq!(admitted.iter().filter(|one| **one).count(), 5);
    }

    #[test]
    fn a_payload_larger_than_the_bucket_passes_once_and_is_paid_for() {
        let rate = Rate { bytes_per_s: Some(100), ..Rate::default() };
        let rates = Rates { stream: rate, ..Rates::default() };
        let sent =
            [("a", 0, 300), ("a", 1_000, 1), ("a", 2_000, 1), ("a", 2_010, 1), ("a", 2_020, 99)];
        assert_eq!(admitted(rates, sent), [true, false, false, true, false]);
    }

    #[test]
    fn what_a_stream_is_refused_costs_the_source_nothing() {
        let rates = Rates { stream: events(2, None), source: events(4, None) };
        let flood = (0..100).map(|_| ("flood", 0, 1));
        let admitted =
            admitted(rates, flood.chain([("good", 0, 1), ("good", 0, 1), ("more", 0, 1)]));
        assert_eq!(admitted.iter().filter(|one| **one).count(), 4);
        assert_eq!(admitted[100..], [true, true, false]);
    }

    #[test]
    fn the_parts_of_a_source_share_what_it_may_send() {
        let rates = Rates { source: events(3, None), ..Rates::default() };
        let source = SourceAllowance::default();
        let parts = [(); 4].map(|()| Gate::new(rates, source.clone()));
        let stream = StreamId::new("a").unwrap();
        let admitted = parts.into_iter().filter_map(|mut part| {
            part.admit(&stream, &mut Allowance::default(), 1, Timestamp::MIN).ok()
        });
        assert_eq!(admitted.count(), 3);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing_and_breaks_nothing() {
        let rates = Rates { stream: events(1, None), ..Rates::default() };
        let sent = [("a", 5_000, 1), ("a", 0, 1), ("a", 500, 1), ("a", 1_000, 1)];
        assert_eq!(admitted(rates, sent), [true, false, false, true]);
    }

    #[test]
    fn a_refusal_names_who_what_and_the_limit() {
        let rates = Rates { stream: events(2, Some(1)), ..Rates::default() };
        let mut gate = Gate::new(rates, SourceAllowance::default());
        let (stream, mut own) = (StreamId::new("a").unwrap(), Allowance::default());
        let mut admit = || gate.admit(&stream, &mut own, 1, Timestamp::MIN);
        admit().unwrap();
        assert_eq!(
            admit().unwrap_err().to_string(),
            "stream `a` sent more than 2 events a second, or 1 at once (`ingress.events_per_s`); send slower, or raise the limit"
        );
        assert_eq!(gate.refused, 1);
    }
}
