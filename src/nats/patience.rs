//! Trying again while a server is away.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use tokio::time::sleep;

/// The longest wait before another try.
const LONGEST_WAIT_MS: u64 = 4_000;

/// Does something until it goes well, or fails in a way after which one should not go on.
pub async fn patiently<T, E, W: Future<Output = Result<T, E>>>(
    mut work: impl FnMut() -> W,
    goes_on: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let random = RandomState::new();
    for tries in 1.. {
        match work().await {
            Err(error) if goes_on(&error) => {}
            done => return done,
        }
        sleep(wait(tries, random.hash_one(tries))).await;
    }
    unreachable!("it counts for ever")
}

/// How long to wait before a try: twice as long each time, and never in step with others who lost
/// the same server.
pub(super) fn wait(attempt: usize, random: u64) -> Duration {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(12);
    if doublings == 0 {
        return Duration::ZERO;
    }
    let longest = (1_u64 << doublings).min(LONGEST_WAIT_MS);
    Duration::from_millis(longest / 2 + random % (longest / 2 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_four_seconds_and_are_never_in_step() {
        assert_eq!(wait(1, 7), Duration::ZERO);
        for random in [0, 1, u64::MAX] {
            assert!(wait(2, random) <= Duration::from_millis(2));
            let long = wait(1_000, random);
            assert!((2_000..=4_000).contains(&long.as_millis()), "{long:?}");
        }
        assert_ne!(wait(20, 1), wait(20, 2));
    }
}
