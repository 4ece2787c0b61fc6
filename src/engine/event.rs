//! Events, and the order of events inside a slice (rule O1).

use std::{
    cmp::Ordering,
    sync::{Arc, LazyLock},
};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Kind, Timestamp};

/// A JSON value as its canonical text. The engine compares and hashes it, and never looks inside.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payload(Arc<[u8]>);

static NULL: LazyLock<Payload> = LazyLock::new(|| Payload::from_canonical(b"null"));

impl Payload {
    /// Copies text that is canonical already, as `json::canonicalize` and `Json` write it.
    pub fn from_canonical(text: impl AsRef<[u8]>) -> Self {
        Self(text.as_ref().into())
    }

    /// `null`.
    pub fn null() -> Self {
        NULL.clone()
    }

    /// The canonical text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Bytes::deserialize(deserializer).map(Self::from_canonical)
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
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
