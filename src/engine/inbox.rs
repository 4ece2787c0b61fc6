//! Events on their way into slices: the epoch, bins of open slices, de-duplication.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{Arrived, Clock, Pace, Slice, Span, StreamSettings, Timestamp};

/// What was taken in and is not yet in a committed slice.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Inbox {
    /// Fixed at the first close (rule T1).
    pub clock: Option<Clock>,
    /// The oldest slice that is not closed.
    pub open: Slice,
    /// Where it begins and when it may close, once the epoch is fixed: spares a division an event.
    opens_at: Timestamp,
    closes_at: Timestamp,
    /// Taken in while the epoch was not fixed.
    early: Vec<Arc<Arrived>>,
    /// Whether one of those woke a crew that does not wait for a close (rule C10).
    pub urgent: bool,
    bins: BTreeMap<Slice, Bin>,
    /// The lowest cursor among the events of the slice in work.
    in_work: Option<u64>,
    /// Events in `early` and `bins`.
    pub held: usize,
    min_ts: Option<Timestamp>,
    max_ts: Option<Timestamp>,
    /// The highest cursor taken in.
    cursor: Option<u64>,
    pub dedupe: Dedupe,
}

/// The events of one slice that is not processed yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Bin {
    events: Vec<Arc<Arrived>>,
    /// The lowest of their cursors.
    first: u64,
}

/// Where an instant falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placement {
    /// Into a slice that can still take it.
    InTime,
    /// Into a slice that is closed, or before slice 0.
    Late(Slice),
}

impl Inbox {
    pub fn new(settings: &StreamSettings) -> Self {
        let mut inbox = Self::default();
        if let super::EpochPolicy::At(epoch0) = settings.epoch {
            inbox.fix_epoch(Clock { epoch0, beat: settings.beat }, settings);
        }
        inbox
    }

    pub fn placement(&self, ts: Timestamp) -> Placement {
        match self.clock {
            Some(clock) if ts < self.opens_at => Placement::Late(clock.slice_of(ts)),
            _ => Placement::InTime,
        }
    }

    /// Takes an event into its slice, or into the open one when it is late.
    pub fn take_in(&mut self, arrived: Arc<Arrived>) {
        self.note(&arrived);
        self.held += 1;
        match self.clock {
            None => self.early.push(arrived),
            Some(clock) => self.bin(clock, arrived),
        }
    }

    fn bin(&mut self, clock: Clock, arrived: Arc<Arrived>) {
        let ts = arrived.event.ts;
        // Most are of the open slice, and to divide takes longer than all the rest of this.
        let is_open = self.opens_at <= ts && ts < clock.end(self.open);
        let slice = if is_open { self.open } else { clock.slice_of(ts).max(self.open) };
        let first = arrived.cursor;
        let bin = self.bins.entry(slice).or_insert_with(|| Bin { events: Vec::new(), first });
        bin.first = bin.first.min(first);
        bin.events.push(arrived);
    }

    /// Remembers that an event was seen, whatever becomes of it.
    pub fn note(&mut self, arrived: &Arrived) {
        let ts = arrived.event.ts;
        self.min_ts = Some(self.min_ts.map_or(ts, |min| min.min(ts)));
        self.max_ts = Some(self.max_ts.map_or(ts, |max| max.max(ts)));
        self.cursor = self.cursor.max(Some(arrived.cursor));
    }

    pub fn note_cursor(&mut self, cursor: u64) {
        self.cursor = self.cursor.max(Some(cursor));
    }

    /// The clock as it would be fixed now.
    pub fn clock_now(&self, settings: &StreamSettings) -> Option<Clock> {
        self.clock.or_else(|| {
            let epoch0 = settings.epoch.epoch0(self.min_ts?, settings.beat);
            Some(Clock { epoch0, beat: settings.beat })
        })
    }

    /// Closes every slice up to this one.
    pub fn close(&mut self, through: Slice, settings: &StreamSettings) {
        self.open = through.next();
        if let Some(clock) = self.clock {
            self.opens_at = clock.start(self.open);
            self.closes_at = clock.end(self.open).plus(settings.lateness);
        }
    }

    /// Gives the events that waited for it, in the order they arrived.
    pub fn fix_epoch(&mut self, clock: Clock, settings: &StreamSettings) -> Vec<Arc<Arrived>> {
        self.clock = Some(clock);
        self.close(self.open.shift(-1), settings);
        let early = std::mem::take(&mut self.early);
        for arrived in &early {
            self.bin(clock, Arc::clone(arrived));
        }
        early
    }

    /// The last slice that may close now (rule T4), if that is a new one.
    pub fn closable(&self, settings: &StreamSettings, now: Timestamp) -> Option<(Clock, Slice)> {
        let seen = match settings.pace {
            Pace::Virtual => self.max_ts?,
            Pace::Realtime => now,
        };
        if self.clock.is_some() && seen < self.closes_at {
            return None;
        }
        let clock = self.clock_now(settings)?;
        // Slice k closes when the watermark reaches its end, that is the start of k + 1.
        let last = clock.slice_of(seen.minus(settings.lateness)).shift(-1);
        (last >= self.open).then_some((clock, last))
    }

    /// The first slice with events in it that is at or after `from`.
    pub fn first_bin(&self, from: Slice) -> Option<Slice> {
        self.bins.range(from..).next().map(|(slice, _)| *slice)
    }

    /// The last slice with events in it.
    pub fn last_bin(&self) -> Option<Slice> {
        self.bins.last_key_value().map(|(slice, _)| *slice)
    }

    pub fn has_early(&self) -> bool {
        !self.early.is_empty()
    }

    /// The events of a closed slice, in O1 order.
    pub fn members(&mut self, slice: Slice) -> Vec<Arc<Arrived>> {
        let Some(Bin { events: mut members, first }) = self.bins.remove(&slice) else {
            return Vec::new();
        };
        self.held -= members.len();
        self.in_work = Some(first);
        // Stable: what is equal in every byte stays in journal order.
        members.sort_by(|a, b| a.event.order(&b.event).then(a.intended.cmp(&b.intended)));
        members
    }

    /// The lowest cursor among the events that are not in a committed slice.
    pub fn first_held(&self) -> Option<u64> {
        let early = self.early.iter().map(|arrived| arrived.cursor);
        let bins = self.bins.values().map(|bin| bin.first);
        bins.chain(early).chain(self.in_work).min()
    }

    /// The slice in work is committed: its events need not come again (rule J2).
    pub fn committed(&mut self) {
        self.in_work = None;
    }

    pub fn cursor(&self) -> Option<u64> {
        self.cursor
    }

    /// Where the window of de-duplication begins once an event of this instant is seen.
    pub fn dedupe_from(&self, ts: Timestamp, window: Span) -> Timestamp {
        self.max_ts.map_or(ts, |newest| newest.max(ts)).minus(window)
    }
}

/// Producer ids seen within a window of event time that ends at the newest event (rule O4).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Dedupe {
    seen: BTreeMap<Arc<str>, Timestamp>,
    by_age: BTreeSet<(Timestamp, Arc<str>)>,
}

impl Dedupe {
    /// Whether an id was seen at or after an instant, whatever is remembered from before it.
    pub fn knows(&self, id: &str, oldest: Timestamp) -> bool {
        self.seen.get(id).is_some_and(|ts| *ts >= oldest)
    }

    /// Remembers an id; forgets those from before `oldest`, and the oldest over the limit.
    pub fn remember(&mut self, id: &Arc<str>, ts: Timestamp, oldest: Timestamp, limit: usize) {
        if let Some(before) = self.seen.insert(Arc::clone(id), ts) {
            self.by_age.remove(&(before, Arc::clone(id)));
        }
        self.by_age.insert((ts, Arc::clone(id)));
        while let Some((ts, _)) = self.by_age.first()
            && (*ts < oldest || self.by_age.len() > limit)
        {
            let (_, id) = self.by_age.pop_first().expect("it has a first");
            self.seen.remove(&id);
        }
    }
}
