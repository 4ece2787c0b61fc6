//! Every rule of `docs/semantics.md` told as stories, with what must come of them worked out by
//! hand from the rule.

pub(crate) mod cited;
mod context;
mod corners;
mod crashes;
mod crews;
mod journal;
mod needs;
mod order;
mod plan;
mod streams;
mod time;
mod timing;
mod written;
