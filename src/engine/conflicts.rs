//! Who wrote which context path in a slice, to find writers that did not see each other (X2).

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Change, CrewIx, Diff, Op, RunId};

type Path = Vec<Arc<str>>;

/// The writes of a slice. While there is one writer only, nothing is indexed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Writes {
    by_path: BTreeMap<Path, RunId>,
    /// Diffs that are not in `by_path` yet, all of one crew whose runs see each other.
    unindexed: Vec<(RunId, Arc<Diff>)>,
}

/// Two writers of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conflict {
    pub path: Path,
    pub first: RunId,
}

impl Writes {
    /// Whether anything was written by a run that a run of `crew` did not see.
    pub fn has_strangers(&self, crew: CrewIx, sees_own: bool) -> bool {
        let own = |run: &RunId| run.crew == crew && sees_own;
        !self.by_path.is_empty() || self.unindexed.iter().any(|(run, _)| !own(run))
    }

    /// The writes of a diff that meet one of a run not seen, once for each path.
    pub fn conflicts(&mut self, diff: &Diff, seen: impl Fn(&RunId) -> bool) -> Vec<Conflict> {
        for (run, diff) in std::mem::take(&mut self.unindexed) {
            self.index(run, &diff);
        }
        diff.0
            .iter()
            .filter_map(|op| self.conflict(op, &seen))
            .collect()
    }

    pub fn add(&mut self, run: RunId, diff: &Arc<Diff>) {
        if self.by_path.is_empty() {
            self.unindexed.push((run, Arc::clone(diff)));
        } else {
            self.index(run, diff);
        }
    }

    fn index(&mut self, run: RunId, diff: &Diff) {
        for op in diff.0.iter().filter(|op| claims(op)) {
            self.by_path.insert(op.path.clone(), run);
        }
    }

    fn conflict(&self, op: &Op, seen: impl Fn(&RunId) -> bool) -> Option<Conflict> {
        if !claims(op) {
            return None;
        }
        let above = (1..=op.path.len()).filter_map(|depth| self.by_path.get(&op.path[..depth]));
        let below = self
            .by_path
            .range(op.path.clone()..)
            .take_while(|(path, _)| path.starts_with(&op.path))
            .map(|(_, run)| run);
        let first = above.chain(below).find(|run| !seen(run))?;
        Some(Conflict {
            path: op.path.clone(),
            first: *first,
        })
    }
}

/// Adding and appending never conflict, and neither does wanting an object to be there.
fn claims(op: &Op) -> bool {
    matches!(op.change, Change::Set(_) | Change::Delete)
}
