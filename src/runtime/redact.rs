//! What must not be written down.

use std::sync::Arc;

use crate::{
    engine::{Outcome, Output, Plan},
    wire,
};

/// Rule J7: what must not be written down is gone before it takes effect.
pub(crate) fn redacted(outcome: Outcome, plan: &Plan) -> Outcome {
    let redact = &plan.settings.redact;
    if redact.payload.is_empty() && redact.context.is_empty() {
        return outcome;
    }
    let Outcome::Done(output) = outcome else {
        return outcome;
    };
    let mut output: Output = Arc::unwrap_or_clone(output);
    for draft in &mut output.actions {
        if let Some(payload) = wire::redact_payload(&draft.payload, &redact.payload) {
            draft.payload = payload;
        }
    }
    if let Some(value) = wire::redact_payload(&output.value, &redact.payload) {
        output.value = value;
    }
    wire::redact_diff(&mut output.diff, &redact.context);
    Outcome::Done(Arc::new(output))
}
