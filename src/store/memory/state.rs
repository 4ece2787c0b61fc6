//! What a memory store holds, and the rules by which it changes.

use std::collections::{BTreeMap, VecDeque};

use super::{
    super::{
        frame::{self, Head, Link, encode_marks, snapshot_bytes},
        log::Item,
        retention::Cut,
    },
    Frame, JOURNAL, Mark, Pruned, Retention, Snapshot, StoreError, StreamId, Timestamp,
};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) streams: BTreeMap<StreamId, Kept>,
    /// Counts writes: the order in which a byte log of all this would have been written.
    pub(super) writes: u64,
    pub(super) max_bytes: Option<u64>,
    pub(super) sealed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) head: Head,
    pub(super) frames: VecDeque<KeptFrame>,
    pub(super) snapshots: BTreeMap<u64, KeptSnapshot>,
}

#[derive(Debug)]
pub(super) struct KeptFrame {
    pub(super) frame: Frame,
    pub(super) link: Link,
    pub(super) write: u64,
}

#[derive(Debug)]
pub(super) struct KeptSnapshot {
    pub(super) snapshot: Snapshot,
    pub(super) write: u64,
}

impl State {
    pub(super) fn append(&mut self, frames: Vec<Frame>) -> Result<Vec<u64>, StoreError> {
        self.check_room(frames.iter().map(frame::bytes).sum())?;
        self.start_write();
        let write = self.writes;
        let push = |frame: Frame| {
            let kept = self.streams.entry(frame.stream.clone()).or_default();
            kept.head.push(&frame, &encode_marks(&frame.marks));
            let link = kept.head.last;
            kept.frames.push_back(KeptFrame { frame, link, write });
            link.seq
        };
        Ok(frames.into_iter().map(push).collect())
    }

    pub(super) fn write_snapshot(
        &mut self,
        stream: &StreamId,
        snapshot: Snapshot,
    ) -> Result<(), StoreError> {
        let Snapshot { after, .. } = snapshot;
        let bytes = snapshot_bytes(snapshot.body.len() as u64);
        let head = self.streams.get(stream).map(|kept| kept.head).unwrap_or_default();
        head.check_snapshot(stream, after)?;
        self.check_room(bytes)?;
        self.start_write();
        if let Some(kept) = self.streams.get_mut(stream) {
            let kept_snapshot = KeptSnapshot { snapshot, write: self.writes };
            let replaced = kept.snapshots.insert(after, kept_snapshot);
            let replaced = replaced.map_or(0, |old| snapshot_bytes(old.snapshot.body.len() as u64));
            kept.head.snapshot_written(after, bytes, replaced);
        }
        Ok(())
    }

    fn start_write(&mut self) {
        self.writes += 1;
        self.sealed = false;
    }

    fn check_room(&self, more: u64) -> Result<(), StoreError> {
        let Some(max) = self.max_bytes else {
            return Ok(());
        };
        let used: u64 = self.streams.values().map(|kept| kept.head.bytes()).sum();
        if used.saturating_add(more) > max {
            let why = format!("{used} of {max} bytes are used, {more} more were to be written");
            return Err(StoreError::Full { journal: JOURNAL.into(), why });
        }
        Ok(())
    }

    /// All frames and snapshots, as they were written.
    pub(super) fn items(&self) -> Vec<(u64, Item)> {
        let mut items = Vec::new();
        for (stream, kept) in &self.streams {
            items.extend(kept.frames.iter().map(|kept| (kept.write, kept.item())));
            let snapshots = kept.snapshots.values();
            items
                .extend(snapshots.map(|kept| (kept.write, Item::snapshot(stream, &kept.snapshot))));
        }
        items.sort_by_key(|(write, _)| *write);
        for n in 1..items.len() {
            let same_append = items[n - 1].0 == items[n].0;
            if let Item::Frame { ends_append, .. } = &mut items[n - 1].1 {
                *ends_append = !same_append;
            }
        }
        items
    }

    /// Takes an item of a log back, if it continues what is there.
    pub(super) fn restore(&mut self, item: Item) -> Result<(), StoreError> {
        match item {
            Item::Base { stream, base, last_slice } => {
                let head = Head { base, last: base, last_slice, ..Head::default() };
                let kept = Kept { head, ..Kept::default() };
                if self.streams.insert(stream.clone(), kept).is_some() {
                    return Err(broken_chain(stream, base.seq));
                }
            }
            Item::Frame { stream, at, records, body, marks, link, ends_append } => {
                let frame = Frame { stream: stream.clone(), at, records, body, marks };
                let kept = self.streams.entry(stream.clone()).or_default();
                kept.head.push(&frame, &encode_marks(&frame.marks));
                if kept.head.last != link {
                    return Err(broken_chain(stream, link.seq));
                }
                kept.frames.push_back(KeptFrame { frame, link, write: self.writes });
                self.writes += u64::from(ends_append);
            }
            Item::Snapshot { stream, after, slice, body } => {
                self.write_snapshot(&stream, Snapshot { after, slice, body })?;
                self.writes += 1;
            }
        }
        Ok(())
    }
}

impl Kept {
    pub(super) fn prune(&mut self, keep: Retention, now: Timestamp) -> Pruned {
        let bytes = self.head.bytes();
        let Some(cut) = keep.choose(&self.cuts(), bytes, now) else {
            return Pruned::default();
        };
        let removed = self.frames.partition_point(|kept| kept.link.seq <= cut.after);
        for kept in self.frames.drain(..removed) {
            self.head.base = kept.link;
        }
        self.frames.shrink_to_fit();
        self.snapshots = self.snapshots.split_off(&cut.after);
        self.head.snapshot_bytes = self
            .snapshots
            .values()
            .map(|kept| snapshot_bytes(kept.snapshot.body.len() as u64))
            .sum();
        cut.freed
    }

    fn cuts(&self) -> Vec<Cut> {
        let (mut cuts, mut before) = (Vec::new(), Pruned::default());
        for (&after, kept) in &self.snapshots {
            if let Some(frame) = self.frame(after) {
                let freed = Pruned {
                    frames: after - self.head.base.seq,
                    snapshots: before.snapshots,
                    bytes: frame.link.bytes - self.head.base.bytes + before.bytes,
                };
                cuts.push(Cut { after, at: frame.frame.at, freed });
            }
            before.snapshots += 1;
            before.bytes += snapshot_bytes(kept.snapshot.body.len() as u64);
        }
        cuts
    }

    fn frame(&self, seq: u64) -> Option<&KeptFrame> {
        let index = seq.checked_sub(self.head.base.seq)?.checked_sub(1)?;
        self.frames.get(usize::try_from(index).ok()?)
    }

    pub(super) fn mark(&self, ordinal: u64) -> Option<(u64, Mark)> {
        let index = self.frames.partition_point(|kept| kept.link.marks <= ordinal);
        let KeptFrame { frame, link, .. } = self.frames.get(index)?;
        let first = link.marks - frame.marks.len() as u64;
        let index = usize::try_from(ordinal.checked_sub(first)?).ok()?;
        Some((link.seq, *frame.marks.get(index)?))
    }
}

impl KeptFrame {
    fn item(&self) -> Item {
        let Frame { stream, at, records, body, marks } = self.frame.clone();
        Item::Frame { stream, at, records, body, marks, link: self.link, ends_append: true }
    }
}

fn broken_chain(stream: StreamId, seq: u64) -> StoreError {
    let why = "the frame does not follow the one before it".into();
    StoreError::Corrupt { journal: JOURNAL.into(), stream: Some(stream), seq: Some(seq), why }
}
