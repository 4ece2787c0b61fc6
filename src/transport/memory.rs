//! Events handed over inside one process, and a sink that keeps everything: tests, embedding.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::{BATCH_BYTES, Cursor, Delivery, Outgoing, Sink, Source, TransportError};
use crate::engine::{Event, StreamId};

/// Both ends of a channel that holds `capacity` events; a full one makes its publishers wait.
///
/// The events are trusted: whoever made them has checked them.
pub fn channel(capacity: usize) -> (MemoryPublisher, MemorySource) {
    // No channel holds nothing, and none may be larger than tokio can count.
    let capacity = capacity.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
    let (sender, receiver) = mpsc::channel(capacity);
    (MemoryPublisher { sender }, MemorySource { receiver, taken: Cursor(0) })
}

/// The end that events are put into. The input ends when every clone of it is dropped.
#[derive(Debug, Clone)]
pub struct MemoryPublisher {
    sender: mpsc::Sender<(StreamId, Event)>,
}

impl MemoryPublisher {
    /// Hands over an event, waiting while the channel is full.
    pub async fn publish(&self, stream: StreamId, event: Event) -> Result<(), TransportError> {
        self.sender.send((stream, event)).await.map_err(|_| TransportError::Closed)
    }

    /// Hands over an event, or refuses when the channel is full.
    pub fn try_publish(&self, stream: StreamId, event: Event) -> Result<(), TransportError> {
        self.sender.try_send((stream, event)).map_err(|error| match error {
            mpsc::error::TrySendError::Closed(_) => TransportError::Closed,
            mpsc::error::TrySendError::Full(_) => {
                TransportError::Full { capacity: self.sender.max_capacity() }
            }
        })
    }
}

/// The end that events come out of. A cursor counts them.
#[derive(Debug)]
pub struct MemorySource {
    receiver: mpsc::Receiver<(StreamId, Event)>,
    taken: Cursor,
}

impl Source for MemorySource {
    async fn next(&mut self, max: usize) -> Result<Vec<Delivery>, TransportError> {
        let (mut deliveries, mut bytes) = (Vec::new(), 0);
        let mut next = self.receiver.recv().await;
        while let Some((stream, event)) = next {
            self.taken.0 += 1;
            bytes += event.payload.as_bytes().len();
            deliveries.push(Delivery::Event { stream, event, cursor: self.taken });
            let is_enough = deliveries.len() >= max || bytes >= BATCH_BYTES;
            next = if is_enough { None } else { self.receiver.try_recv().ok() };
        }
        Ok(deliveries)
    }

    /// Memory does not outlive its process: nothing comes again, the count goes on.
    async fn resume_after(&mut self, cursor: Cursor) -> Result<(), TransportError> {
        self.taken = cursor;
        Ok(())
    }

    async fn ack(&mut self, _cursor: Cursor) -> Result<(), TransportError> {
        Ok(())
    }
}

/// Keeps everything published; clones share what they keep.
#[derive(Debug, Clone, Default)]
pub struct MemorySink {
    kept: Arc<Mutex<Vec<Outgoing>>>,
}

impl MemorySink {
    /// Takes out what was published since the last time.
    pub fn take(&self) -> Vec<Outgoing> {
        std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Sink for MemorySink {
    async fn publish(&mut self, batch: &[Outgoing]) -> Result<(), TransportError> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(batch);
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), TransportError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{future::Future, pin::pin, task};

    use bytes::Bytes;

    use super::*;
    use crate::{
        engine::{Kind, Payload, Timestamp},
        transport::Channel,
    };

    fn stream() -> StreamId {
        StreamId::new("match-1").unwrap()
    }

    fn event(n: i64) -> Event {
        let ts = Timestamp::from_micros(n).unwrap();
        Event { ts, kind: Kind::new("goal").unwrap(), payload: Payload::null(), ids: None }
    }

    fn delivery(n: i64, cursor: u64) -> Delivery {
        Delivery::Event { stream: stream(), event: event(n), cursor: Cursor(cursor) }
    }

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> task::Poll<F::Output> {
        future.poll(&mut task::Context::from_waker(task::Waker::noop()))
    }

    #[tokio::test]
    async fn events_come_out_in_order_and_the_input_ends_with_its_publishers() {
        let (publisher, mut source) = channel(8);
        let other = publisher.clone();
        for n in 1..=3 {
            publisher.publish(stream(), event(n)).await.unwrap();
        }
        drop(publisher);
        assert_eq!(source.next(2).await.unwrap(), [delivery(1, 1), delivery(2, 2)]);
        assert_eq!(source.next(2).await.unwrap(), [delivery(3, 3)]);
        other.try_publish(stream(), event(4)).unwrap();
        drop(other);
        assert_eq!(source.next(0).await.unwrap(), [delivery(4, 4)]);
        assert_eq!(source.next(2).await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_full_channel_makes_its_publisher_wait() {
        let (publisher, mut source) = channel(1);
        publisher.publish(stream(), event(1)).await.unwrap();
        assert!(matches!(
            publisher.try_publish(stream(), event(2)),
            Err(TransportError::Full { capacity: 1 })
        ));
        let mut waiting = pin!(publisher.publish(stream(), event(2)));
        assert!(poll(waiting.as_mut()).is_pending());
        assert_eq!(source.next(8).await.unwrap(), [delivery(1, 1)]);
        assert!(poll(waiting.as_mut()).is_ready());
    }

    #[tokio::test]
    async fn a_dropped_next_loses_nothing() {
        let (publisher, mut source) = channel(8);
        assert!(poll(pin!(source.next(8))).is_pending());
        publisher.try_publish(stream(), event(1)).unwrap();
        assert_eq!(source.next(8).await.unwrap(), [delivery(1, 1)]);
    }

    #[tokio::test]
    async fn publishing_to_a_dropped_source_is_an_error() {
        let (publisher, source) = channel(8);
        drop(source);
        let error = publisher.publish(stream(), event(1)).await.unwrap_err();
        assert!(matches!(error, TransportError::Closed));
        assert!(matches!(publisher.try_publish(stream(), event(1)), Err(TransportError::Closed)));
    }

    #[tokio::test]
    async fn a_resumed_source_counts_on() {
        let (publisher, mut source) = channel(0);
        source.resume_after(Cursor(41)).await.unwrap();
        publisher.try_publish(stream(), event(1)).unwrap();
        assert_eq!(source.next(8).await.unwrap(), [delivery(1, 42)]);
    }

    #[tokio::test]
    async fn a_memory_sink_keeps_what_was_published() {
        let body = Bytes::from_static(b"{}");
        let message = Outgoing { channel: Channel::Action, stream: None, id: None, body };
        let sink = MemorySink::default();
        sink.clone().publish(&[message.clone(), message.clone()]).await.unwrap();
        assert_eq!(sink.take(), [message.clone(), message]);
        assert_eq!(sink.take(), []);
    }
}
