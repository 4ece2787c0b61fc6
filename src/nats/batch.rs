//! Messages that are stored behind a fence: together or not at all (ADR-50), or each by itself.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use futures_util::{StreamExt as _, stream::iter};
use serde::Deserialize;
use tokio::task::unconstrained;

use super::{Connection, NatsError};

/// What the last sequence of a subject must be; of the message's own, or of another one.
const SEQUENCE: &str = "Nats-Expected-Last-Subject-Sequence";
const OF_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";
/// The most messages of one batch: a server takes 1 000, and one may go before them.
pub(crate) const MAX_BATCH: usize = 999;
const TIMEOUT: Duration = Duration::from_secs(5);
/// How many messages are on their way at a time.
const WINDOW: usize = 1_024;

/// One message of a batch.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where it goes.
    pub subject: String,
    /// What makes storing it twice the same as once.
    pub id: Option<String>,
    /// Headers of its own.
    pub headers: HeaderMap,
    /// What it says.
    pub payload: Bytes,
    /// The sequence the last message of its subject must have.
    pub after: Option<u64>,
}

/// What must not have changed for a write to count: the last message of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The subject.
    pub subject: String,
    /// The sequence its last message must have.
    pub last: u64,
}

/// Where a message is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Receipt {
    #[serde(default, rename = "seq")]
    pub(crate) at: u64,
    /// A message of that id was there before; this one was not stored.
    #[serde(default, rename = "duplicate")]
    pub(crate) is_known: bool,
}

#[derive(Deserialize)]
struct Reply {
    #[serde(flatten)]
    receipt: Receipt,
    error: Option<async_nats::jetstream::Error>,
}

/// Stores each message by itself, if the fence holds: in their order, none waiting for another.
pub(crate) async fn store_each(
    nats: &Connection,
    stream: &str,
    fence: &Fence,
    messages: Vec<Message>,
) -> Vec<Result<Receipt, NatsError>> {
    let ask = |message: Message| {
        let mut headers = headers(&message, stream);
        guard(&mut headers, Some(fence));
        ask(nats, message.subject, headers, message.payload)
    };
    // A task that has done much is made to wait by tokio, in the middle of sending: the message it
    // was at would be stored behind those after it.
    unconstrained(iter(messages).map(ask).buffered(WINDOW).collect()).await
}

/// Stores the messages in one stream, all or none, if the fence holds; gives their sequences.
/// Without batches (servers before 2.12) they are stored one by one, each behind its own check or
/// the fence; who takes over after the fence was looked at is noticed by the check of the next one.
pub async fn store_together(
    nats: &Connection,
    stream: &str,
    fence: Option<&Fence>,
    mut messages: Vec<Message>,
) -> Result<Vec<u64>, NatsError> {
    // A message has room for one check. Where the first has its own, another one goes before it
    // with the fence, and is gone after a while.
    let fence_apart = fence.filter(|_| messages.first().is_some_and(|first| first.after.is_some()));
    if let Some(fence) = fence_apart.filter(|_| !nats.has_batches()) {
        let mark = vec![Message::mark(fence)];
        Box::pin(store_together(nats, stream, Some(fence), mark)).await?;
    } else if let Some(fence) = fence_apart {
        messages.insert(0, Message::mark(fence));
        let mut stored = Box::pin(store_together(nats, stream, Some(fence), messages)).await?;
        stored.remove(0);
        return Ok(stored);
    }
    if messages.len() <= 1 || !nats.has_batches() {
        let mut stored = Vec::with_capacity(messages.len());
        for message in messages {
            let mut headers = headers(&message, stream);
            guard(&mut headers, fence.filter(|_| message.after.is_none()));
            stored.push(ask(nats, message.subject, headers, message.payload).await?.at);
        }
        return Ok(stored);
    }
    let (count, id) = (messages.len(), nats.client().new_inbox().replace('.', ""));
    debug_assert!(count <= MAX_BATCH + 1, "the caller splits what is more");
    for (at, message) in messages.into_iter().enumerate() {
        let mut headers = headers(&message, stream);
        headers.insert("Nats-Batch-Id", id.as_str());
        headers.insert("Nats-Batch-Sequence", (at + 1).to_string());
        if at == 0 {
            guard(&mut headers, fence);
        }
        if at + 1 == count {
            headers.insert("Nats-Batch-Commit", "1");
            let last = ask(nats, message.subject, headers, message.payload).await?.at;
            return Ok((0..count as u64).rev().map(|back| last.saturating_sub(back)).collect());
        }
        let sent = nats.client().publish_with_headers(message.subject, headers, message.payload);
        sent.await.map_err(|error| NatsError::unanswered("a batch", error))?;
    }
    Ok(Vec::new())
}

impl Message {
    /// A message that does nothing but carry a fence.
    fn mark(fence: &Fence) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-TTL", "60s");
        Self {
            subject: fence.subject.replace(".term", ".mark"),
            id: None,
            headers,
            payload: Bytes::new(),
            after: None,
        }
    }
}

fn headers(message: &Message, stream: &str) -> HeaderMap {
    let mut headers = message.headers.clone();
    headers.insert("Nats-Expected-Stream", stream);
    if let Some(id) = &message.id {
        headers.insert("Nats-Msg-Id", id.as_str());
    }
    if let Some(after) = message.after {
        headers.insert(SEQUENCE, after.to_string());
    }
    headers
}

pub(super) fn guard(headers: &mut HeaderMap, fence: Option<&Fence>) {
    if let Some(fence) = fence {
        headers.insert(SEQUENCE, fence.last.to_string());
        headers.insert(OF_SUBJECT, fence.subject.as_str());
    }
}

/// Servers of the first releases of 2.11 take a header for another one that begins the same: where
/// the subject of a fence stands before its sequence, they see no fence. A map of headers has an
/// order by chance, so it is made anew until the sequence comes first.
fn sequence_first(mut headers: HeaderMap) -> HeaderMap {
    let place =
        |headers: &HeaderMap, of: &str| headers.iter().position(|(name, _)| name.to_string() == of);
    while let Some(subject) = place(&headers, OF_SUBJECT)
        && place(&headers, SEQUENCE) > Some(subject)
    {
        let each = headers
            .iter()
            .flat_map(|(name, values)| values.iter().map(|value| (name.clone(), value.clone())));
        headers = each.collect();
    }
    headers
}

/// Publishes one message and waits for what JetStream says of it.
async fn ask(
    nats: &Connection,
    subject: String,
    headers: HeaderMap,
    payload: Bytes,
) -> Result<Receipt, NatsError> {
    let headers = if nats.has_batches() { headers } else { sequence_first(headers) };
    let doing = format!("a message on `{subject}`");
    let asked = nats.client().request_with_headers(subject, headers, payload);
    let answer = match tokio::time::timeout(TIMEOUT, asked).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => return Err(NatsError::unanswered(doing, error)),
        Err(_) => return Err(NatsError::unanswered(doing, "it took too long")),
    };
    let reply: Reply = serde_json::from_slice(&answer.payload).map_err(|error| {
        NatsError::unanswered(&doing, format!("its answer is no JSON: {error}"))
    })?;
    if let Some(error) = reply.error {
        return Err(NatsError::refused(doing, &error));
    }
    Ok(reply.receipt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_of_a_fence_stands_before_its_subject() {
        let fence = Fence { subject: "live.a.term".to_owned(), last: 7 };
        for _ in 0..100 {
            let mut headers = HeaderMap::new();
            headers.insert("Nats-Msg-Id", "a/1");
            guard(&mut headers, Some(&fence));
            let names = sequence_first(headers);
            let names: Vec<_> = names.iter().map(|(name, _)| name.to_string()).collect();
            let place = |of| names.iter().position(|name| name == of);
            assert_eq!(names.len(), 3);
            assert!(place(SEQUENCE) < place(OF_SUBJECT), "{names:?}");
        }
    }
}
