//! What tests of the whole runtime are made of.

mod build;
mod rng;

pub(crate) use build::{
    action, count, crew, delivery, done, event, failed, kind, plan, stream, template, text, with_id,
};
pub(crate) use rng::Rng;
