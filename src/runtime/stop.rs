//! Two ways to stop: drain finishes what is under way, abort does not.

use tokio::sync::watch;

/// How to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Take nothing in any more, finish what is under way, then end.
    Drain,
    /// End now. What was acknowledged is in the journal, the rest comes again.
    Abort,
}

/// Stops a runtime from elsewhere; may be cloned.
#[derive(Debug, Clone)]
pub struct StopSwitch(watch::Sender<Option<Stop>>);

impl StopSwitch {
    /// A switch nobody has touched.
    pub fn new() -> Self {
        Self(watch::channel(None).0)
    }

    /// Asks for a stop. An abort overrides a drain, not the other way round.
    pub fn stop(&self, stop: Stop) {
        self.0.send_if_modified(|asked| {
            let stronger = asked.is_none() || stop == Stop::Abort;
            if stronger {
                *asked = Some(stop);
            }
            stronger
        });
    }

    /// Waits until a stop stronger than `known` is asked for.
    pub(crate) async fn asked(&self, known: Option<Stop>) -> Stop {
        let mut receiver = self.0.subscribe();
        loop {
            let asked = *receiver.borrow_and_update();
            if let Some(stop) = asked.filter(|_| asked != known) {
                return stop;
            }
            // The sender is `self`, so it lives as long as this future.
            receiver.changed().await.expect("the sender is borrowed here");
        }
    }
}

impl Default for StopSwitch {
    fn default() -> Self {
        Self::new()
    }
}
