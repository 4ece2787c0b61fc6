//! Reports, dead letters and heartbeats to their subjects; actions where the journal is elsewhere.

use std::time::Duration;

use async_nats::{HeaderMap, jetstream::context::PublishAckFuture};
use bytes::Bytes;

use super::super::{Channel, Outgoing, Sink, TransportError};
use crate::nats::{Connection, NatsError};

/// Tells NATS what is said. What JetStream keeps is acknowledged when [`flush`](Sink::flush) returns.
#[derive(Debug)]
pub struct NatsSink {
    nats: Connection,
    /// Whether actions are published here; not where they are stored with their frames.
    tells_actions: bool,
    /// What is not acknowledged yet, to be sent again if it is lost.
    unacked: Vec<(String, HeaderMap, Bytes, PublishAckFuture)>,
}

/// How often a message is sent that is not acknowledged.
const TRIES: u32 = 5;
/// Messages under way at a time. The client takes 5 000, and waits for ever at the next one unless
/// somebody takes its answers.
const WINDOW: usize = 1_024;
/// How long heartbeats wait for room: streams go on without them.
const MOMENT: Duration = Duration::from_secs(1);

impl NatsSink {
    /// A sink that publishes actions too, or leaves them to the journal.
    pub fn new(nats: Connection, tells_actions: bool) -> Self {
        Self { nats, tells_actions, unacked: Vec::new() }
    }
}

impl Sink for NatsSink {
    async fn publish(&mut self, batch: &[Outgoing]) -> Result<(), TransportError> {
        let mut is_heard = self.nats.is_connected();
        for message in batch {
            // What was refused before anybody knew of which stream it is.
            let stream = message.stream.as_ref().map_or("-", |stream| stream.as_str());
            let (what, is_kept) = match message.channel {
                Channel::Action if !self.tells_actions => continue,
                Channel::Action => ("actions", true),
                Channel::Error => ("errors", true),
                Channel::Late => ("late", true),
                Channel::DeadLetter => ("dlq", true),
                Channel::Heartbeat => ("heartbeats", false),
                // Kept where contexts are kept.
                Channel::Context => continue,
            };
            let (subject, mut headers) = (format!("live.{stream}.{what}"), HeaderMap::new());
            if !is_kept {
                if is_heard {
                    let told = self.nats.client().publish(subject, message.body.clone());
                    let told = tokio::time::timeout(MOMENT, told).await;
                    is_heard = told.is_ok();
                    told.unwrap_or(Ok(())).map_err(|error| failed("a heartbeat", error))?;
                }
                continue;
            }
            if self.unacked.len() >= WINDOW {
                self.flush().await?;
            }
            headers.insert("Nats-Msg-Id", id(message).as_str());
            let ack = send(&self.nats, &subject, &headers, &message.body).await?;
            self.unacked.push((subject, headers, message.body.clone(), ack));
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), TransportError> {
        for (subject, headers, body, ack) in std::mem::take(&mut self.unacked) {
            let (mut acked, mut tries) = (ack.await, 1);
            while let Err(error) = acked {
                if tries == TRIES {
                    return Err(failed(&subject, error));
                }
                // Its id makes it one message, however often it arrives.
                tries += 1;
                acked = send(&self.nats, &subject, &headers, &body).await?.await;
            }
        }
        Ok(())
    }
}

async fn send(
    nats: &Connection,
    subject: &str,
    headers: &HeaderMap,
    body: &Bytes,
) -> Result<PublishAckFuture, TransportError> {
    let jetstream = nats.jetstream();
    let sent = jetstream.publish_with_headers(subject.to_owned(), headers.clone(), body.clone());
    sent.await.map_err(|error| failed(subject, error))
}

/// The id of an action, or one made of what is said: a report comes again after a crash.
fn id(message: &Outgoing) -> String {
    if let Some(id) = message.id {
        return id.to_string();
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(message.channel.as_str().as_bytes());
    hasher.update(&message.body);
    hasher.finalize().to_hex()[..32].to_owned()
}

fn failed(what: &str, error: impl std::fmt::Display) -> TransportError {
    TransportError::Custom(
        NatsError::unanswered(format!("a message on `{what}`"), error).to_string(),
    )
}
