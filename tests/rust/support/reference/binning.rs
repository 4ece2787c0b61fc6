//! Which event is in which slice: rules T1 to T5, O1 and O4.

use std::collections::BTreeMap;

use live_crew::engine::{EpochPolicy, Event, LatePolicy};

use super::BEAT;
use crate::support::cases::Case;

/// An event in its slice, with the one it was meant for if it came late.
pub(crate) type Member = (Event, Option<i64>);

/// Rules T1 to T5, O1, O4: which event is in which slice.
pub(crate) fn bin(case: &Case) -> (BTreeMap<i64, Vec<Member>>, i64) {
    let settings = &case.settings;
    let lateness = settings.lateness.micros();
    let mut taken: Vec<(Event, i64)> = Vec::new();
    let (mut slices, mut open) = (BTreeMap::<i64, Vec<Member>>::new(), 0);
    let mut epoch0 = match settings.epoch {
        EpochPolicy::At(instant) => Some(instant.micros()),
        EpochPolicy::FirstEvent | EpochPolicy::Aligned => None,
    };
    let mut seen: Vec<Event> = Vec::new();
    for event in &case.events {
        let ts = event.ts.micros();
        let newest = seen.iter().map(|seen| seen.ts.micros()).chain([ts]).max().unwrap();
        let known = |old: &Event| {
            event.id().is_some()
                && event.id() == old.id()
                && old.ts.micros() >= newest - settings.dedupe_window.micros()
        };
        if seen.iter().any(known) {
            continue;
        }
        seen.push(event.clone());
        match epoch0.map(|epoch0| (ts - epoch0).div_euclid(BEAT)) {
            Some(slice) if slice < open => {
                match settings.late_by_kind.get(&event.kind).unwrap_or(&settings.late) {
                    LatePolicy::Next => {
                        slices.entry(open).or_default().push((event.clone(), Some(slice)));
                    }
                    LatePolicy::Drop | LatePolicy::DeadLetter => {}
                    LatePolicy::Fail => break,
                }
            }
            _ => taken.push((event.clone(), ts)),
        }
        let first = taken.iter().map(|(_, ts)| *ts).min().unwrap_or(ts);
        let epoch = epoch0.unwrap_or_else(|| chosen(settings.epoch, first));
        let watermark = newest - lateness;
        let closed = (watermark - epoch).div_euclid(BEAT);
        if closed > open {
            (epoch0, open) = (Some(epoch), closed);
        }
    }
    let first = taken.iter().map(|(_, ts)| *ts).min().unwrap_or(0);
    let epoch0 = epoch0.unwrap_or_else(|| chosen(settings.epoch, first));
    for (event, ts) in taken {
        slices.entry((ts - epoch0).div_euclid(BEAT)).or_default().push((event, None));
    }
    for members in slices.values_mut() {
        members.sort_by(|a, b| a.0.order(&b.0).then(a.1.cmp(&b.1)));
    }
    (slices, epoch0)
}

/// Rule T1, with the first instant there is.
fn chosen(policy: EpochPolicy, first: i64) -> i64 {
    match policy {
        EpochPolicy::FirstEvent => first,
        EpochPolicy::Aligned => first - first.rem_euclid(BEAT),
        EpochPolicy::At(instant) => instant.micros(),
    }
}
