//! Frames and the actions that follow from them, stored as one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_nats::{HeaderMap, jetstream::consumer::DeliverPolicy};
use bytes::{Bytes, BytesMut};

use super::{
    super::frame::{Head, MARK_BYTES, check_frames, encode_marks},
    Frame, FrameTag, JetStreamStore, Rider, StoreError,
    tag::{FRAME, PART, hex},
};
use crate::{
    engine::StreamId,
    nats::{Layout, MAX_BATCH, Message, NatsError, code, store_together, subjects},
};

/// How often a write is tried whose fate is not known, and how long is waited between two.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(250);
/// Room for headers in a message of the greatest size.
const HEADER_ROOM: usize = 16 << 10;

/// A frame on its way.
struct Written {
    stream: StreamId,
    head: Head,
    tag: FrameTag,
    /// Where its last message is in the batch.
    place: usize,
}

impl JetStreamStore {
    pub(super) async fn write_frames(
        &mut self,
        frames: Vec<Frame>,
        riders: Vec<Rider>,
    ) -> Result<Vec<u64>, StoreError> {
        if self.fence.is_none() {
            return Err(StoreError::ReadOnly { journal: self.journal.clone() });
        }
        check_frames(&frames)?;
        let (mut messages, mut written) = (Vec::new(), Vec::<Written>::new());
        for frame in &frames {
            if !self.known.contains_key(&frame.stream) || !self.forgotten.is_empty() {
                self.learn(&frame.stream).await?;
            }
            // A stream may have several frames in one write: each follows the one before it.
            let earlier = written.iter().rev().find(|written| written.stream == frame.stream);
            let known = &self.known[&frame.stream];
            let mut head = earlier.map_or(known.head, |written| written.head);
            let first = earlier.is_none();
            let marks = encode_marks(&frame.marks);
            head.push(frame, &marks);
            let tag = FrameTag {
                link: head.last,
                at: frame.at,
                records: frame.records,
                marks: frame.marks.len() as u64,
                last_slice: head.last_slice,
            };
            let after = first.then(|| known.last.as_ref().map_or(0, |(at, _)| *at));
            let mut payload = BytesMut::with_capacity(marks.len() + frame.body.len());
            payload.extend_from_slice(&marks);
            payload.extend_from_slice(&frame.body);
            let subject = subjects::journal(&frame.stream);
            let id = format!("{}-{}", frame.stream, hex(&head.last.sum));
            self.parts(
                &subject,
                &id,
                (FRAME, tag.write()),
                &payload.freeze(),
                after,
                &mut messages,
            );
            written.push(Written {
                stream: frame.stream.clone(),
                head,
                tag,
                place: messages.len(),
            });
        }
        let actions = riders.into_iter().map(action);
        if self.nats.has_batches() && messages.len() + actions.len() <= MAX_BATCH {
            // First what has no fence of its own in the way: frames keep their own checks.
            let shift = actions.len();
            let mut all: Vec<Message> = actions.collect();
            all.append(&mut messages);
            let stored = self.send(all, &written).await?;
            self.note(&written, shift, stored.as_deref());
        } else {
            let actions: Vec<Message> = actions.collect();
            self.send_in_turn(messages, &mut written).await?;
            for batch in actions.chunks(MAX_BATCH) {
                self.send(batch.to_vec(), &[]).await?;
            }
        }
        Ok(written.iter().map(|written| written.tag.link.seq).collect())
    }

    /// Sends frames in as many batches as they need, each a whole number of frames.
    async fn send_in_turn(
        &mut self,
        mut messages: Vec<Message>,
        written: &mut [Written],
    ) -> Result<(), StoreError> {
        let (mut sent, mut from) = (0, 0);
        while from < written.len() {
            let fits = |written: &Written| written.place - sent <= MAX_BATCH;
            let count = written[from..].iter().take_while(|one| fits(one)).count().max(1);
            let until = written[from + count - 1].place;
            let batch: Vec<Message> = messages.drain(..until - sent).collect();
            let group = &mut written[from..from + count];
            let stored = self.send(batch, group).await?;
            for one in group.iter_mut() {
                one.place -= sent;
            }
            self.note(group, 0, stored.as_deref());
            sent = until;
            from += count;
        }
        Ok(())
    }

    /// Stores messages behind the fence. When it is not known what became of them, looks whether
    /// the frames are there, and tries again if not: their ids make a second time harmless.
    /// Gives their sequences, or nothing where they were found stored.
    async fn send(
        &mut self,
        messages: Vec<Message>,
        written: &[Written],
    ) -> Result<Option<Vec<u64>>, StoreError> {
        if messages.is_empty() {
            return Ok(None);
        }
        let mut tries = 0;
        loop {
            let fence = self.fence.as_ref();
            let sent = store_together(&self.nats, Layout::LOG, fence, messages.clone()).await;
            let error = match sent {
                Ok(stored) => return Ok(Some(stored)),
                Err(error) => error,
            };
            tries += 1;
            let unclear = match &error {
                NatsError::Unanswered { .. } => true,
                NatsError::Refused { code, .. } => matches!(
                    *code,
                    code::WRONG_LAST_SEQUENCE
                        | code::BATCH_HAS_KNOWN_ID
                        | code::WRITE_UNDER_WAY
                        | code::ID_UNDER_WAY
                        | 10_175..=10_177 | 10_008
                ),
                NatsError::Connect { .. } | NatsError::Unfit { .. } => false,
            };
            if !unclear || tries >= TRIES {
                return Err(self.wrote(error));
            }
            match self.look(written).await {
                Ok(true) => return Ok(None),
                Ok(false) if error.code() == Some(code::WRONG_LAST_SEQUENCE) => {
                    return Err(self.wrote(error));
                }
                Err(StoreError::Deposed { journal }) => {
                    return Err(StoreError::Deposed { journal });
                }
                Err(looking) if tries + 1 >= TRIES => return Err(looking),
                Ok(false) | Err(_) => {}
            }
            tracing::debug!(%error, tries, "a write is tried again");
            tokio::time::sleep(PAUSE * tries).await;
        }
    }

    /// Whether the frames are stored.
    async fn look(&mut self, written: &[Written]) -> Result<bool, StoreError> {
        let fence = self.fence.clone().expect("only a writer looks");
        let term = crate::nats::last(&self.log, &fence.subject).await;
        let term = term.map_err(|error| super::failed(&self.journal, "reading", error))?;
        if term.is_some_and(|term| term.sequence != fence.last) {
            return Err(StoreError::Deposed { journal: self.journal.clone() });
        }
        let Some(last) = written.last() else {
            return Ok(false);
        };
        let found = crate::nats::last(&self.log, &subjects::journal(&last.stream)).await;
        let found = found.map_err(|error| super::failed(&self.journal, "reading", error))?;
        let is_there = |found: &crate::nats::Stored| {
            found.header(FRAME).and_then(FrameTag::read).is_some_and(|tag| tag == last.tag)
        };
        Ok(found.as_ref().is_some_and(is_there))
    }

    /// Remembers where frames were stored, behind the `shift` messages before them.
    fn note(&mut self, written: &[Written], shift: usize, stored: Option<&[u64]>) {
        for one in written {
            let at = stored.and_then(|stored| stored.get(shift + one.place - 1));
            let Some(&at) = at else {
                self.forgotten.insert(one.stream.clone());
                continue;
            };
            let known = self.known.entry(one.stream.clone()).or_default();
            known.head = one.head;
            known.last = Some((at, one.tag.clone()));
        }
    }

    /// Appends a payload as the messages it needs; only the last has the header, an id each.
    pub(super) fn parts(
        &self,
        subject: &str,
        id: &str,
        (name, value): (&'static str, String),
        payload: &Bytes,
        after: Option<u64>,
        out: &mut Vec<Message>,
    ) {
        let most = self.nats.client().server_info().max_payload.saturating_sub(HEADER_ROOM).max(1);
        let parts = payload.len().div_ceil(most).max(1);
        for part in 0..parts {
            let (from, until) = (part * most, payload.len().min((part + 1) * most));
            let (mut headers, is_last) = (HeaderMap::new(), part + 1 == parts);
            if is_last {
                headers.insert(name, value.as_str());
            } else {
                headers.insert(PART, part.to_string());
            }
            out.push(Message {
                subject: subject.to_owned(),
                id: Some(if is_last { id.to_owned() } else { format!("{id}.{part}") }),
                headers,
                payload: payload.slice(from..until),
                after: after.filter(|_| part == 0),
            });
        }
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
    Message {
        subject: subjects::actions(&rider.stream),
        id: Some(rider.id),
        headers: HeaderMap::new(),
        payload: rider.body,
        after: None,
    }
}

/// How many bytes of a payload are marks.
pub(super) fn mark_bytes(tag: &FrameTag) -> usize {
    usize::try_from(tag.marks).unwrap_or(usize::MAX).saturating_mul(MARK_BYTES)
}
