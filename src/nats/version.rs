//! Which servers will do.

use std::fmt;

/// The oldest that will do: before it, others may use JetStream as they like (CVE-2025-30215), and
/// 2.11 brought the headers that writes are fenced with.
const OLDEST: Version = Version::release(2, 11, 1);

/// The oldest of each line without known faults.
const SOUND: [Version; 2] = [Version::release(2, 12, 12), Version::release(2, 14, 3)];

/// A version of a server. A pre-release comes before its release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
    is_release: bool,
}

/// What is said of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    /// It will do, with a reason to have a newer one.
    Aged(String),
    /// It will not do: why, and what to do.
    TooOld(String, String),
}

impl Version {
    const fn release(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch, is_release: true }
    }

    fn read(text: &str) -> Option<Self> {
        // What stands behind `+` says how it was built.
        let text = text.trim_start_matches('v').split('+').next()?;
        let (numbers, is_release) =
            text.split_once('-').map_or((text, true), |(numbers, _)| (numbers, false));
        let mut numbers = numbers.split('.').map(str::parse);
        let mut next = || numbers.next()?.ok();
        let version = Self { major: next()?, minor: next()?, patch: next()?, is_release };
        numbers.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// Judges what a server says of itself.
pub(super) fn judge(text: &str) -> Verdict {
    let upgrade = || format!("upgrade it to {} or newer", SOUND[1]);
    let Some(version) = Version::read(text) else {
        let shown: String = text.chars().take(40).collect();
        return Verdict::TooOld(format!("its version `{shown}` is none that is known"), upgrade());
    };
    if version < OLDEST {
        let why = format!("it is version {text}, and before {OLDEST} writes cannot be fenced");
        return Verdict::TooOld(why, upgrade());
    }
    let is_sound = version >= SOUND[1] || (version >= SOUND[0] && version.minor == 12);
    if is_sound {
        return Verdict::Fine;
    }
    let newest = if version.minor > 12 { &SOUND[1..] } else { &SOUND[..] };
    let newest: Vec<_> = newest.iter().map(Version::to_string).collect();
    Verdict::Aged(format!(
        "{text} has known security faults (https://advisories.nats.io); upgrade to {} or newer",
        newest.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_judged_and_a_pre_release_comes_before_its_release() {
        for text in ["2.12.12", "2.12.13-RC.1", "2.14.3", "2.15.0-beta.2", "v2.15.1+abc", "3.0.0"] {
            assert_eq!(judge(text), Verdict::Fine, "{text}");
        }
        for text in ["2.11.1", "2.11.17", "2.12.0", "2.12.12-RC.1", "2.14.2", "2.14.3-RC.1"] {
            assert!(matches!(judge(text), Verdict::Aged(_)), "{text}");
        }
        for text in ["2.10.29", "2.11.0", "2.11.1-RC.1", "1.9.9", "", "2.11", "2.11.1.1", "new"] {
            assert!(matches!(judge(text), Verdict::TooOld(..)), "{text}");
        }
    }
}
