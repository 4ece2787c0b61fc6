//! One stream: its engine, and what it said that is not durable yet.

use std::{collections::VecDeque, sync::Arc};

use super::rates::Allowance;
use crate::{
    engine::{Command, Digest, Emission, Engine, Job, Parcel, RunId, Slice, Timestamp},
    wire::Header,
};

#[derive(Debug)]
pub(super) struct Stream {
    pub engine: Engine,
    pub header: Arc<Header>,
    /// Done once the records before it are durable.
    pub after: VecDeque<After>,
    /// When the clock matters to it next.
    pub wake: Option<Timestamp>,
    /// The lowest cursor it has not committed, as the driver knows it.
    pub held: Option<u64>,
    /// Commits since the last snapshot.
    pub unsnapshot: u64,
    /// Bytes of journal since then.
    pub unsnapshot_bytes: u64,
    /// Bytes of the last snapshot this process took.
    pub snapshot_bytes: u64,
    pub last_slice: Option<Slice>,
    /// The slice whose context the sink was told last.
    pub told_slice: Option<Slice>,
    /// The last frame written.
    pub last_frame: u64,
    /// Whether the header is to be written with the next frame.
    pub header_due: bool,
    pub touched: bool,
    /// The driver has not looked at its times since it was touched.
    pub is_unseen: bool,
    /// What it holds, as the driver knows it, and how much of that waits for runs.
    pub holds: Holds,
    pub busy: Holds,
    pub failed: Option<String>,
    /// What it may still send.
    pub allowance: Allowance,
}

/// Events that are held, and about how many bytes of payload they have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Holds {
    pub events: usize,
    pub bytes: u64,
}

impl Holds {
    pub fn add(&mut self, bytes: usize) {
        self.events += 1;
        self.bytes += bytes as u64;
    }

    /// So many are left: of those that were held, one is taken to be as large as another.
    pub fn keep(&mut self, left: usize) {
        if left < self.events {
            let (left, before) = (left as u128, self.events as u128);
            self.bytes = u64::try_from(u128::from(self.bytes) * left / before).unwrap_or(u64::MAX);
        }
        self.events = left;
    }
}

/// What a stream wants done once its records are durable.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "most are jobs: a box for each would cost more")]
pub(super) enum After {
    Start(Job),
    Cancel(RunId, u32),
    Publish(Arc<Parcel>),
    Tell(Emission),
}

impl Stream {
    pub fn new(engine: Engine, header: Arc<Header>) -> Self {
        Self {
            engine,
            header,
            after: VecDeque::new(),
            wake: None,
            held: None,
            unsnapshot: 0,
            unsnapshot_bytes: 0,
            snapshot_bytes: 0,
            last_slice: None,
            told_slice: None,
            last_frame: 0,
            header_due: false,
            touched: false,
            is_unseen: false,
            holds: Holds::default(),
            busy: Holds::default(),
            failed: None,
            allowance: Allowance::default(),
        }
    }

    /// Takes every command of the engine; jobs that may run at once are given back one by one.
    pub fn next_immediate(&mut self, is_immediate: impl Fn(&Job) -> bool) -> Option<Job> {
        while let Some(command) = self.engine.poll_command() {
            match command {
                Command::Start(job) if is_immediate(&job) => return Some(job),
                Command::Start(job) => self.after.push_back(After::Start(job)),
                Command::Cancel { run, attempt } => {
                    self.after.push_back(After::Cancel(run, attempt));
                }
                Command::Publish(parcel) => self.after.push_back(After::Publish(parcel)),
                Command::Committed { slice, .. } => {
                    self.unsnapshot += 1;
                    self.last_slice = Some(slice);
                }
                Command::Fail(why) => {
                    tracing::error!(stream = %self.engine.stream(), %why, "stream failed");
                    self.failed = Some(why);
                }
                Command::Finished => {}
            }
        }
        None
    }

    pub fn digest(&self) -> Option<Digest> {
        self.engine.digest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_in_one_turn_does_not_add_up() {
        let mut holds = Holds::default();
        for _ in 0..1_000 {
            (0..100).for_each(|_| holds.add(1_000));
            holds.keep(50);
        }
        assert_eq!(holds, Holds { events: 50, bytes: 50_000 });
        holds.keep(0);
        assert_eq!(holds, Holds::default());
    }
}
