//! What live-crew says to the world.

use bytes::Bytes;

use super::DeadLetter;
use crate::{
    engine::{ActionId, StreamId},
    json::write_string,
};

/// What sort of message it is; each transport has a place for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Something to be done.
    Action,
    /// A run or a crew that failed.
    Error,
    /// An event that came after its slice had closed.
    Late,
    /// Input that was refused.
    DeadLetter,
    /// The shared context after a commit.
    Context,
    /// A stream is alive.
    Heartbeat,
}

impl Channel {
    /// The name of it in files and subjects.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::Error => "error",
            Self::Late => "late",
            Self::DeadLetter => "dead_letter",
            Self::Context => "context",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// What sort of message it is.
    pub channel: Channel,
    /// The stream it is about; refused input has none.
    pub stream: Option<StreamId>,
    /// What makes publishing it twice the same as once (rule J2).
    pub id: Option<ActionId>,
    /// Canonical JSON, which has no line breaks.
    pub body: Bytes,
}

impl Outgoing {
    /// A dead letter as a message.
    pub fn dead_letter(letter: &DeadLetter) -> Self {
        let body = letter.to_json();
        Self { channel: Channel::DeadLetter, stream: None, id: None, body }
    }

    /// Writes the message as one line. An action is a whole as it is; the other sorts share a
    /// file, so their line says which it is and of which stream.
    pub fn write_line(&self, out: &mut Vec<u8>) {
        if self.channel == Channel::Action {
            out.extend_from_slice(&self.body);
            out.push(b'\n');
            return;
        }
        out.extend_from_slice(br#"{"body":"#);
        out.extend_from_slice(&self.body);
        out.extend_from_slice(br#","channel":"#);
        write_string(self.channel.as_str(), out);
        if let Some(stream) = &self.stream {
            out.extend_from_slice(br#","stream":"#);
            write_string(stream.as_str(), out);
        }
        out.extend_from_slice(b"}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(channel: Channel, stream: Option<&str>) -> String {
        let stream = stream.map(|name| StreamId::new(name).unwrap());
        let body = Bytes::from_static(br#"{"a":1}"#);
        let mut out = Vec::new();
        Outgoing { channel, stream, id: None, body }.write_line(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_action_is_its_own_line() {
        assert_eq!(line(Channel::Action, Some("match-1")), "{\"a\":1}\n");
    }

    #[test]
    fn every_other_message_names_its_channel_and_stream() {
        assert_eq!(
            line(Channel::Late, Some("match-1")),
            "{\"body\":{\"a\":1},\"channel\":\"late\",\"stream\":\"match-1\"}\n"
        );
        assert_eq!(
            line(Channel::DeadLetter, None),
            "{\"body\":{\"a\":1},\"channel\":\"dead_letter\"}\n"
        );
    }
}
