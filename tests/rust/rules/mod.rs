//! Every rule of `docs/semantics.md` told as stories, with what must come of them worked out by
//! hand from the rule.

mod context;
mod crews;
mod needs;
mod order;
mod time;
mod timing;
