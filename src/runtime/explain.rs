//! Why a crew ran in a slice, waits, or did not run (rule N6).

use std::fmt;

use serde::Serialize;

use super::{RuntimeError, Story, replay::Folding, story::Stories};
use crate::{
    engine::{CrewIx, Engine, Fact, Planned, RunId, Slice, StreamId, closest},
    json::{Json, JsonLimits, parse},
    store::Store,
};

/// What the journal says of a crew in a slice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The crew.
    pub crew: String,
    /// The slice.
    pub slice: i64,
    /// The runs that slice triggered, started or landed.
    pub runs: Vec<Story>,
    /// Why there is none, if there is none.
    pub none_because: Option<String>,
}

/// Explains a crew in a slice from the records the journal still holds.
pub async fn explain(
    store: &mut impl Store,
    stream: &StreamId,
    crew: &str,
    slice: Slice,
) -> Result<Explanation, RuntimeError> {
    let mut folding = Folding::first(store, stream).await?;
    let plan = folding.engine.plan();
    let Some(ix) = plan.find(crew) else {
        let meant = closest(crew, plan.crews.iter().map(|crew| crew.spec.name.as_str()));
        return Err(RuntimeError::UnknownCrew { crew: crew.to_owned(), meant });
    };
    if let Some(from) = folding.slice.filter(|from| *from >= slice) {
        return Err(RuntimeError::Pruned { stream: stream.clone(), slice, from });
    }
    folding.engine.observe();
    let stories = Stories { of: Some(ix), ..Stories::default() };
    let mut seen = Seen { ix, slice, stories, kinds: None, why: None };
    folding
        .fold_all(store, |engine, _| {
            for fact in engine.take_facts() {
                seen.take(engine, fact);
            }
        })
        .await?;
    Ok(seen.explain(&folding.engine))
}

/// What was seen of one crew while folding.
struct Seen {
    ix: CrewIx,
    slice: Slice,
    stories: Stories,
    /// The kinds of the events of the slice, once it is committed.
    kinds: Option<Vec<String>>,
    /// What kept the crew from running in the slice.
    why: Option<String>,
}

impl Seen {
    fn take(&mut self, engine: &Engine, fact: Fact) {
        self.stories.take(engine, &fact);
        match fact {
            Fact::Accumulated { crew, slice, until } if crew == self.ix && slice == self.slice => {
                self.why = Some(format!(
                    "`slice_stride` lets it run in slice {}: its triggers wait for that",
                    until.0
                ));
            }
            Fact::Disabled { crew, from, until }
                if crew == self.ix
                    && from <= self.slice
                    && until.is_none_or(|until| until > self.slice) =>
            {
                let until = until.map(|until| format!(" until slice {}", until.0));
                let until = until.unwrap_or_default();
                self.why = Some(format!("it is disabled since slice {}{until}", from.0));
            }
            Fact::Committed { slice, report, .. } if slice == self.slice => {
                self.kinds = Some(kinds_in(&report));
            }
            _ => {}
        }
    }

    fn explain(self, engine: &Engine) -> Explanation {
        let crew = engine.plan().crew(self.ix);
        let at = Some(self.slice.0);
        let about = |(run, story): &(RunId, Story)| {
            run.key.trigger == self.slice || story.started == at || story.ended == at
        };
        let runs: Vec<Story> =
            self.stories.told.into_iter().filter(about).map(|(_, story)| story).collect();
        let none_because = runs.is_empty().then(|| {
            self.why.unwrap_or_else(|| why_not(engine, crew, self.slice, self.kinds.as_deref()))
        });
        let crew = crew.spec.name.to_string();
        Explanation { crew, slice: self.slice.0, runs, none_because }
    }
}

fn why_not(engine: &Engine, crew: &Planned, slice: Slice, kinds: Option<&[String]>) -> String {
    if slice >= engine.open_slice() {
        return "the slice is not closed yet".to_owned();
    }
    if crew.by_landing {
        let needs: Vec<String> = crew.spec.needs.iter().map(|need| format!("`{need}`")).collect();
        return format!("it runs when its needs land, and none did for it: {}", needs.join(", "));
    }
    let triggers: Vec<String> =
        crew.spec.triggers.iter().map(|trigger| format!("`{}`", trigger.as_str())).collect();
    let there = match kinds {
        Some(kinds) if !kinds.is_empty() => format!("the slice has {}", kinds.join(", ")),
        _ => "the slice has no events".to_owned(),
    };
    format!("no event of its triggers ({}): {there}", triggers.join(", "))
}

/// The kinds of the members of a slice, each once, as its report has them.
fn kinds_in(report: &str) -> Vec<String> {
    let limits = JsonLimits { depth: usize::MAX, bytes: usize::MAX };
    let Ok(Json::Object(report)) = parse(report.as_bytes(), &limits) else {
        return Vec::new();
    };
    let Some(Json::Array(members)) = report.get("members") else {
        return Vec::new();
    };
    let kind = |member: &Json| Some(format!("`{}`", member.as_object()?.get("kind")?.as_str()?));
    let mut kinds: Vec<String> = members.iter().filter_map(kind).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.crew, self.slice)?;
        if let Some(why) = &self.none_because {
            return write!(f, " did not run: {why}");
        }
        self.runs.iter().try_for_each(|story| write!(f, "\n  {story}"))
    }
}
