//! Names: streams, kinds of events, crews. Checked once when made, trusted afterwards.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize, Serializer};

/// A name that breaks the rule for its sort.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{value}` is not allowed: {rule}")]
pub struct NameError {
    /// What the name was to be: `kind`, `stream_id`, `crew`.
    pub what: &'static str,
    /// The text as given, cut to 60 characters.
    pub value: String,
    /// What would be right.
    pub rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $extra:pat, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks `text` and makes the name.
            pub fn new(text: &str) -> Result<Self, NameError> {
                let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, $extra);
                if text.is_empty() || text.len() > $max || !text.bytes().all(allowed) {
                    return Err(NameError {
                        what: $what,
                        value: text.chars().take(60).collect(),
                        rule: $rule,
                    });
                }
                Ok(Self(text.into()))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(&text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// Names one independent ordered world of events.
    StreamId, "stream_id", 100, b'_' | b'-', "1 to 100 of A-Z a-z 0-9 _ -"
);
name!(
    /// What sort of thing an event or an action is.
    Kind, "kind", 50, b'_', "1 to 50 of A-Z a-z 0-9 _"
);
name!(
    /// Names a crew within a plan.
    CrewName, "crew", 64, b'_' | b'-', "1 to 64 of A-Z a-z 0-9 _ -"
);

impl Kind {
    /// Kinds that start with `__` belong to live-crew and are refused from outside.
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with("__")
    }
}
