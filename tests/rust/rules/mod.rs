//! Every rule of `docs/semantics.md` told as stories, with what must come of them worked out by
//! hand from the rule.

mod arrival;
pub(crate) mod cited;
mod context;
mod context_laws;
mod corners;
mod corners_of_needs;
mod crashes;
mod crews;
mod failures;
mod journal;
mod late;
mod merging;
mod needs;
mod order;
mod plan;
mod seed;
mod streams;
mod time;
mod timing;
mod waits;
mod written;
