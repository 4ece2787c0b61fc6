//! Dead letters: what could not be an event, to be looked at and sent again.

use std::ops::ControlFlow;

use async_nats::jetstream::consumer::DeliverPolicy;
use bytes::Bytes;
use serde::Deserialize;

use super::{Connection, Layout, NatsError, Wanted, code, scan, stream, subjects};
use crate::engine::StreamId;

/// A dead letter as it is kept.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Its number, by which it is asked for.
    pub number: u64,
    /// Where it is kept.
    pub subject: String,
    /// What it says: JSON.
    pub body: Bytes,
}

/// What a letter says of where the event came from.
#[derive(Debug, Deserialize)]
struct Origin {
    /// The sequence of the event in `LIVE_EVENTS`.
    cursor: Option<u64>,
}

/// All dead letters, oldest first.
pub async fn letters(nats: &Connection) -> Result<Vec<Letter>, NatsError> {
    let kept = stream(nats, Layout::DEAD_LETTERS).await?;
    let wanted = Wanted {
        subjects: vec!["live.*.dlq".to_owned()],
        from: DeliverPolicy::All,
        headers_only: false,
        at_once: 100,
    };
    let mut letters = Vec::new();
    scan(&kept, wanted, |stored| {
        let (number, subject, body) = (stored.sequence, stored.subject, stored.payload);
        letters.push(Letter { number, subject, body });
        ControlFlow::Continue(())
    })
    .await?;
    Ok(letters)
}

/// Sends the event of a letter again, as it came the first time, and forgets the letter. Gives the
/// stream it went to.
pub async fn requeue(nats: &Connection, number: u64) -> Result<StreamId, NatsError> {
    let doing = || format!("dead letter {number}");
    let refused = |why: &str| NatsError::Refused {
        doing: doing(),
        code: code::NO_MESSAGE,
        why: why.to_owned(),
    };
    let kept = stream(nats, Layout::DEAD_LETTERS).await?;
    let letter = kept.get_raw_message(number).await;
    let letter = letter.map_err(|_| refused("there is none of that number"))?;
    let origin: Origin = serde_json::from_slice(&letter.payload)
        .map_err(|_| refused("it does not say where it came from"))?;
    let Some(cursor) = origin.cursor else {
        return Err(refused("it is about an event that came too late, which is in the journal"));
    };
    let events = stream(nats, Layout::EVENTS).await?;
    let event = events.get_raw_message(cursor).await;
    let event = event.map_err(|_| refused("the event it is about is not kept any more"))?;
    let to = subjects::stream_of(&event.subject)
        .ok_or_else(|| refused("the event it is about was sent to no stream"))?;
    let mut headers = event.headers;
    // With its old id the server would know it already.
    headers.insert("Nats-Msg-Id", format!("dlq/{number}/{}", nats.client().new_inbox()));
    let sent = nats.jetstream().publish_with_headers(subjects::events(&to), headers, event.payload);
    let lost = |error| NatsError::unanswered(doing(), error);
    sent.await.map_err(lost)?.await.map_err(lost)?;
    let gone = kept.delete_message(number).await;
    gone.map_err(|error| NatsError::unanswered(doing(), error))?;
    Ok(to)
}
