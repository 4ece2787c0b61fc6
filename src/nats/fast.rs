//! Messages that are stored in their order and acknowledged together, without being kept apart
//! until the last has come: the fast batches of ADR-50 (2.14, level 4, and later).
//!
//! What a batch is, the server reads from the subject of the answer that is asked for:
//! `<inbox>.<batch>.<how often to answer>.fail.<number>.<operation>.$FI`.

use std::{fmt::Write as _, ops::Range, sync::Arc, time::Duration};

use async_nats::{StatusCode, Subscriber};
use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::task::JoinSet;

use super::{Connection, Fence, Message, NatsError, batch::guard};

/// Messages of one batch. There is room for more on the way, but who waits long loses more.
const MOST: usize = 1_000;
/// How long nothing may be heard.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The server says every so often that it is alive; the last answer is the one that counts.
const ANSWERS: usize = 500;

/// Where messages go in their order.
#[derive(Debug)]
pub(crate) struct InOrder {
    inbox: String,
    answers: Subscriber,
    batches: u64,
}

/// One of the things a server says of a batch.
#[derive(Deserialize)]
struct Answer {
    /// Something on the way; without it, it is the end.
    #[serde(rename = "type")]
    kind: Option<Kind>,
    #[serde(default)]
    count: usize,
    error: Option<async_nats::jetstream::Error>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Ack,
    Gap,
    Err,
}

impl InOrder {
    pub(crate) async fn open(nats: &Connection) -> Result<Self, NatsError> {
        let inbox = nats.client().new_inbox();
        let answers = nats.client().subscribe(format!("{inbox}.>")).await;
        let answers = answers.map_err(|error| NatsError::unanswered("for answers", error))?;
        Ok(Self { inbox, answers, batches: 0 })
    }

    /// Stores the messages in a stream if the fence holds, in their order. After an error some of
    /// the first ones may be stored, and none behind one that is not.
    ///
    /// The fence is looked at once for each thousand. What is left of a batch whose sender was
    /// frozen is refused: the server gives a batch up after ten seconds.
    pub(crate) async fn store(
        &mut self,
        nats: &Connection,
        stream: &'static str,
        fence: &Fence,
        messages: &Arc<[Message]>,
    ) -> Result<(), NatsError> {
        for from in (0..messages.len()).step_by(MOST) {
            let range = from..messages.len().min(from + MOST);
            self.batches += 1;
            let unique = self.inbox.rsplit('.').next().unwrap_or_default();
            let batch = format!("{}.{unique}-{}.", self.inbox, self.batches);
            let count = range.len();
            let sending = Sending {
                nats: nats.clone(),
                stream,
                fence: fence.clone(),
                batch: batch.clone(),
                messages: Arc::clone(messages),
                range,
            };
            // Beside whoever waits here, who may be the thread that runs handlers.
            let mut task = JoinSet::new();
            task.spawn(sending.send());
            let sent = tokio::time::timeout(TIMEOUT, task.join_next()).await;
            match sent {
                Ok(Some(Ok(sent))) => sent?,
                Ok(_) => return Err(lost("the process is ending")),
                Err(_) => return Err(lost("it cannot be sent")),
            }
            self.wait(&batch, count).await?;
        }
        Ok(())
    }

    async fn wait(&mut self, batch: &str, count: usize) -> Result<(), NatsError> {
        loop {
            let answer = match tokio::time::timeout(TIMEOUT, self.answers.next()).await {
                Ok(Some(answer)) => answer,
                Ok(None) => return Err(lost("the connection was closed")),
                Err(_) => return Err(lost("it took too long")),
            };
            if !answer.subject.starts_with(batch) {
                // Of an earlier one that was given up.
                continue;
            }
            if answer.status == Some(StatusCode::NO_RESPONDERS) {
                return Err(lost("nobody keeps such messages"));
            }
            let read: Result<Answer, _> = serde_json::from_slice(&answer.payload);
            let read = read.map_err(|error| lost(&format!("its answer is no JSON: {error}")))?;
            if let Some(error) = &read.error {
                return Err(NatsError::refused("messages in their order", error));
            }
            match read.kind {
                Some(Kind::Ack) => {}
                Some(Kind::Gap | Kind::Err) => return Err(lost("some of it did not arrive")),
                None if read.count == count => return Ok(()),
                None => return Err(lost("not all of it is stored")),
            }
        }
    }
}

/// One batch on its way.
struct Sending {
    nats: Connection,
    stream: &'static str,
    fence: Fence,
    batch: String,
    messages: Arc<[Message]>,
    range: Range<usize>,
}

impl Sending {
    async fn send(self) -> Result<(), NatsError> {
        let messages = &self.messages[self.range];
        for (at, message) in messages.iter().enumerate() {
            let mut headers = message.headers.clone();
            if let Some(id) = &message.id {
                headers.insert("Nats-Msg-Id", id.as_str());
            }
            if at == 0 {
                headers.insert("Nats-Expected-Stream", self.stream);
                guard(&mut headers, Some(&self.fence));
            }
            let operation = match at {
                _ if at + 1 == messages.len() => Operation::StoreAndEnd,
                0 => Operation::Begin,
                _ => Operation::Store,
            };
            let sent = self.nats.client().publish_with_reply_and_headers(
                message.subject.clone(),
                answer_to(&self.batch, at + 1, operation),
                headers,
                message.payload.clone(),
            );
            sent.await.map_err(|error| lost(&error.to_string()))?;
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Begin = 0,
    Store = 1,
    StoreAndEnd = 2,
}

fn answer_to(batch: &str, number: usize, operation: Operation) -> String {
    let mut subject = String::with_capacity(batch.len() + 24);
    subject.push_str(batch);
    write!(subject, "{ANSWERS}.fail.{number}.{}.$FI", operation as u8).expect("a text grows");
    subject
}

fn lost(why: &str) -> NatsError {
    NatsError::unanswered("messages in their order", why)
}
