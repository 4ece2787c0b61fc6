//! Patterns over kinds (rule C1) and over context paths (rule X4).

use serde::{Deserialize, Serialize};

use super::Kind;

/// Which kinds wake a crew: an exact kind, `*`, or a glob such as `goal_*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

/// A trigger that is neither a kind nor a glob over kinds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("trigger `{0}` is not allowed: 1 to 50 of A-Z a-z 0-9 _ and `*` for any part of a kind")]
pub struct PatternError(String);

impl Pattern {
    /// Checks `text` and makes the pattern.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'*';
        if text.is_empty() || text.len() > 50 || !text.bytes().all(allowed) {
            return Err(PatternError(text.chars().take(60).collect()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one kind this matches, unless it is a glob.
    pub fn exact(&self) -> Option<&str> {
        (!self.0.contains('*')).then_some(&self.0)
    }

    /// Whether a kind matches.
    pub fn matches(&self, kind: &Kind) -> bool {
        glob(self.0.as_bytes(), kind.as_str().as_bytes())
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;
    fn try_from(text: String) -> Result<Self, PatternError> {
        Self::new(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

/// Whether `pattern` matches all of `text`; `*` stands for any run of bytes, also none.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && pattern[p] == text[t] {
            p += 1;
            t += 1;
        } else if let Some((star_p, star_t)) = star {
            star = Some((star_p, star_t + 1));
            p = star_p + 1;
            t = star_t + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

/// Whether a path glob such as `score.*` grants a path: its parts match the first parts of the
/// path, so a grant covers everything below it.
pub fn grants(path_glob: &str, path: &[impl AsRef<str>]) -> bool {
    let mut parts = path.iter();
    path_glob.split('.').all(|wanted| {
        parts.next().is_some_and(|part| glob(wanted.as_bytes(), part.as_ref().as_bytes()))
    })
}

/// Whether something below `path` could be granted though `path` itself is not.
pub fn grants_below(path_glob: &str, path: &[impl AsRef<str>]) -> bool {
    let mut wanted = path_glob.split('.');
    path.iter().all(|part| {
        wanted.next().is_some_and(|want| glob(want.as_bytes(), part.as_ref().as_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c1_a_trigger_is_an_exact_kind_a_star_or_a_glob() {
        let matches = |pattern: &str, kind: &str| {
            Pattern::new(pattern).unwrap().matches(&Kind::new(kind).unwrap())
        };
        assert!(matches("goal", "goal"));
        assert!(!matches("goal", "goals"));
        assert!(matches("*", "anything"));
        assert!(matches("goal_*", "goal_home"));
        assert!(!matches("goal_*", "own_goal_"));
        assert!(matches("*_goal_*", "own_goal_late"));
        assert!(matches("a*b*c", "axxbyybc"));
        assert!(!matches("a*b*c", "axxbyyb"));
        assert!(Pattern::new("go al").is_err());
        assert!(Pattern::new("").is_err());
    }

    #[test]
    fn x4_a_path_glob_grants_everything_below_what_it_names() {
        assert!(grants("score", &["score"]));
        assert!(grants("score", &["score", "home"]));
        assert!(grants("score.*", &["score", "home"]));
        assert!(!grants("score.*", &["score"]));
        assert!(grants_below("score.home", &["score"]));
        assert!(!grants("scores", &["score"]));
        assert!(grants("*", &["anything", "at", "all"]));
    }
}
