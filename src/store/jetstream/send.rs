//! Messages on their way to the journal: together or each by itself, and what became of them.
//!
//! A server that keeps one copy on disk makes a store of files for every batch, which takes it
//! longer than a hundred messages do. There a frame is a message behind the fence, and its number
//! is its id: a frame of that number that somebody else stored a while ago is noticed. Where it was
//! not seen for half of the time for which the server remembers ids whether there is one, it is
//! checked for in a batch, as everywhere else.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{super::frame::Head, FrameTag, JetStreamStore, StoreError, tag::FRAME};
use crate::{
    engine::StreamId,
    nats::{
        Fence, InOrder, Layout, MAX_BATCH, Message, NatsError, Receipt, Stored, code, last,
        store_each, store_together, subjects,
    },
};

/// How often a write is tried whose fate is not known, and how long is waited between two.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(250);
/// How long no fast batches are sent after one that failed: where their answers may not be heard,
/// each would be waited for.
const REST: Duration = Duration::from_secs(60);
/// How many actions go on their way together with their frame. Each may be refused because
/// somebody else's message came between: then it was sent for nothing.
const FEW: usize = 4;
/// A message is stored only if the last one of the log has this id.
const LAST_ID: &str = "Nats-Expected-Last-Msg-Id";

/// A frame on its way: the messages it is made of, all but the last only parts.
pub(super) struct Written {
    pub(super) stream: StreamId,
    pub(super) head: Head,
    pub(super) tag: FrameTag,
    pub(super) messages: Vec<Message>,
}

impl Written {
    /// The one message of a frame, with its number as its id.
    fn numbered(&self) -> Message {
        let id = format!("{}/{}", self.stream, self.tag.link.seq);
        Message { id: Some(id), ..self.messages[0].clone() }
    }
}

impl JetStreamStore {
    /// Stores frames and then what follows from them, the cheapest way that is safe here.
    pub(super) async fn send(
        &mut self,
        frames: Vec<Written>,
        actions: Vec<Message>,
    ) -> Result<(), StoreError> {
        if self.copies() == 1 {
            let mut left = actions;
            if left.len() <= FEW && self.is_one_fresh(&frames) {
                left = self.send_in_a_row(&frames[0], left).await?;
            } else {
                self.send_frames_each(frames).await?;
            }
            return self.send_in_order(left).await;
        }
        let count: usize = frames.iter().map(|frame| frame.messages.len()).sum();
        if self.nats.has_batches() && count + actions.len() <= MAX_BATCH {
            // First what has no check of its own: then the first message carries the fence.
            return self.send_together(&frames, actions).await;
        }
        self.send_frames_together(&frames).await?;
        let mut actions = actions.into_iter();
        loop {
            let batch: Vec<_> = actions.by_ref().take(MAX_BATCH).collect();
            if batch.is_empty() {
                return Ok(());
            }
            self.send_together(&[], batch).await?;
        }
    }

    /// Sends frames in rounds, in which none is of the same stream as another or waits for it.
    async fn send_frames_each(&mut self, frames: Vec<Written>) -> Result<(), StoreError> {
        let mut frames = frames.into_iter().peekable();
        while frames.peek().is_some() {
            let (mut round, mut streams) = (Vec::new(), BTreeSet::new());
            while let Some(frame) = frames.next_if(|frame| !streams.contains(&frame.stream)) {
                streams.insert(frame.stream.clone());
                round.push(frame);
            }
            let now = Instant::now();
            let (swift, careful): (Vec<_>, Vec<_>) =
                round.into_iter().partition(|frame| self.is_fresh(frame, now));
            let messages: Vec<_> = swift.iter().map(Written::numbered).collect();
            let receipts = store_each(&self.nats, Layout::LOG, self.fence(), messages).await;
            for (frame, receipt) in swift.into_iter().zip(receipts) {
                match receipt {
                    Ok(Receipt { at, is_known: false }) => self.note(&frame, Some(at), now),
                    // Somebody stored a frame of that number, or it is not known whether I did:
                    // of each by itself, since others may have come through.
                    Ok(_) | Err(_) => self.send_together(&[frame], Vec::new()).await?,
                }
            }
            self.send_frames_together(&careful).await?;
        }
        Ok(())
    }

    /// Sends a frame and its actions without a wait in between; gives the actions that are to be
    /// sent again. Each is stored only right behind the one before it, so none is there without the
    /// frame.
    async fn send_in_a_row(
        &mut self,
        frame: &Written,
        actions: Vec<Message>,
    ) -> Result<Vec<Message>, StoreError> {
        let now = Instant::now();
        let first = frame.numbered();
        let mut before = first.id.clone().expect("a frame has its number");
        let mut messages = vec![first];
        for action in &actions {
            let mut action = action.clone();
            // Never an empty one: a server would take that for no check.
            action.headers.insert(LAST_ID, before.as_str());
            before = action.id.clone().unwrap_or(before);
            messages.push(action);
        }
        let receipts = store_each(&self.nats, Layout::LOG, self.fence(), messages).await;
        let mut receipts = receipts.into_iter();
        match receipts.next() {
            Some(Ok(Receipt { at, is_known: false })) => self.note(frame, Some(at), now),
            _ => self.send_together(std::slice::from_ref(frame), Vec::new()).await?,
        }
        let unsent = actions.into_iter().zip(receipts).filter(|(_, receipt)| receipt.is_err());
        Ok(unsent.map(|(action, _)| action).collect())
    }

    fn is_one_fresh(&self, frames: &[Written]) -> bool {
        self.nats.has_batches() && frames.len() == 1 && self.is_fresh(&frames[0], Instant::now())
    }

    /// Whether a frame may be sent without a look at the one before it.
    fn is_fresh(&self, frame: &Written, now: Instant) -> bool {
        let seen = self.known.get(&frame.stream).and_then(|known| known.seen);
        let remembered = self.log.cached_info().config.duplicate_window / 2;
        frame.messages.len() == 1 && seen.is_some_and(|seen| now.duration_since(seen) < remembered)
    }

    /// Sends frames in as many batches as they need, each a whole number of frames.
    async fn send_frames_together(&mut self, mut frames: &[Written]) -> Result<(), StoreError> {
        while !frames.is_empty() {
            let mut room = MAX_BATCH;
            let fits = |frame: &&Written| {
                let left = room.checked_sub(frame.messages.len());
                room = left.unwrap_or(0);
                left.is_some()
            };
            let count = frames.iter().take_while(fits).count().max(1);
            let (batch, others) = frames.split_at(count);
            self.send_together(batch, Vec::new()).await?;
            frames = others;
        }
        Ok(())
    }

    /// Stores messages behind the fence, as one where the server can. When it is not known what
    /// became of them, looks whether the frames are there, and tries again if not: their ids make
    /// a second time harmless.
    async fn send_together(
        &mut self,
        frames: &[Written],
        actions: Vec<Message>,
    ) -> Result<(), StoreError> {
        let (shift, mut messages, now) = (actions.len(), actions, Instant::now());
        let mut streams = BTreeSet::new();
        for frame in frames {
            let first = messages.len();
            messages.extend_from_slice(&frame.messages);
            if streams.insert(&frame.stream) {
                let last = self.known[&frame.stream].last.as_ref();
                messages[first].after = Some(last.map_or(0, |(at, _)| *at));
            }
        }
        if messages.is_empty() {
            return Ok(());
        }
        let mut tries = 0;
        let stored = loop {
            let fence = Some(self.fence());
            let sent = store_together(&self.nats, Layout::LOG, fence, messages.clone()).await;
            let error = match sent {
                Ok(stored) => break Some(stored),
                Err(error) => error,
            };
            tries += 1;
            if !is_unclear(&error) || tries >= TRIES {
                return Err(self.wrote(error));
            }
            match self.is_stored(frames).await {
                Ok(true) => break None,
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
        };
        let mut place = shift;
        for frame in frames {
            place += frame.messages.len();
            let at = stored.as_ref().and_then(|stored| stored.get(place - 1)).copied();
            self.note(frame, at, now);
        }
        Ok(())
    }

    /// Stores messages behind the fence, acknowledged together where the server can do that.
    async fn send_in_order(&mut self, messages: Vec<Message>) -> Result<(), StoreError> {
        let is_fast = self.log.cached_info().config.allow_batch_publish;
        let rests = self.fast_from.is_some_and(|from| Instant::now() < from);
        if is_fast && self.nats.has_fast_batches() && messages.len() > 1 && !rests {
            let messages = Arc::from(messages);
            let Err(error) = self.send_fast(&messages).await else { return Ok(()) };
            // Their ids tell which of them are there.
            tracing::debug!(%error, "messages are sent one by one");
            self.fast_from = Some(Instant::now() + REST);
            return self.send_each(messages.to_vec()).await;
        }
        self.send_each(messages).await
    }

    async fn send_fast(&mut self, messages: &Arc<[Message]>) -> Result<(), NatsError> {
        let in_order = match &mut self.in_order {
            Some(in_order) => in_order,
            none => none.insert(InOrder::open(&self.nats).await?),
        };
        let fence = self.fence.as_ref().expect("only a writer sends");
        in_order.store(&self.nats, Layout::LOG, fence, messages).await
    }

    /// Stores messages behind the fence, none waiting for another, until all of them are.
    async fn send_each(&mut self, mut messages: Vec<Message>) -> Result<(), StoreError> {
        let mut tries = 0;
        while !messages.is_empty() {
            let sent = messages.clone();
            let receipts = store_each(&self.nats, Layout::LOG, self.fence(), sent).await;
            let mut left = Vec::new();
            let mut failed = None;
            for (message, receipt) in messages.into_iter().zip(receipts) {
                if let Err(error) = receipt {
                    left.push(message);
                    failed = Some(error);
                }
            }
            messages = left;
            let Some(error) = failed else { break };
            tries += 1;
            if !is_unclear(&error) || tries >= TRIES {
                return Err(self.wrote(error));
            }
            if let Err(deposed @ StoreError::Deposed { .. }) = self.is_stored(&[]).await {
                return Err(deposed);
            }
            tracing::debug!(%error, tries, "messages are sent again");
            tokio::time::sleep(PAUSE * tries).await;
        }
        Ok(())
    }

    fn fence(&self) -> &Fence {
        self.fence.as_ref().expect("only a writer sends")
    }

    /// Whether frames that were sent together are stored.
    async fn is_stored(&self, frames: &[Written]) -> Result<bool, StoreError> {
        let fence = self.fence();
        let term = last(&self.log, &fence.subject).await;
        let term = term.map_err(|error| self.read_failed(error))?;
        if term.is_some_and(|term| term.sequence != fence.last) {
            return Err(StoreError::Deposed { journal: self.journal.clone() });
        }
        let Some(frame) = frames.last() else {
            return Ok(false);
        };
        let found = last(&self.log, &subjects::journal(&frame.stream)).await;
        let found = found.map_err(|error| self.read_failed(error))?;
        let is_there = |found: &Stored| {
            found.header(FRAME).and_then(FrameTag::read).is_some_and(|tag| tag == frame.tag)
        };
        Ok(found.as_ref().is_some_and(is_there))
    }

    /// Remembers where a frame was stored.
    fn note(&mut self, frame: &Written, at: Option<u64>, now: Instant) {
        let Some(at) = at else {
            self.forgotten.insert(frame.stream.clone());
            return;
        };
        let known = self.known.entry(frame.stream.clone()).or_default();
        known.head = frame.head;
        known.last = Some((at, frame.tag.clone()));
        known.seen = Some(now);
    }
}

/// Whether a message may be stored although an error came back, or would be the next time.
fn is_unclear(error: &NatsError) -> bool {
    match error {
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
    }
}
