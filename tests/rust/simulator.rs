//! Thousands of runs of the real runtime in which everything goes wrong that can.
//!
//! `LIVE_CREW_SIM_SLICES=10000000 cargo nextest run simulator` simulates that many slices;
//! `LIVE_CREW_SIM_SEED=7` begins with a given seed.

use live_crew::engine::Pace;

use crate::sim::{Scenario, Tally, simulate};

/// Slices simulated unless the environment says otherwise, all tests together.
const SLICES: u64 = 200_000;

/// From this many slices on every sort of fault is seen.
const ENOUGH: u64 = 20_000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("the number of slices, or the seed"))
}

fn random_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap();
    (now.as_secs() << 20) | u64::from(now.subsec_micros())
}

/// Tells how to see a failure again.
struct Repeat<'a> {
    seed: u64,
    scenario: &'a Scenario,
    test: &'static str,
}

impl Drop for Repeat<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!(
                "{}\nto see it again: LIVE_CREW_SIM_SLICES=1 LIVE_CREW_SIM_SEED={} \
                 cargo nextest run {}",
                self.scenario, self.seed, self.test
            ));
        }
    }
}

#[allow(clippy::print_stderr, reason = "whoever runs it wants to see what it did")]
fn say(text: &str) {
    eprintln!("{text}");
}

fn simulate_one(seed: u64, pace: Pace, test: &'static str) -> Tally {
    let scenario = Scenario::random(seed, pace);
    let _repeat = Repeat { seed, scenario: &scenario, test };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(simulate(&scenario))
}

fn simulate_many(pace: Pace, share: u64, test: &'static str) {
    let first = number("LIVE_CREW_SIM_SEED").unwrap_or_else(random_seed);
    let slices = number("LIVE_CREW_SIM_SLICES").unwrap_or(SLICES).div_ceil(share);
    let mut sum = Tally::default();
    let mut seed = first;
    while sum.slices < slices {
        sum.add(&simulate_one(seed, pace, test));
        seed = seed.wrapping_add(1);
    }
    say(&format!("from seed {first}: {sum}"));
    if sum.slices >= ENOUGH {
        let missing = sum.missing();
        assert!(missing.is_empty(), "never happened: {}", missing.join(", "));
    }
}

#[test]
fn virtual_runs_end_the_same_whatever_goes_wrong() {
    simulate_many(Pace::Virtual, 2, "virtual_runs_end_the_same_whatever_goes_wrong");
}

#[test]
fn realtime_runs_lose_nothing_and_fold_again_to_the_same() {
    simulate_many(Pace::Realtime, 2, "realtime_runs_lose_nothing_and_fold_again_to_the_same");
}

#[test]
fn seeds_that_showed_a_fault_once_show_it_no_more() {
    // A drain that was asked for when the source had ended waited for all of its grace.
    let seed = 1_882_523_715_578_947;
    simulate_one(seed, Pace::Realtime, "seeds_that_showed_a_fault_once_show_it_no_more");
}

#[test]
fn a_seed_gives_the_same_run_every_time() {
    for seed in 0..3 {
        let once = simulate_one(seed, Pace::Realtime, "a_seed_gives_the_same_run_every_time");
        let twice = simulate_one(seed, Pace::Realtime, "a_seed_gives_the_same_run_every_time");
        assert_eq!(once, twice);
    }
}
