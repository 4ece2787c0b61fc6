//! Frames and the actions that follow from them, as messages.

use std::collections::{BTreeMap, BTreeSet};

use async_nats::{HeaderMap, jetstream::consumer::DeliverPolicy};
use bytes::{Bytes, BytesMut};

use super::{
    super::frame::{Head, MARK_BYTES, check_frames, encode_marks},
    Frame, FrameTag, JetStreamStore, Rider, Scope, StoreError,
    send::Written,
    tag::{FRAME, PART, SETTLED, hex},
};
use crate::{
    engine::StreamId,
    nats::{Fence, Layout, MAX_BATCH, Message, store_together, subjects},
};

/// Room for headers in a message of the greatest size.
const HEADER_ROOM: usize = 16 << 10;

impl JetStreamStore {
    pub(super) async fn write_frames(
        &mut self,
        frames: Vec<Frame>,
        riders: Vec<Rider>,
        settled: Option<u64>,
    ) -> Result<Vec<u64>, StoreError> {
        if self.fence.is_none() {
            return Err(StoreError::ReadOnly { journal: self.journal.clone() });
        }
        check_frames(&frames)?;
        // Only who has all events of a shard can say that they are in its journals.
        let settled = settled.filter(|_| matches!(self.scope, Scope::Shard { .. }));
        let mut heads = BTreeMap::<StreamId, Head>::new();
        let mut written = Vec::with_capacity(frames.len());
        for frame in frames {
            if !self.known.contains_key(&frame.stream) || !self.forgotten.is_empty() {
                self.learn(&frame.stream).await?;
            }
            // A stream may have several frames in one write: each follows the one before it.
            let known = self.known[&frame.stream].head;
            let head = heads.entry(frame.stream.clone()).or_insert(known);
            let marks = encode_marks(&frame.marks);
            head.push(&frame, &marks);
            let tag = FrameTag {
                link: head.last,
                at: frame.at,
                records: frame.records,
                marks: frame.marks.len() as u64,
                last_slice: head.last_slice,
                settled,
            };
            let mut payload = BytesMut::with_capacity(marks.len() + frame.body.len());
            payload.extend_from_slice(&marks);
            payload.extend_from_slice(&frame.body);
            let subject = subjects::journal(&frame.stream);
            let id = format!("{}-{}", frame.stream, hex(&head.last.sum));
            let messages = self.parts(&subject, &id, (FRAME, tag.write()), &payload.freeze());
            written.push(Written { stream: frame.stream, head: *head, tag, messages });
        }
        let numbers = written.iter().map(|written| written.tag.link.seq).collect();
        self.send(written, riders.into_iter().map(action).collect()).await?;
        Ok(numbers)
    }

    /// Up to where the source's input is done with. Of a shard, frames say it, since they may be
    /// torn between its streams; one stream has all up to its last event.
    pub(super) fn settled(&self, known_to: Option<u64>) -> Option<u64> {
        let in_journals = match self.scope {
            Scope::Shard { .. } => {
                let tags = self.known.values().filter_map(|known| known.last.as_ref());
                tags.filter_map(|(_, tag)| tag.settled).max()
            }
            Scope::All | Scope::Stream(_) => known_to,
        };
        in_journals.max(self.settled)
    }

    /// Writes who writes and how far the input is done with, behind the last one that did so.
    pub(super) async fn write_term(&mut self) -> Result<(), StoreError> {
        let Some(fence) = self.fence.clone() else {
            return Err(StoreError::ReadOnly { journal: self.journal.clone() });
        };
        let mut headers = HeaderMap::new();
        if let Some(cursor) = self.settled {
            headers.insert(SETTLED, cursor.to_string());
        }
        let message = Message {
            subject: fence.subject.clone(),
            id: None,
            headers,
            payload: self.who.clone(),
            after: Some(fence.last),
        };
        let written = store_together(&self.nats, Layout::LOG, None, vec![message]).await;
        let stored = written.map_err(|error| self.wrote(error))?;
        self.fence = Some(Fence { last: stored.last().copied().unwrap_or(0), ..fence });
        Ok(())
    }

    /// Writes that input was refused up to here. Of these there may be many: the last one stays.
    pub(super) async fn write_settled(&mut self, cursor: u64) -> Result<(), StoreError> {
        self.settled = Some(cursor);
        self.write_term().await?;
        if let Some(Fence { subject, last }) = &self.fence {
            // What is left goes with the next one.
            let _purged = self.purge(subject, *last).await;
        }
        Ok(())
    }

    /// A payload as the messages it needs; only the last has the header, an id each.
    pub(super) fn parts(
        &self,
        subject: &str,
        id: &str,
        (name, value): (&'static str, String),
        payload: &Bytes,
    ) -> Vec<Message> {
        let most = self.nats.client().server_info().max_payload.saturating_sub(HEADER_ROOM).max(1);
        let parts = payload.len().div_ceil(most).max(1);
        let message = |part: usize| {
            let (from, until) = (part * most, payload.len().min((part + 1) * most));
            let (mut headers, is_last) = (HeaderMap::new(), part + 1 == parts);
            if is_last {
                headers.insert(name, value.as_str());
            } else {
                headers.insert(PART, part.to_string());
            }
            Message {
                subject: subject.to_owned(),
                id: Some(if is_last { id.to_owned() } else { format!("{id}.{part}") }),
                headers,
                payload: payload.slice(from..until),
                after: None,
            }
        };
        (0..parts).map(message).collect()
    }

    pub(super) async fn find_unsent(
        &mut self,
        riders: Vec<Rider>,
    ) -> Result<Vec<Rider>, StoreError> {
        let mut unsent = Vec::new();
        let mut known = BTreeMap::new();
        for rider in riders {
            if !known.contains_key(&rider.stream) {
                let ids = self.sent(&rider.stream).await?;
                known.insert(rider.stream.clone(), ids);
            }
            if !known[&rider.stream].contains(&rider.id) {
                unsent.push(rider);
            }
        }
        Ok(unsent)
    }

    /// The ids of the actions stored since the last snapshot.
    async fn sent(&mut self, stream: &StreamId) -> Result<BTreeSet<String>, StoreError> {
        self.learn(stream).await?;
        let snapshot = self.known[stream].snapshots.last_key_value();
        // The frame of a snapshot comes after the actions that are stored with it.
        let from = snapshot
            .map_or(1, |(_, (_, tag))| tag.frame_at.saturating_sub(MAX_BATCH as u64).max(1));
        let term = self.fence.as_ref().map_or(u64::MAX, |fence| fence.last);
        let from = DeliverPolicy::ByStartSequence { start_sequence: from.min(term) };
        let mut ids = BTreeSet::new();
        self.headers(vec![subjects::actions(stream)], from, |stored| {
            ids.extend(stored.header("Nats-Msg-Id").map(str::to_owned));
        })
        .await?;
        Ok(ids)
    }
}

fn action(rider: Rider) -> Message {
    let mut headers = HeaderMap::new();
    if let Some(ttl) = rider.ttl {
        // Servers count whole seconds.
        headers.insert(
            "Nats-TTL",
            (ttl.micros().max(1).cast_unsigned().div_ceil(1_000_000)).to_string(),
        );
    }
    Message {
        subject: subjects::actions(&rider.stream),
        id: Some(rider.id),
        headers,
        payload: rider.body,
        after: None,
    }
}

/// How many bytes of a payload are marks.
pub(super) fn mark_bytes(tag: &FrameTag) -> usize {
    usize::try_from(tag.marks).unwrap_or(usize::MAX).saturating_mul(MARK_BYTES)
}
