//! Changes to the context, as a run records them (rule X2).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::json::{Json, Number, string_size};

/// The changes one run made, in the order it made them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diff(pub Vec<Op>);

/// One change at one path of object keys. Arrays are changed whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Op {
    /// Keys from the root down, at least one.
    pub path: Vec<Arc<str>>,
    /// What happens there.
    pub change: Change,
}

/// What happens at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The value is put there. An object replaces what the writer saw and merges with the rest.
    Set(Json),
    /// Whatever is there goes.
    Delete,
    /// A number is added; nothing there counts as 0. Never a conflict.
    Incr(Number),
    /// A value goes to the end of an array; nothing there counts as `[]`. Never a conflict.
    Append(Json),
    /// An object is there, with whatever it holds. Only live-crew makes this, from `Set`.
    Object,
}

impl Op {
    /// Whether it can be done whatever is there.
    pub fn always_fits(&self) -> bool {
        let fits = match self.change {
            Change::Set(_) | Change::Delete | Change::Object => true,
            Change::Incr(_) | Change::Append(_) => false,
        };
        fits && !self.path.is_empty()
    }

    /// The most canonical bytes it adds to a context.
    pub(super) fn most_bytes(&self) -> usize {
        let value = match &self.change {
            Change::Set(value) | Change::Append(value) => value.size(),
            Change::Incr(_) => usize::MAX,
            Change::Delete => 0,
            Change::Object => 2,
        };
        // Each key with its colon, its comma and the brackets of its object.
        let keys = self.path.iter().map(|key| string_size(key) + 4);
        keys.fold(value, usize::saturating_add)
    }
}

impl Diff {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
