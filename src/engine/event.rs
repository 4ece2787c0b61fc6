//! Events, and the order of events inside a slice (rule O1).

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
    ops::Range,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Kind, Timestamp};

/// A JSON value as its canonical text. The engine compares and hashes it, and never looks inside.
#[derive(Clone)]
pub struct Payload {
    text: Arc<[u8]>,
    /// A value may be a part of another one, whose text it shares.
    start: usize,
    end: usize,
}

static NULL: LazyLock<Payload> = LazyLock::new(|| Payload::from_canonical(b"null"));

impl Payload {
    /// Copies text that is canonical already, as `json::canonicalize` and `Json` write it.
    pub fn from_canonical(text: impl AsRef<[u8]>) -> Self {
        let text: Arc<[u8]> = text.as_ref().into();
        let end = text.len();
        Self { text, start: 0, end }
    }

    /// A value that stands in this one, where its bytes do: an action in the answer it came with.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        debug_assert!(self.as_bytes().get(range.clone()).is_some(), "it stands in this one");
        let (start, end) = (self.start + range.start, self.start + range.end);
        Self { text: Arc::clone(&self.text), start, end }
    }

    /// `null`.
    pub fn null() -> Self {
        NULL.clone()
    }

    /// The canonical text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[self.start..self.end]
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Payload {}

impl PartialOrd for Payload {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Payload {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Payload {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.as_bytes())
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Bytes::deserialize(deserializer).map(Self::from_canonical)
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

/// Something that happened. The stream it belongs to is known by who holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it happened.
    pub ts: Timestamp,
    /// What sort of thing happened.
    pub kind: Kind,
    /// Anything JSON can say.
    pub payload: Payload,
    /// The optional identities, absent for most events.
    pub ids: Option<Box<Ids>>,
}

/// Who an event is and what it belongs to; every field is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ids {
    /// The producer's own id; events with the same one are the same event (rule O4).
    pub id: Option<Arc<str>>,
    /// Groups what belongs to one request.
    pub correlation_id: Option<Arc<str>>,
    /// Groups what belongs to one transaction.
    pub transaction_id: Option<Arc<str>>,
    /// What caused it.
    pub causation_id: Option<Arc<str>>,
    /// W3C trace context.
    pub traceparent: Option<Arc<str>>,
}

impl Event {
    /// The producer's own id, if it gave one.
    pub fn id(&self) -> Option<&Arc<str>> {
        self.ids.as_ref()?.id.as_ref()
    }

    /// Rule O1 without its last step: events equal here are equal in every byte, so which of them
    /// arrived first cannot be seen.
    pub fn order(&self, other: &Self) -> Ordering {
        (self.ts, &self.kind, &self.payload, &self.ids).cmp(&(
            other.ts,
            &other.kind,
            &other.payload,
            &other.ids,
        ))
    }
}
