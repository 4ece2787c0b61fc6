//! Logical time: microseconds since 1970, the beat, slices. Integers only (rule T2).

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

const MICROS_PER_MS: i64 = 1_000;

/// Microseconds since 1970 UTC, within the years 1 to 9999.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_135_596_800_000_000);
    /// 9999-12-31T23:59:59.999999Z.
    pub const MAX: Self = Self(253_402_300_799_999_999);

    /// From microseconds since 1970; `None` outside the years 1 to 9999.
    pub fn from_micros(micros: i64) -> Option<Self> {
        (Self::MIN.0..=Self::MAX.0).contains(&micros).then_some(Self(micros))
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// This instant moved by `span`, held within the years 1 to 9999.
    #[must_use]
    pub fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0).clamp(Self::MIN.0, Self::MAX.0))
    }

    /// This instant moved back by `span`, held within the years 1 to 9999.
    #[must_use]
    pub fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0).clamp(Self::MIN.0, Self::MAX.0))
    }
}

/// A length of time in microseconds, never negative.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From milliseconds.
    pub const fn from_ms(ms: u32) -> Self {
        Self(ms as i64 * MICROS_PER_MS)
    }

    /// From seconds.
    pub const fn from_secs(secs: u32) -> Self {
        Self(secs as i64 * 1_000 * MICROS_PER_MS)
    }

    /// Microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This long, `n` times over.
    #[must_use]
    pub fn times(self, n: u32) -> Self {
        Self(self.0.saturating_mul(i64::from(n)))
    }
}

/// The length of a slice, 1 to 10 000 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Beat(NonZeroU32);

impl Beat {
    /// `None` outside 1 to 10 000 ms.
    pub fn from_ms(ms: u32) -> Option<Self> {
        NonZeroU32::new(ms).filter(|ms| ms.get() <= 10_000).map(Self)
    }

    /// Milliseconds.
    pub fn ms(self) -> u32 {
        self.0.get()
    }

    fn micros(self) -> i64 {
        i64::from(self.0.get()) * MICROS_PER_MS
    }

    /// How many slices pass until `span` has passed, rounded up.
    pub fn slices_in(self, span: Span) -> i64 {
        span.0.div_euclid(self.micros()) + i64::from(span.0.rem_euclid(self.micros()) != 0)
    }
}

/// The n-th beat of a stream; before the epoch it is negative.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Slice(pub i64);

impl Slice {
    /// The slice `offset` beats later (earlier, when negative).
    #[must_use]
    pub fn shift(self, offset: i64) -> Self {
        Self(self.0.saturating_add(offset))
    }

    /// The next slice.
    #[must_use]
    pub fn next(self) -> Self {
        self.shift(1)
    }
}

/// The zero instant of a stream and its beat: what turns instants into slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// Start of slice 0.
    pub epoch0: Timestamp,
    /// Length of every slice.
    pub beat: Beat,
}

impl Clock {
    /// The slice an instant falls into: half-open, Euclidean floor (rules T2, T3).
    pub fn slice_of(self, ts: Timestamp) -> Slice {
        Slice((ts.0 - self.epoch0.0).div_euclid(self.beat.micros()))
    }

    /// First instant of a slice.
    pub fn start(self, slice: Slice) -> Timestamp {
        let micros = slice.0.saturating_mul(self.beat.micros()).saturating_add(self.epoch0.0);
        Timestamp(micros.clamp(Timestamp::MIN.0, Timestamp::MAX.0))
    }

    /// First instant after a slice.
    pub fn end(self, slice: Slice) -> Timestamp {
        self.start(slice.next())
    }
}

/// How `epoch0` is chosen (rule T1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EpochPolicy {
    /// The smallest `ts` accepted before the first slice closes.
    #[default]
    FirstEvent,
    /// That instant, floored to a multiple of the beat since 1970.
    Aligned,
    /// A configured instant.
    At(Timestamp),
}

impl EpochPolicy {
    /// The epoch if `first` is the smallest instant seen.
    pub fn epoch0(self, first: Timestamp, beat: Beat) -> Timestamp {
        match self {
            Self::FirstEvent => first,
            Self::Aligned => {
                let floored = first.0 - first.0.rem_euclid(beat.micros());
                Timestamp(floored.max(Timestamp::MIN.0))
            }
            Self::At(instant) => instant,
        }
    }
}

/// What moves logical time (rule T7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Time moves when every run due has landed: files, tests, replay.
    Virtual,
    /// Slices follow the clock: live streams.
    Realtime,
}
