//! Journals in memory: for tests, for files run through once, for whoever needs no recovery.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    Frame, Mark, Pick, Pruned, Retention, Snapshot, Store, StoreError, StoredFrame, StreamSummary,
    frame::{self, Head, Link, encode_marks, snapshot_bytes},
    log::{self, DamagedLog, Item},
    retention::Cut,
};
use crate::engine::{StreamId, Timestamp};

const JOURNAL: &str = "memory";

/// Keeps journals in memory, as much as retention lets it. Clones hold the same journals, so they
/// outlive whoever writes them.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    streams: BTreeMap<StreamId, Kept>,
    /// Counts writes: the order in which a byte log of all this would have been written.
    writes: u64,
    max_bytes: Option<u64>,
    sealed: bool,
}

#[derive(Debug, Default)]
struct Kept {
    head: Head,
    frames: VecDeque<KeptFrame>,
    snapshots: BTreeMap<u64, KeptSnapshot>,
}

#[derive(Debug)]
struct KeptFrame {
    frame: Frame,
    link: Link,
    write: u64,
}

#[derive(Debug)]
struct KeptSnapshot {
    snapshot: Snapshot,
    write: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store that is full at `max_bytes`.
    pub fn with_max_bytes(max_bytes: u64) -> Self {
        let state = State {
            max_bytes: Some(max_bytes),
            ..State::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Everything as one byte log, in the order in which it was written.
    pub fn export(&self) -> Vec<u8> {
        let state = self.state();
        let mut log = Vec::new();
        for (stream, kept) in &state.streams {
            if kept.head.base.seq > 0 {
                let (base, last_slice) = (kept.head.base, kept.head.last_slice);
                log::encode(
                    &Item::Base {
                        stream: stream.clone(),
                        base,
                        last_slice,
                    },
                    &mut log,
                );
            }
        }
        for (_, item) in state.items() {
            log::encode(&item, &mut log);
        }
        log
    }

    /// Reads a log that [`Self::export`] wrote. If its end is missing, yields the whole appends
    /// before and where they end; any other damage is an error.
    pub fn from_bytes(bytes: &[u8]) -> Result<(Self, Option<usize>), StoreError> {
        let decoded = log::decode(bytes).map_err(|DamagedLog { offset, why }| {
            let why = format!("the item at byte {offset}: {why}");
            StoreError::Corrupt {
                journal: JOURNAL.into(),
                stream: None,
                seq: None,
                why,
            }
        })?;
        let mut state = State::default();
        for item in decoded.items {
            state.restore(item)?;
        }
        Ok((Self(Arc::new(Mutex::new(state))), decoded.torn_at))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // What a panicking thread left is whole: every change is made after all that can fail.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    async fn append(&mut self, frames: Vec<Frame>) -> Result<Vec<u64>, StoreError> {
        frame::check_frames(&frames)?;
        self.state().append(frames)
    }

    async fn read(
        &mut self,
        stream: &StreamId,
        after: u64,
        max_bytes: usize,
    ) -> Result<Vec<StoredFrame>, StoreError> {
        let state = self.state();
        let Some(kept) = state.streams.get(stream) else {
            return Ok(Vec::new());
        };
        let mut page = Vec::new();
        let mut bytes = 0;
        let skipped = kept.frames.partition_point(|kept| kept.link.seq <= after);
        for KeptFrame { frame, link, .. } in kept.frames.range(skipped..) {
            let Frame {
                at, records, body, ..
            } = frame.clone();
            page.push(StoredFrame {
                seq: link.seq,
                at,
                records,
                body,
            });
            bytes += frame::bytes(frame);
            if bytes >= max_bytes as u64 {
                break;
            }
        }
        Ok(page)
    }

    async fn write_snapshot(
        &mut self,
        stream: &StreamId,
        snapshot: Snapshot,
    ) -> Result<(), StoreError> {
        frame::check_size("snapshot", stream, snapshot.body.len())?;
        self.state().write_snapshot(stream, snapshot)
    }

    async fn snapshot(
        &mut self,
        stream: &StreamId,
        pick: Pick,
    ) -> Result<Option<Snapshot>, StoreError> {
        let state = self.state();
        let Some(kept) = state.streams.get(stream) else {
            return Ok(None);
        };
        let mut fitting = kept.snapshots.iter().map(|(_, kept)| &kept.snapshot);
        Ok(match pick {
            Pick::First => fitting.next(),
            Pick::Latest | Pick::NotBeyond(_) => fitting.rfind(|one| pick.fits(one.slice)),
        }
        .cloned())
    }

    async fn prune(
        &mut self,
        stream: &StreamId,
        keep: &Retention,
        now: Timestamp,
    ) -> Result<Pruned, StoreError> {
        let mut state = self.state();
        let Some(kept) = state.streams.get_mut(stream) else {
            return Ok(Pruned::default());
        };
        Ok(kept.prune(*keep, now))
    }

    async fn streams(&mut self) -> Result<Vec<StreamSummary>, StoreError> {
        let state = self.state();
        let summary = |(stream, kept): (&StreamId, &Kept)| kept.head.summary(stream, state.sealed);
        Ok(state.streams.iter().map(summary).collect())
    }

    async fn mark(
        &mut self,
        stream: &StreamId,
        ordinal: u64,
    ) -> Result<Option<(u64, Mark)>, StoreError> {
        let state = self.state();
        Ok(state
            .streams
            .get(stream)
            .and_then(|kept| kept.mark(ordinal)))
    }

    async fn close(self) -> Result<(), StoreError> {
        self.state().sealed = true;
        Ok(())
    }
}

impl State {
    fn append(&mut self, frames: Vec<Frame>) -> Result<Vec<u64>, StoreError> {
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

    fn write_snapshot(&mut self, stream: &StreamId, snapshot: Snapshot) -> Result<(), StoreError> {
        let Snapshot { after, .. } = snapshot;
        let bytes = snapshot_bytes(snapshot.body.len() as u64);
        let head = self
            .streams
            .get(stream)
            .map(|kept| kept.head)
            .unwrap_or_default();
        head.check_snapshot(stream, after)?;
        self.check_room(bytes)?;
        self.start_write();
        if let Some(kept) = self.streams.get_mut(stream) {
            let kept_snapshot = KeptSnapshot {
                snapshot,
                write: self.writes,
            };
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
            return Err(StoreError::Full {
                journal: JOURNAL.into(),
                why,
            });
        }
        Ok(())
    }

    /// All frames and snapshots, as they were written.
    fn items(&self) -> Vec<(u64, Item)> {
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
    fn restore(&mut self, item: Item) -> Result<(), StoreError> {
        match item {
            Item::Base {
                stream,
                base,
                last_slice,
            } => {
                let head = Head {
                    base,
                    last: base,
                    last_slice,
                    ..Head::default()
                };
                let kept = Kept {
                    head,
                    ..Kept::default()
                };
                if self.streams.insert(stream.clone(), kept).is_some() {
                    return Err(broken_chain(stream, base.seq));
                }
            }
            Item::Frame {
                stream,
                at,
                records,
                body,
                marks,
                link,
                ends_append,
            } => {
                let frame = Frame {
                    stream: stream.clone(),
                    at,
                    records,
                    body,
                    marks,
                };
                let kept = self.streams.entry(stream.clone()).or_default();
                kept.head.push(&frame, &encode_marks(&frame.marks));
                if kept.head.last != link {
                    return Err(broken_chain(stream, link.seq));
                }
                kept.frames.push_back(KeptFrame {
                    frame,
                    link,
                    write: self.writes,
                });
                self.writes += u64::from(ends_append);
            }
            Item::Snapshot {
                stream,
                after,
                slice,
                body,
            } => {
                self.write_snapshot(&stream, Snapshot { after, slice, body })?;
                self.writes += 1;
            }
        }
        Ok(())
    }
}

impl Kept {
    fn prune(&mut self, keep: Retention, now: Timestamp) -> Pruned {
        let bytes = self.head.bytes();
        let Some(cut) = keep.choose(&self.cuts(), bytes, now) else {
            return Pruned::default();
        };
        let removed = self
            .frames
            .partition_point(|kept| kept.link.seq <= cut.after);
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
                cuts.push(Cut {
                    after,
                    at: frame.frame.at,
                    freed,
                });
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

    fn mark(&self, ordinal: u64) -> Option<(u64, Mark)> {
        let index = self
            .frames
            .partition_point(|kept| kept.link.marks <= ordinal);
        let KeptFrame { frame, link, .. } = self.frames.get(index)?;
        let first = link.marks - frame.marks.len() as u64;
        let index = usize::try_from(ordinal.checked_sub(first)?).ok()?;
        Some((link.seq, *frame.marks.get(index)?))
    }
}

impl KeptFrame {
    fn item(&self) -> Item {
        let Frame {
            stream,
            at,
            records,
            body,
            marks,
        } = self.frame.clone();
        Item::Frame {
            stream,
            at,
            records,
            body,
            marks,
            link: self.link,
            ends_append: true,
        }
    }
}

fn broken_chain(stream: StreamId, seq: u64) -> StoreError {
    let why = "the frame does not follow the one before it".into();
    StoreError::Corrupt {
        journal: JOURNAL.into(),
        stream: Some(stream),
        seq: Some(seq),
        why,
    }
}
