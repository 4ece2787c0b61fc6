//! A plan, its input and what goes wrong, all out of one seed.

use std::{fmt, sync::Arc};

use live_crew::{
    engine::{Pace, Plan, Span, StartAt},
    runtime::Options,
    store::Retention,
};

use super::{crews::Temper, feed::Feed, plans::random_plan};
use crate::support::rng::Rng;

#[derive(Debug)]
pub(crate) struct Scenario {
    pub(super) seed: u64,
    pub(super) pace: Pace,
    pub(super) plan: Arc<Plan>,
    pub(super) feed: Arc<Feed>,
    pub(super) tempers: Arc<[Temper]>,
    pub(super) options: Options,
}

impl Scenario {
    pub(crate) fn random(seed: u64, pace: Pace) -> Self {
        let mut rng = Rng::new(seed);
        let plan = random_plan(&mut rng.fork(), pace);
        let feed = Feed::random(&mut rng.fork(), pace);
        let tempers = (0..6).map(|_| Temper::random(&mut rng)).collect();
        let mut options = Options::new(pace);
        options.batch = *rng.pick(&[1, 10, 1_000]);
        options.read_ahead = *rng.pick(&[1, 50, 10_000]);
        options.snapshot_every = *rng.pick(&[1, 5, 50, 1_000]);
        options.grace = Span::from_secs(3_600);
        if pace == Pace::Virtual && rng.chance(20) {
            let max_bytes = Some(20_000);
            options.retention = Retention { max_age: None, max_bytes };
        }
        Self { seed, pace, plan, feed: Arc::new(feed), tempers, options }
    }

    /// Whether some actions are published before their slice is committed.
    pub(super) fn acts_on_arrival(&self) -> bool {
        let crews = &self.plan.crews;
        crews.iter().any(|crew| crew.spec.start == StartAt::Arrival)
    }

    /// Whether the whole journal is there in the end.
    pub(super) fn keeps_all(&self) -> bool {
        self.options.retention == Retention::default()
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (settings, options) = (&self.plan.settings, &self.options);
        writeln!(
            f,
            "{} deliveries, {:?}, snapshot every {}, retention {:?}, beat {} ms, lateness {} ms",
            self.feed.items.len(),
            self.pace,
            options.snapshot_every,
            options.retention.max_bytes,
            settings.beat.ms(),
            settings.lateness.micros() / 1_000,
        )?;
        for (crew, temper) in self.plan.crews.iter().zip(self.tempers.iter()) {
            writeln!(f, "{:?}\n    {temper:?}", crew.spec)?;
        }
        Ok(())
    }
}
