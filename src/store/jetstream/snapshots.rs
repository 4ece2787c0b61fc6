//! Snapshots, and cutting a journal at one of them.

use bytes::BytesMut;

use super::{
    super::{
        frame::{check_size, checksum, snapshot_bytes},
        retention::Cut,
    },
    JetStreamStore, Pick, Pruned, Retention, Snapshot, SnapshotTag, StoreError,
    tag::{SNAPSHOT, hex},
};
use crate::{
    engine::{StreamId, Timestamp},
    nats::{Layout, NatsError, next, store_together, subjects},
};

impl JetStreamStore {
    pub(super) async fn store_snapshot(
        &mut self,
        stream: &StreamId,
        snapshot: Snapshot,
    ) -> Result<(), StoreError> {
        if self.fence.is_none() {
            return Err(StoreError::ReadOnly { journal: self.journal.clone() });
        }
        let Snapshot { after, slice, body } = snapshot;
        check_size("snapshot", stream, body.len())?;
        self.learn(stream).await?;
        self.known[stream].head.check_snapshot(stream, after)?;
        let (frame, frame_at) = self.frame_of(stream, after).await?;
        let sum = checksum("snapshot", &[stream.as_str().as_bytes(), &body]);
        let bytes = body.len() as u64;
        let tag = SnapshotTag { frame, frame_at, slice, bytes, sum };
        let subject = subjects::snapshots(stream);
        // Content alone is no id: the same state may be written again after another one.
        let id = format!("{stream}-s-{after}-{}-{}", hex(&sum), self.nats.client().new_inbox());
        let messages = self.parts(&subject, &id, (SNAPSHOT, tag.write()), &body);
        let sent = store_together(&self.nats, Layout::LOG, self.fence.as_ref(), messages).await;
        let stored = sent.map_err(|error| self.wrote(error))?;
        let at = stored.last().copied().unwrap_or(0);
        let known = self.known.get_mut(stream).expect("it was learnt");
        let replaced = known.snapshots.insert(after, (at, tag));
        let freed = replaced.as_ref().map_or(0, |(_, tag)| snapshot_bytes(tag.bytes));
        known.head.snapshot_written(after, snapshot_bytes(bytes), freed);
        if let Some((old, _)) = replaced {
            // What stays for lack of an answer is passed over: the later one counts.
            let _gone = self.log.delete_message(old).await;
        }
        Ok(())
    }

    /// The headers and the place of a frame that is kept, or of the last one pruned.
    async fn frame_of(
        &mut self,
        stream: &StreamId,
        seq: u64,
    ) -> Result<(super::FrameTag, u64), StoreError> {
        let known = &self.known[stream];
        if let Some((at, tag)) = known.last.as_ref().filter(|(_, tag)| tag.link.seq == seq) {
            return Ok((tag.clone(), *at));
        }
        if let Some((_, tag)) = known.snapshots.get(&seq) {
            return Ok((tag.frame.clone(), tag.frame_at));
        }
        if let Some(found) = self.frame(stream, seq).await? {
            return Ok((found.tag, found.at));
        }
        Err(self.corrupt(stream, Some(seq), "it should be there and is not"))
    }

    pub(super) async fn load_snapshot(
        &mut self,
        stream: &StreamId,
        pick: Pick,
    ) -> Result<Option<Snapshot>, StoreError> {
        self.learn(stream).await?;
        let mut snapshots = self.known[stream].snapshots.iter();
        let fits = |tag: &SnapshotTag| pick.fits(tag.slice);
        let picked = match pick {
            Pick::First => snapshots.next(),
            Pick::NotBeyond(_) | Pick::Latest => snapshots.rfind(|(_, (_, tag))| fits(tag)),
        };
        let Some((&after, (last, tag))) = picked else {
            return Ok(None);
        };
        let (last, tag) = (*last, tag.clone());
        let subject = subjects::snapshots(stream);
        let most = self.nats.client().server_info().max_payload as u64;
        let mut body = BytesMut::new();
        // Its parts stand right before its end, at most one for each piece of that size or half.
        let mut from = last.saturating_sub(2 * tag.bytes / most.max(1)).max(1);
        while from <= last {
            let found = next(&self.log, &subject, from).await;
            let found = found.map_err(|error| super::failed(&self.journal, "reading", error))?;
            let Some(stored) = found.filter(|stored| stored.sequence <= last) else { break };
            from = stored.sequence + 1;
            body.extend_from_slice(&stored.payload);
            if stored.sequence < last && stored.header(super::tag::PART).is_none() {
                // The end of an earlier one.
                body.clear();
            }
        }
        let body = body.freeze();
        let sum = checksum("snapshot", &[stream.as_str().as_bytes(), &body]);
        if body.len() as u64 != tag.bytes || sum != tag.sum {
            return Err(self.corrupt(stream, Some(after), "the snapshot after it was changed"));
        }
        if let Some(known) = self.known.get_mut(stream) {
            known.reading = Some((tag.frame.link, tag.frame_at));
        }
        Ok(Some(Snapshot { after, slice: tag.slice, body }))
    }

    pub(super) async fn cut(
        &mut self,
        stream: &StreamId,
        keep: Retention,
        now: Timestamp,
    ) -> Result<Pruned, StoreError> {
        if self.fence.is_none() {
            return Err(StoreError::ReadOnly { journal: self.journal.clone() });
        }
        self.learn(stream).await?;
        let known = &self.known[stream];
        let (mut cuts, mut before) = (Vec::new(), Pruned::default());
        for (&after, (_, tag)) in &known.snapshots {
            if after > known.head.base.seq {
                let freed = Pruned {
                    frames: after - known.head.base.seq,
                    snapshots: before.snapshots,
                    bytes: tag.frame.link.bytes - known.head.base.bytes + before.bytes,
                };
                cuts.push(Cut { after, at: tag.frame.at, freed });
            }
            before.snapshots += 1;
            before.bytes += snapshot_bytes(tag.bytes);
        }
        let Some(cut) = keep.choose(&cuts, known.head.bytes(), now) else {
            return Ok(Pruned::default());
        };
        let (snapshot_at, tag) = known.snapshots[&cut.after].clone();
        // First the snapshots: frames without one are read from their first, the other way round
        // the stream would have no beginning.
        self.purge(&subjects::journal(stream), tag.frame_at + 1).await?;
        let parts = 2 * tag.bytes / self.nats.client().server_info().max_payload.max(1) as u64;
        self.purge(&subjects::snapshots(stream), snapshot_at.saturating_sub(parts)).await?;
        let known = self.known.get_mut(stream).expect("it was learnt");
        known.head.base = tag.frame.link;
        known.snapshots = known.snapshots.split_off(&cut.after);
        let kept = known.snapshots.values().map(|(_, tag)| snapshot_bytes(tag.bytes));
        known.head.snapshot_bytes = kept.sum();
        if known.reading.is_some_and(|(link, _)| link.seq < cut.after) {
            known.reading = Some((tag.frame.link, tag.frame_at));
        }
        Ok(cut.freed)
    }

    /// Forgets what is stored on a subject before a sequence.
    pub(super) async fn purge(&self, subject: &str, before: u64) -> Result<(), StoreError> {
        let purged = self.log.purge().filter(subject).sequence(before).await;
        purged.map(drop).map_err(|error| {
            let error = NatsError::unanswered(format!("a purge of `{subject}`"), error);
            super::failed(&self.journal, "pruning", error)
        })
    }
}
