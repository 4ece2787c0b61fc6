//! Who wrote which context path in a slice, to find writers that did not see each other (X2).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{Change, CrewIx, Diff, Op, RunId};

type Path = Vec<Arc<str>>;

/// The writes of a slice. While there is one writer only, nothing is indexed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Writes {
    /// For each path the first run of each crew that wrote it: who sees a run sees its crew.
    by_path: BTreeMap<Path, SmallVec<[RunId; 1]>>,
    /// Diffs that are not in `by_path` yet, all of one crew whose runs see each other.
    unindexed: Vec<(RunId, Arc<Diff>)>,
}

/// Two writers of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conflict {
    pub path: Path,
    pub first: RunId,
}

impl Conflict {
    pub fn dotted(&self) -> String {
        self.path.join(".")
    }
}

impl Writes {
    /// Whether anything was written by a run that a run of `crew` did not see.
    pub fn has_strangers(&self, crew: CrewIx, sees_own: bool) -> bool {
        let own = |run: &RunId| run.crew == crew && sees_own;
        // Those that are not indexed are all of one crew.
        !self.by_path.is_empty() || self.unindexed.first().is_some_and(|(run, _)| !own(run))
    }

    /// The writes of a diff that meet one of a run not seen, once for each path.
    pub fn conflicts(&mut self, diff: &Diff, seen: impl Fn(&RunId) -> bool) -> Vec<Conflict> {
        for (run, diff) in std::mem::take(&mut self.unindexed) {
            self.index(run, &diff);
        }
        let mut told = BTreeSet::new();
        let claimed = diff.0.iter().filter(|op| claims(op) && told.insert(&op.path));
        claimed.filter_map(|op| self.conflict(&op.path, &seen)).collect()
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
            let writers = self.by_path.entry(op.path.clone()).or_default();
            if writers.iter().all(|writer| writer.crew != run.crew) {
                writers.push(run);
            }
        }
    }

    fn conflict(&self, path: &Path, seen: impl Fn(&RunId) -> bool) -> Option<Conflict> {
        let above = (1..path.len()).filter_map(|depth| self.by_path.get(&path[..depth]));
        let below = self
            .by_path
            .range(path.clone()..)
            .take_while(|(other, _)| other.starts_with(path))
            .map(|(_, writers)| writers);
        let first = above.chain(below).flatten().find(|run| !seen(run))?;
        Some(Conflict { path: path.clone(), first: *first })
    }
}

/// Adding and appending never conflict, and neither does wanting an object to be there.
fn claims(op: &Op) -> bool {
    matches!(op.change, Change::Set(_) | Change::Delete)
}
