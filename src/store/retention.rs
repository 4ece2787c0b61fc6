//! How much of a stream is kept, and where a prune cuts (rule J5).

use crate::engine::{Span, Timestamp};

/// What to keep of a stream. Without a bound everything is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// Frames older than this may go.
    pub max_age: Option<Span>,
    /// Beyond this many bytes the oldest may go.
    pub max_bytes: Option<u64>,
}

/// What a prune removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Frames removed.
    pub frames: u64,
    /// Snapshots removed.
    pub snapshots: u64,
    /// Bytes of both.
    pub bytes: u64,
}

/// A snapshot at which a stream could be cut: the frames up to it and the snapshots before it go.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    /// The last frame to go.
    pub(crate) after: u64,
    /// When that frame was written.
    pub(crate) at: Timestamp,
    /// What the cut sets free.
    pub(crate) freed: Pruned,
}

impl Retention {
    /// The cut to make out of the possible ones, oldest first, of a stream of `bytes`.
    pub(crate) fn choose(self, cuts: &[Cut], bytes: u64, now: Timestamp) -> Option<Cut> {
        let too_old = self.max_age.and_then(|max_age| {
            let oldest = now.minus(max_age);
            cuts.iter().rposition(|cut| cut.at < oldest)
        });
        let too_big = self.max_bytes.filter(|max_bytes| bytes > *max_bytes).and_then(|max_bytes| {
            let fits = |cut: &Cut| bytes.saturating_sub(cut.freed.bytes) <= max_bytes;
            cuts.iter().position(fits).or_else(|| cuts.len().checked_sub(1))
        });
        cuts.get(too_old.max(too_big)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(after: u64, at: i64, bytes: u64) -> Cut {
        let at = Timestamp::from_micros(at * 1_000_000).unwrap();
        Cut { after, at, freed: Pruned { bytes, ..Pruned::default() } }
    }

    fn chosen(max_age: Option<u32>, max_bytes: Option<u64>) -> Option<u64> {
        let cuts = [cut(10, 10, 100), cut(20, 20, 200), cut(30, 30, 300)];
        let keep = Retention { max_age: max_age.map(Span::from_secs), max_bytes };
        let now = Timestamp::from_micros(40_000_000).unwrap();
        keep.choose(&cuts, 400, now).map(|cut| cut.after)
    }

    #[test]
    fn the_newest_snapshot_older_than_the_age_is_the_cut() {
        assert_eq!(chosen(Some(30), None), None, "exactly as old is not older");
        assert_eq!(chosen(Some(29), None), Some(10));
        assert_eq!(chosen(Some(0), None), Some(30));
    }

    #[test]
    fn the_oldest_snapshot_that_makes_it_fit_is_the_cut() {
        assert_eq!(chosen(None, Some(400)), None, "it fits");
        assert_eq!(chosen(None, Some(399)), Some(10));
        assert_eq!(chosen(None, Some(200)), Some(20));
        assert_eq!(chosen(None, Some(1)), Some(30), "as much as recovery can spare");
    }

    #[test]
    fn both_bounds_hold_and_no_bound_keeps_everything() {
        assert_eq!(chosen(Some(15), Some(399)), Some(20));
        assert_eq!(chosen(Some(29), Some(200)), Some(20));
        assert_eq!(chosen(None, None), None);
    }
}
