//! What happened in simulated runs.

use std::fmt;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) scenarios: u64,
    pub(crate) slices: u64,
    pub(crate) events: u64,
    pub(crate) late: u64,
    pub(crate) duplicates: u64,
    pub(crate) refused: u64,
    pub(crate) runs: u64,
    pub(crate) actions: u64,
    pub(crate) opened: u64,
    pub(crate) crashes: u64,
    pub(crate) torn_writes: u64,
    pub(crate) lost_answers: u64,
    pub(crate) full_disks: u64,
    pub(crate) slow_appends: u64,
    pub(crate) sink_failures: u64,
    pub(crate) drains: u64,
    pub(crate) aborts: u64,
    pub(crate) failures: u64,
    pub(crate) timeouts: u64,
    pub(crate) stale: u64,
    pub(crate) republished: u64,
}

impl Tally {
    fn counts(&self) -> [(&'static str, u64); 21] {
        [
            ("scenarios", self.scenarios),
            ("slices", self.slices),
            ("events", self.events),
            ("late events", self.late),
            ("duplicates", self.duplicates),
            ("refused", self.refused),
            ("runs", self.runs),
            ("actions", self.actions),
            ("times opened", self.opened),
            ("crashes", self.crashes),
            ("torn writes", self.torn_writes),
            ("crashes between write and answer", self.lost_answers),
            ("full disks", self.full_disks),
            ("slow appends", self.slow_appends),
            ("sink failures", self.sink_failures),
            ("drains", self.drains),
            ("aborts", self.aborts),
            ("failed attempts", self.failures),
            ("timeouts", self.timeouts),
            ("stale answers", self.stale),
            ("published again", self.republished),
        ]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.scenarios += other.scenarios;
        self.slices += other.slices;
        self.events += other.events;
        self.late += other.late;
        self.duplicates += other.duplicates;
        self.refused += other.refused;
        self.runs += other.runs;
        self.actions += other.actions;
        self.opened += other.opened;
        self.crashes += other.crashes;
        self.torn_writes += other.torn_writes;
        self.lost_answers += other.lost_answers;
        self.full_disks += other.full_disks;
        self.slow_appends += other.slow_appends;
        self.sink_failures += other.sink_failures;
        self.drains += other.drains;
        self.aborts += other.aborts;
        self.failures += other.failures;
        self.timeouts += other.timeouts;
        self.stale += other.stale;
        self.republished += other.republished;
    }

    /// What never happened, though a simulation of some size should see it.
    pub(crate) fn missing(&self) -> Vec<&'static str> {
        let never = self.counts().into_iter().filter(|(_, count)| *count == 0);
        never.map(|(name, _)| name).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, count)) in self.counts().into_iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {name}")?;
        }
        Ok(())
    }
}
