//! Random events, and the source that gives them.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use live_crew::{
    engine::{Pace, StreamId, Timestamp},
    transport::{Cursor, DeadLetter, Delivery, Source, TransportError},
};

use super::plans::KINDS;
use crate::support::{
    build::{delivery, event, stream, with_id},
    rng::Rng,
};

/// When simulated time begins, in microseconds since 1970.
pub(super) const START: i64 = 1_700_000_000_000_000;

/// Everything that will ever arrive, in the order in which it does.
#[derive(Debug)]
pub(super) struct Feed {
    pub(super) items: Vec<Item>,
}

#[derive(Debug)]
pub(super) struct Item {
    /// When it arrives, in microseconds since the start; only a live source waits for it.
    at: i64,
    pub(super) delivery: Delivery,
    /// Whether it can be taken in at all.
    pub(super) is_good: bool,
}

impl Item {
    pub(super) fn cursor(&self) -> u64 {
        self.delivery.cursor().0
    }
}

impl Feed {
    pub(super) fn random(rng: &mut Rng, pace: Pace) -> Self {
        let streams: Vec<String> = (0..*rng.pick(&[1, 1, 2, 5])).map(|n| format!("s{n}")).collect();
        let count = *rng.pick(&[20, 100, 300, 800]);
        let mut feed = Self { items: Vec::new() };
        let (mut at, mut cursor) = (0, 0);
        let mood = Mood::random(rng);
        for n in 0..count {
            at += mood.pause(rng, pace);
            cursor += rng.between(1, 4);
            let name = rng.pick(&streams).clone();
            let (delivery, is_good) = mood.delivery(rng, &name, at, n, cursor);
            feed.items.push(Item { at, delivery, is_good });
        }
        feed
    }

    /// Every event that must get in: its stream and cursor.
    pub(super) fn good(&self) -> impl Iterator<Item = (&StreamId, u64)> {
        self.items.iter().filter_map(|item| match &item.delivery {
            Delivery::Event { stream, cursor, .. } if item.is_good => Some((stream, cursor.0)),
            _ => None,
        })
    }
}

/// What the events of one feed are like.
struct Mood {
    /// Mean pause between two events in milliseconds.
    pause: u64,
    /// How far out of order events come, in milliseconds.
    jitter: u64,
    ids: u64,
}

impl Mood {
    fn random(rng: &mut Rng) -> Self {
        Self {
            pause: *rng.pick(&[1, 20, 100, 400]),
            jitter: *rng.pick(&[0, 20, 300, 2_000]),
            ids: *rng.pick(&[0, 50, 100]),
        }
    }

    fn pause(&self, rng: &mut Rng, pace: Pace) -> i64 {
        let ms = match rng.below(100) {
            0 => rng.below(60_000),
            1 if pace == Pace::Virtual => rng.below(100_000_000),
            2..=30 => 0,
            _ => rng.below(self.pause * 2 + 1),
        };
        i64::try_from(ms * 1_000).unwrap()
    }

    fn delivery(
        &self,
        rng: &mut Rng,
        name: &str,
        at: i64,
        n: u64,
        cursor: u64,
    ) -> (Delivery, bool) {
        if rng.chance(1) {
            let letter = DeadLetter::from_event("it is not JSON".into(), b"{", Cursor(cursor));
            return (Delivery::Refused(letter), false);
        }
        if rng.chance(1) {
            return (delivery(name, event(0, "__command", "1"), cursor), false);
        }
        let back = match rng.below(100) {
            0 => 20_000,
            _ => rng.below(self.jitter + 1),
        };
        let ahead = if rng.chance(1) { 300 } else { 0 };
        let ms = (START + at) / 1_000 - i64::try_from(back).unwrap() + ahead;
        let mut event = event(ms, rng.pick::<&str>(&KINDS), format!("{{\"n\":{n}}}"));
        if rng.chance(self.ids) {
            // Few enough that some come twice.
            let id = rng.below(10) * 5 + n / 10 * 100;
            event = with_id(event, &format!("id{id}"));
        }
        (delivery(name, event, cursor), true)
    }
}

/// How much of a feed was acknowledged: outlives every source.
pub(super) type Acked = Arc<Mutex<Option<u64>>>;

/// Gives a feed from where it is told to.
#[derive(Debug)]
pub(super) struct SimSource {
    feed: Arc<Feed>,
    pace: Pace,
    acked: Acked,
    position: usize,
    resumed: bool,
    since: tokio::time::Instant,
    rng: Rng,
}

impl SimSource {
    pub(super) fn new(
        feed: Arc<Feed>,
        pace: Pace,
        acked: Acked,
        since: tokio::time::Instant,
        rng: Rng,
    ) -> Self {
        Self { feed, pace, acked, position: 0, resumed: false, since, rng }
    }

    /// Rule J3: what was acknowledged is not asked for again, because it is in the journal.
    fn check_nothing_lost(&self) {
        let acked = self.acked.lock().unwrap().unwrap_or(0);
        let left = &self.feed.items[self.position..];
        let lost = left.iter().find(|item| item.is_good && item.cursor() <= acked);
        assert!(
            lost.is_none(),
            "everything up to {acked} was acknowledged, but is wanted again from {lost:?} on"
        );
    }
}

impl Source for SimSource {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        if !std::mem::replace(&mut self.resumed, true) {
            self.check_nothing_lost();
        }
        if self.rng.chance(10) {
            tokio::task::yield_now().await;
        }
        let left = &self.feed.items[self.position..];
        let wanted = usize::try_from(self.rng.between(1, 40)).unwrap().min(max);
        let here = match (self.pace, left.first()) {
            (_, None) => 0,
            (Pace::Virtual, _) => left.len(),
            (Pace::Realtime, Some(first)) => {
                let due = Duration::from_micros(u64::try_from(first.at).unwrap());
                tokio::time::sleep_until(self.since + due).await;
                let now = self.since.elapsed().as_micros();
                let now = i64::try_from(now).unwrap();
                left.iter().take_while(|item| item.at <= now).count()
            }
        };
        let given = &left[..here.min(wanted)];
        self.position += given.len();
        Ok(given.iter().map(|item| item.delivery.clone()).collect())
    }

    async fn resume_after(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        self.resumed = true;
        self.position = self.feed.items.partition_point(|item| item.cursor() <= cursor.0);
        self.check_nothing_lost();
        Ok(())
    }

    async fn ack(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        if self.rng.chance(5) {
            tokio::task::yield_now().await;
        }
        let mut acked = self.acked.lock().unwrap();
        *acked = (*acked).max(Some(cursor.0));
        Ok(())
    }
}

/// When simulated time begins.
pub(super) fn start() -> Timestamp {
    Timestamp::from_micros(START).unwrap()
}

/// The name of a stream that a feed may hold.
pub(super) fn first_stream() -> StreamId {
    stream("s0")
}
