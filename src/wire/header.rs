//! The header of a journal: everything needed to fold it again (rule J6).

use std::{collections::BTreeSet, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    DecodeError,
    record::{FORMAT, malformed},
};
use crate::engine::{CrewSpec, Plan, PlanError, StreamId, StreamSettings};

/// What a journal is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The format of the journal.
    pub format: u8,
    /// The version of live-crew that wrote it.
    pub live_crew: String,
    /// The version of crewai that ran in it.
    #[serde(default)]
    pub crewai: Option<String>,
    /// The source its events came from first: only that one can go on where it was.
    #[serde(default)]
    pub source: Option<String>,
    /// The stream.
    pub stream: StreamId,
    /// What holds for the stream.
    pub settings: StreamSettings,
    /// Its crews, in the order of rule O2, each with its fingerprint.
    pub crews: Arc<[CrewSpec]>,
}

/// How a plan differs from the one a journal was written with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Not at all.
    None,
    /// The code, the prompts or the model of these crews.
    Fingerprints(Vec<String>),
    /// Something that changes what folding the journal gives: what, as a clause.
    Plan(String),
}

impl Header {
    /// The header of a new journal.
    pub fn new(stream: StreamId, plan: &Plan, crewai: Option<String>) -> Self {
        Self {
            format: FORMAT,
            live_crew: env!("CARGO_PKG_VERSION").to_owned(),
            crewai,
            source: None,
            stream,
            settings: plan.settings.clone(),
            crews: Arc::clone(&plan.specs),
        }
    }

    /// The plan the journal was written with.
    pub fn plan(&self) -> Result<Arc<Plan>, PlanError> {
        Plan::check(self.crews.to_vec(), self.settings.clone())
    }

    pub(super) fn from_json(text: &[u8]) -> Result<Self, DecodeError> {
        let header: Self = serde_json::from_slice(text)
            .map_err(|error| malformed("a header", &error.to_string()))?;
        match header.format {
            FORMAT => Ok(header),
            found if found > FORMAT => Err(DecodeError::NewerFormat { found }),
            _ => Err(malformed("a header", "it has no format")),
        }
    }

    /// What going on with `plan` would change.
    pub fn change_to(&self, plan: &Plan) -> Change {
        if self.settings != plan.settings {
            return Change::Plan("its settings differ".to_owned());
        }
        if let Some(what) = self.crews_changed(plan) {
            return Change::Plan(what);
        }
        let mut touched = Vec::new();
        for (old, new) in self.crews.iter().zip(&plan.crews) {
            let renamed = CrewSpec { fingerprint: old.fingerprint.clone(), ..new.spec.clone() };
            if *old != renamed {
                return Change::Plan(format!("crew `{}` is declared differently", new.spec.name));
            }
            if old.fingerprint != new.spec.fingerprint {
                touched.push(old.name.to_string());
            }
        }
        if touched.is_empty() { Change::None } else { Change::Fingerprints(touched) }
    }

    /// Which crews came or went, if any did.
    fn crews_changed(&self, plan: &Plan) -> Option<String> {
        let old: BTreeSet<&str> = self.crews.iter().map(|crew| crew.name.as_str()).collect();
        let new: BTreeSet<&str> = plan.crews.iter().map(|crew| crew.spec.name.as_str()).collect();
        let told = |crews: Vec<&&str>, what: &str| {
            let names: Vec<String> = crews.iter().map(|crew| format!("`{crew}`")).collect();
            let (many, is) = if names.len() == 1 { ("", "is") } else { ("s", "are") };
            (!names.is_empty()).then(|| format!("crew{many} {} {is} {what}", names.join(", ")))
        };
        let gone = told(old.difference(&new).collect(), "missing");
        let came = told(new.difference(&old).collect(), "new");
        gone.into_iter().chain(came).reduce(|gone, came| format!("{gone}, {came}"))
    }
}
