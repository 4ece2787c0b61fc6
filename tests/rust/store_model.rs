//! Any order of operations answers as a list of frames would, in every store.

use bytes::Bytes;
use live_crew::{
    engine::{Slice, Span},
    store::{
        Frame, Mark, Pick, Pruned, Retention, Snapshot, Store, StoreError, StoredFrame,
        StreamSummary,
    },
};
use proptest::{collection::vec, option, prelude::*};

use crate::store_fixture::{InMemory, Journal, OnDisk, at_once, id, mark, second, try_read};

const STREAMS: [&str; 3] = ["a", "b", "c"];
const OVERHEAD: u64 = 64;

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Frame>),
    Snapshot(usize, Snapshot),
    Prune(usize, Retention, i64),
    Reopen { closed: bool },
}

/// A stream as a plain list: `pruned` of its frames are gone.
#[derive(Default, Clone)]
struct Model {
    frames: Vec<Frame>,
    pruned: usize,
    snapshots: Vec<Snapshot>,
}

impl Model {
    fn read(&self) -> Vec<StoredFrame> {
        let stored = |(n, frame): (usize, &Frame)| {
            let Frame { at, records, body, .. } = frame.clone();
            StoredFrame { seq: n as u64 + 1, at, records, body }
        };
        self.frames.iter().enumerate().skip(self.pruned).map(stored).collect()
    }

    fn marks(&self) -> Vec<Option<(u64, Mark)>> {
        let of_frame = |(n, frame): (usize, &Frame)| {
            let found = |mark: &Mark| (n >= self.pruned).then_some((n as u64 + 1, *mark));
            frame.marks.iter().map(found).collect::<Vec<_>>()
        };
        self.frames.iter().enumerate().flat_map(of_frame).collect()
    }

    fn bytes(&self) -> u64 {
        let kept = self.frames[self.pruned..].iter().map(frame_bytes).sum::<u64>();
        kept + self.snapshots.iter().map(snapshot_bytes).sum::<u64>()
    }

    fn snapshot(&mut self, snapshot: Snapshot) -> bool {
        let fits = (self.pruned.max(1)..=self.frames.len()).contains(&at(snapshot.after));
        if fits {
            self.snapshots.retain(|other| other.after != snapshot.after);
            self.snapshots.push(snapshot);
            self.snapshots.sort_by_key(|snapshot| snapshot.after);
        }
        fits
    }

    fn latest(&self, slice: Option<Slice>) -> Option<Snapshot> {
        let fits = |snapshot: &&Snapshot| slice.is_none_or(|slice| snapshot.slice <= slice);
        self.snapshots.iter().rfind(fits).cloned()
    }

    /// Tries every snapshot, oldest first, until nothing too old and nothing too much is left.
    fn prune(&mut self, keep: Retention, now: i64) -> Pruned {
        let before = self.clone();
        for cut in before.snapshots.iter().filter(|cut| at(cut.after) > before.pruned) {
            let oldest = keep.max_age.map(|age| second(now).minus(age));
            let too_old = |snapshot: &Snapshot| {
                oldest.is_some_and(|oldest| self.frames[at(snapshot.after) - 1].at < oldest)
            };
            let later_too_old = before.snapshots.iter().any(|s| s.after >= cut.after && too_old(s));
            let too_much = keep.max_bytes.is_some_and(|max| self.bytes() > max);
            if later_too_old || too_much {
                self.pruned = at(cut.after);
                self.snapshots.retain(|snapshot| snapshot.after >= cut.after);
            }
        }
        Pruned {
            frames: (self.pruned - before.pruned) as u64,
            snapshots: (before.snapshots.len() - self.snapshots.len()) as u64,
            bytes: before.bytes() - self.bytes(),
        }
    }

    fn summary(&self, stream: &str) -> StreamSummary {
        let marks = self.marks();
        let first_commit: usize =
            self.frames[..self.pruned].iter().map(|frame| frame.marks.len()).sum();
        StreamSummary {
            stream: id(stream),
            frames: (self.frames.len() - self.pruned) as u64,
            first_seq: self.pruned as u64 + 1,
            last_seq: self.frames.len() as u64,
            first_commit: first_commit as u64,
            commits: (marks.len() - first_commit) as u64,
            last_slice: self.frames.iter().flat_map(|frame| &frame.marks).last().map(|m| m.slice),
            bytes: self.bytes(),
            sealed: false,
        }
    }
}

fn at(seq: u64) -> usize {
    seq.try_into().unwrap()
}

fn frame_bytes(frame: &Frame) -> u64 {
    OVERHEAD + 40 * frame.marks.len() as u64 + frame.body.len() as u64
}

fn snapshot_bytes(snapshot: &Snapshot) -> u64 {
    OVERHEAD + snapshot.body.len() as u64
}

fn a_frame() -> impl Strategy<Value = Frame> {
    let body = vec(any::<u8>(), 0..300).prop_map(Bytes::from);
    let marks = vec((0..40_i64).prop_map(mark), 0..3);
    let parts = (0..STREAMS.len(), 0..100_i64, any::<u32>(), body, marks);
    parts.prop_map(|(stream, at, records, body, marks)| Frame {
        stream: id(STREAMS[stream]),
        at: second(at),
        records,
        body,
        marks,
    })
}

fn a_step() -> impl Strategy<Value = Step> {
    let snapshot =
        (0..12_u64, 0..40_i64, vec(any::<u8>(), 0..300)).prop_map(|(after, slice, body)| {
            Snapshot { after, slice: Slice(slice), body: body.into() }
        });
    let keep = (option::of((0..60_u32).prop_map(Span::from_secs)), option::of(0..3_000_u64));
    let keep = keep.prop_map(|(max_age, max_bytes)| Retention { max_age, max_bytes });
    prop_oneof![
        4 => vec(a_frame(), 0..6).prop_map(Step::Append),
        3 => (0..STREAMS.len(), snapshot).prop_map(|(stream, s)| Step::Snapshot(stream, s)),
        2 => (0..STREAMS.len(), keep, 0..120_i64).prop_map(|(s, k, now)| Step::Prune(s, k, now)),
        1 => any::<bool>().prop_map(|closed| Step::Reopen { closed }),
    ]
}

fn answers_like_the_model<J: Journal>(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let journal = J::default();
    let mut store = journal.open();
    let mut models = STREAMS.map(|_| Model::default());
    for step in steps {
        match step {
            Step::Append(frames) => {
                let push = |frame: &Frame| {
                    let at = STREAMS.iter().position(|name| *name == frame.stream.as_str());
                    let model = &mut models[at.unwrap()];
                    model.frames.push(frame.clone());
                    model.frames.len() as u64
                };
                let expected: Vec<u64> = frames.iter().map(push).collect();
                prop_assert_eq!(at_once(store.append(frames)).unwrap(), expected);
            }
            Step::Snapshot(n, snapshot) => {
                let written = at_once(store.write_snapshot(&id(STREAMS[n]), snapshot.clone()));
                prop_assert_eq!(written.is_ok(), models[n].snapshot(snapshot));
            }
            Step::Prune(n, keep, now) => {
                let pruned = at_once(store.prune(&id(STREAMS[n]), &keep, second(now))).unwrap();
                prop_assert_eq!(pruned, models[n].prune(keep, now));
            }
            Step::Reopen { closed: true } => {
                at_once(store.close()).unwrap();
                store = journal.open();
            }
            Step::Reopen { closed: false } => {
                drop(store);
                store = journal.open();
            }
        }
        compare(&mut store, &models).unwrap()?;
    }
    Ok(())
}

fn compare(
    store: &mut impl Store,
    models: &[Model; 3],
) -> Result<Result<(), TestCaseError>, StoreError> {
    let listed = at_once(store.streams())?;
    let listed = listed.into_iter().map(|summary| StreamSummary { sealed: false, ..summary });
    let streams = STREAMS.iter().zip(models);
    let known = streams.clone().filter(|(_, model)| !model.frames.is_empty());
    let expected: Vec<_> = known.map(|(name, model)| model.summary(name)).collect();
    let mut same = listed.eq(expected);
    for (name, model) in streams {
        let stream = id(name);
        same &= try_read(store, &stream)? == model.read();
        for (ordinal, mark) in (0..).zip(model.marks().into_iter().chain([None])) {
            same &= at_once(store.mark(&stream, ordinal))? == mark;
        }
        for slice in [None, Some(Slice(0)), Some(Slice(20)), Some(Slice(39))] {
            same &= at_once(store.snapshot(&stream, slice.map_or(Pick::Latest, Pick::NotBeyond)))?
                == model.latest(slice);
        }
        if !same {
            return Ok(Err(TestCaseError::fail(format!("stream `{name}` answers otherwise"))));
        }
    }
    Ok(Ok(()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn memory_answers_like_a_list(steps in vec(a_step(), 1..30)) {
        answers_like_the_model::<InMemory>(steps)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn sqlite_answers_like_a_list(steps in vec(a_step(), 1..30)) {
        answers_like_the_model::<OnDisk>(steps)?;
    }
}
