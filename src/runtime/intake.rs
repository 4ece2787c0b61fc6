//! What a source delivered goes to the engines, or is refused.

use std::sync::Arc;

use super::{Clock, Crews, Runtime, RuntimeError, ingress, rates::Allowance, stream::Stream};
use crate::{
    engine::{Engine, Event, Input, StreamId, Timestamp},
    store::Store,
    transport::{Cursor, DeadLetter, Delivery, Outgoing, Sink},
    wire::{self, Header},
};

impl<S: Store, K: Sink, C: Crews, T: Clock> Runtime<S, K, C, T> {
    /// Whether an event is in the journal of its stream: after a crash a source may deliver some
    /// again, because others that came before them are not.
    fn has_journaled(&self, stream: &StreamId, cursor: Cursor) -> bool {
        if self.known_to < Some(cursor.0) {
            return false;
        }
        let stream = self.by_name.get(stream).map(|&ix| &self.streams[ix]);
        stream.is_some_and(|stream| stream.engine.cursor() >= Some(cursor.0))
    }

    pub(super) async fn take_deliveries(
        &mut self,
        now: Timestamp,
        deliveries: Vec<Delivery>,
    ) -> Result<(), RuntimeError> {
        let mut letters = Vec::new();
        self.unwritten += deliveries.len();
        self.unwritten_bytes += deliveries.iter().map(Delivery::bytes).sum::<usize>();
        for delivery in deliveries {
            let cursor = delivery.cursor();
            self.last_cursor = self.last_cursor.max(Some(cursor.0));
            let (stream, mut event) = match delivery {
                Delivery::Event { stream, event, .. } => (stream, event),
                Delivery::Refused(letter) => {
                    letters.push((None, letter));
                    continue;
                }
            };
            if self.has_journaled(&stream, cursor) {
                continue;
            }
            let settings = &self.plan.settings;
            let checked = ingress::check(&event, &settings.limits, &self.options.acceptance, now);
            wire::redact_event(&mut event, &settings.redact.payload);
            let raw = |event: &Event| {
                let mut raw = Vec::new();
                wire::write_event(&stream, event, &mut raw);
                raw
            };
            let mut refuse = |reason: String, event: &Event| {
                let letter = DeadLetter::from_event(reason, &raw(event), cursor);
                letters.push((Some(stream.clone()), letter));
            };
            if let Err(refusal) = checked {
                refuse(refusal.to_string(), &event);
                continue;
            }
            // Before a stream is made: names that are invented cost no more than others.
            let known = self.by_name.get(&stream).copied();
            let mut new = Allowance::default();
            let own = match known {
                Some(ix) => &mut self.streams[ix].allowance,
                None => &mut new,
            };
            let bytes = event.payload.as_bytes().len();
            if let Err(too_fast) = self.gate.admit(&stream, own, bytes, now) {
                refuse(too_fast.to_string(), &event);
                continue;
            }
            let ix = match known.map_or_else(|| self.stream(&stream), Ok) {
                Ok(ix) => ix,
                Err(reason) => {
                    refuse(reason, &event);
                    continue;
                }
            };
            if known.is_none() {
                self.streams[ix].allowance = new;
            }
            self.touch(ix);
            self.streams[ix].holds.add(bytes);
            let engine = &mut self.streams[ix].engine;
            // The engine keeps what it takes; a copy is for the letter that is hardly ever written.
            let copy = engine.may_refuse().then(|| event.clone());
            let handled = engine.handle(now, Input::Event { event, cursor: cursor.0 });
            if let (Err(rejection), Some(event)) = (handled, copy) {
                refuse(rejection.to_string(), &event);
            }
            self.run_immediate(ix, now);
        }
        if !letters.is_empty() {
            self.refused += letters.len() as u64;
            if let Some(audit) = &mut self.audit {
                audit.refused(now, &letters)?;
            }
            let letters = letters.iter().map(|(_, letter)| Outgoing::dead_letter(letter));
            let letters: Vec<Outgoing> = letters.collect();
            self.sink.publish(&letters).await?;
            // They are in no journal: once this is acknowledged they do not come again.
            self.sink.flush().await?;
            self.is_refusal_new = true;
        }
        Ok(())
    }

    /// The stream of a name, made when it is new.
    fn stream(&mut self, name: &StreamId) -> Result<usize, String> {
        if let Some(&ix) = self.by_name.get(name) {
            return Ok(ix);
        }
        let limit = self.plan.settings.limits.streams;
        if self.streams.len() >= limit {
            return Err(format!(
                "stream `{name}` would be one more than {limit} (`Limits::streams`)"
            ));
        }
        let mut header = Header::new(name.clone(), &self.plan, self.options.crewai.clone());
        header.source.clone_from(&self.options.source);
        let engine = Engine::new(Arc::clone(&self.plan), name.clone());
        let mut stream = Stream::new(engine, Arc::new(header));
        stream.header_due = true;
        Ok(self.add_stream(name.clone(), stream))
    }
}
