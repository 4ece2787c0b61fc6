//! What leaves a stream, as messages for a sink.

use bytes::Bytes;

use crate::{
    engine::{Emission, Engine, LatePolicy, Slice, Timestamp},
    transport::{Channel, Outgoing},
    wire,
};

/// Room kept from one batch to the next.
const KEPT: usize = 1 << 20;

/// Messages that are published together. Their bodies are written one after the other into one
/// buffer and cut out of it at the end: an allocation for each would cost more than writing it.
#[derive(Debug, Default)]
pub(super) struct Batch {
    messages: Vec<Outgoing>,
    bodies: Vec<u8>,
    /// Where each body ends.
    ends: Vec<usize>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Puts what a stream sends at the end. An error is stamped with the end of its slice, so that
    /// two runs of one journal say the same.
    pub fn push(&mut self, engine: &Engine, emission: &Emission) {
        let (plan, stream) = (engine.plan(), engine.stream());
        let body = &mut self.bodies;
        let (channel, id) = match emission {
            Emission::Action(action) => {
                let crew = &plan.crew(action.run.crew).spec.name;
                wire::write_action(stream, crew, action, body);
                (Channel::Action, Some(action.id))
            }
            Emission::Error(error) => {
                let at = engine.clock().map_or(Timestamp::MIN, |clock| clock.end(error.slice));
                wire::write_error(stream, at, error, body);
                (Channel::Error, None)
            }
            Emission::Late(arrived, policy) => {
                wire::write_late(stream, arrived, *policy, body);
                let channel = match policy {
                    LatePolicy::DeadLetter => Channel::DeadLetter,
                    LatePolicy::Next | LatePolicy::Drop | LatePolicy::Fail => Channel::Late,
                };
                (channel, None)
            }
        };
        self.ends.push(self.bodies.len());
        let (stream, body) = (Some(stream.clone()), Bytes::new());
        self.messages.push(Outgoing { channel, stream, id, body });
    }

    /// Puts the context of a stream after a slice at the end.
    pub fn push_context(&mut self, engine: &Engine, slice: Slice) {
        wire::write_context(&engine.context().to_json(), slice, &mut self.bodies);
        self.ends.push(self.bodies.len());
        let (stream, body) = (Some(engine.stream().clone()), Bytes::new());
        self.messages.push(Outgoing { channel: Channel::Context, stream, id: None, body });
    }

    /// The messages, whole.
    pub fn messages(&mut self) -> &[Outgoing] {
        let bodies = Bytes::from(std::mem::take(&mut self.bodies));
        let mut start = 0;
        for (message, end) in self.messages.iter_mut().zip(self.ends.drain(..)) {
            message.body = bodies.slice(start..end);
            start = end;
        }
        &self.messages
    }

    /// Makes room for the next messages: in the same buffer, unless somebody still reads these.
    pub fn clear(&mut self) {
        let last = self.messages.pop();
        self.messages.clear();
        if let Some(Ok(bodies)) = last.map(|last| last.body.try_into_mut()) {
            self.bodies = bodies.into();
            self.bodies.clear();
        }
        if self.bodies.capacity() > KEPT {
            *self = Self::default();
        }
    }
}

/// That a stream is alive, and in which slice.
pub(super) fn heartbeat(engine: &Engine, now: Timestamp) -> Outgoing {
    let mut body = Vec::new();
    body.extend_from_slice(b"{\"slice\":");
    body.extend_from_slice(itoa::Buffer::new().format(engine.open_slice().0).as_bytes());
    body.extend_from_slice(b",\"ts\":\"");
    wire::write_timestamp(now, &mut body);
    body.extend_from_slice(b"\"}");
    let stream = Some(engine.stream().clone());
    Outgoing { channel: Channel::Heartbeat, stream, id: None, body: body.into() }
}
