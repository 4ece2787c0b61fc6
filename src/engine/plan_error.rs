//! Why a plan is refused.

use std::fmt;

use super::CrewName;

/// Everything that is wrong with a plan, found in one go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError(pub Vec<Problem>);

impl std::error::Error for PlanError {}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

/// One thing that is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Two crews of one name.
    #[error("crew `{crew}` is declared twice; rename one")]
    DuplicateCrew {
        /// The name.
        crew: CrewName,
    },
    /// A need on a crew that is not there (rule N6).
    #[error("crew `{crew}` needs `{needs}`, which no crew provides{}", hint(.meant.as_ref()))]
    UnknownCrew {
        /// Who needs it.
        crew: CrewName,
        /// What it needs.
        needs: CrewName,
        /// What was probably meant.
        meant: Option<String>,
    },
    /// Access rules for a crew that is not there.
    #[error("`context.access` names `{crew}`, which is no crew{}", hint(.meant.as_ref()))]
    UnknownAccess {
        /// The name.
        crew: CrewName,
        /// What was probably meant.
        meant: Option<String>,
    },
    /// A kind that `kinds` does not list (rule N6).
    #[error("crew `{crew}` names kind `{kind}`, which `kinds` does not list{}", hint(.meant.as_ref()))]
    UnknownKind {
        /// Whose trigger or need.
        crew: CrewName,
        /// The kind or glob.
        kind: String,
        /// What was probably meant.
        meant: Option<String>,
    },
    /// Crews that wait for each other in one slice (rule N3).
    #[error("crews need each other in one slice: {}; give one of these needs an offset of -1", path(.crews))]
    Cycle {
        /// From a crew back to itself.
        crews: Vec<CrewName>,
    },
    /// Crews that only start each other.
    #[error("crews without triggers start each other for ever: {}; give one of them a trigger", path(.crews))]
    EndlessLoop {
        /// From a crew back to itself.
        crews: Vec<CrewName>,
    },
    /// A crew that nothing can wake (rule C1).
    #[error(
        "crew `{crew}` would never run: it has no triggers and needs no crew; add `triggers`, for all kinds `\"*\"`"
    )]
    NeverRuns {
        /// Its name.
        crew: CrewName,
    },
    /// A value outside its range, or that does not go with another.
    #[error("crew `{crew}`: `{field}` is `{value}`, it takes {right}")]
    BadValue {
        /// Whose.
        crew: CrewName,
        /// Which field.
        field: &'static str,
        /// What it is.
        value: String,
        /// What would be right.
        right: String,
    },
    /// More crews than `Limits::crews`.
    #[error("a plan takes at most {limit} crews (`Limits::crews`)")]
    TooManyCrews {
        /// The limit.
        limit: usize,
    },
}

fn hint(meant: Option<&String>) -> String {
    meant.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

fn path(crews: &[CrewName]) -> String {
    crews.iter().map(|crew| format!("`{crew}`")).collect::<Vec<_>>().join(" → ")
}
