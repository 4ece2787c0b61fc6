//! What leaves a stream, as messages for a sink.

use crate::{
    engine::{Emission, Plan, StreamId, Timestamp},
    transport::{Channel, Outgoing},
    wire,
};

pub(super) fn outgoing(
    plan: &Plan,
    stream: &StreamId,
    emission: &Emission,
    now: Timestamp,
) -> Outgoing {
    let mut body = Vec::with_capacity(256);
    let (channel, id) = match emission {
        Emission::Action(action) => {
            let crew = &plan.crew(action.run.crew).spec.name;
            wire::write_action(stream, crew, action, &mut body);
            (Channel::Action, Some(action.id.to_string().into()))
        }
        Emission::Error(error) => {
            wire::write_error(stream, now, error, &mut body);
            (Channel::Error, None)
        }
        Emission::Late(arrived, policy) => {
            wire::write_late(stream, arrived, *policy, &mut body);
            let channel = match policy {
                crate::engine::LatePolicy::DeadLetter => Channel::DeadLetter,
                _ => Channel::Late,
            };
            (channel, None)
        }
    };
    Outgoing { channel, stream: Some(stream.clone()), id, body: body.into() }
}
