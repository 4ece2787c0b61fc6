//! What can be asked of an engine without changing it.

use super::{
    Context, Counters, Digest, Engine, Fact, Pace, Plan, Slice, StreamId,
    crew::{Phase, Running},
};

impl Engine {
    /// The plan it runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The stream it is.
    pub fn stream(&self) -> &StreamId {
        &self.state.stream
    }

    /// The context after the last commit.
    pub fn context(&self) -> &Context {
        &self.state.context
    }

    /// The digest after the last commit; `None` until the epoch is fixed.
    pub fn digest(&self) -> Option<Digest> {
        self.state.digest
    }

    /// Slices committed so far.
    pub fn commits(&self) -> u64 {
        self.state.commits
    }

    /// The oldest slice that is not closed.
    pub fn open_slice(&self) -> Slice {
        self.state.inbox.open
    }

    /// The slice arithmetic of the stream, once its epoch is fixed (rule T1).
    pub fn clock(&self) -> Option<super::Clock> {
        self.state.inbox.clock
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.state.counters
    }

    /// Whether every slice that is closed is committed and no run is under way.
    pub fn is_idle(&self) -> bool {
        self.state.turn.is_none()
            && self.state.queue.is_empty()
            && self.state.crews.iter().all(|crew| crew.running.is_empty())
    }

    /// Whether a slice is being worked on: in virtual pace no event should be fed meanwhile.
    pub fn is_busy(&self) -> bool {
        self.state.turn.is_some() || !self.state.queue.is_empty()
    }

    /// Whether nothing more happens without new input: nothing is under way and, in realtime pace,
    /// nothing waits for its slice. Virtual time stands still without input, so there it may.
    pub fn is_at_rest(&self) -> bool {
        match self.plan.settings.pace {
            Pace::Virtual => {
                let held = |running: &Running| matches!(running.phase, Phase::Held(_));
                let running = self.state.crews.iter().flat_map(|crew| &crew.running);
                !self.is_busy() && running.into_iter().all(held)
            }
            // What is left of the agenda when it finished had no work.
            Pace::Realtime if self.state.finished => true,
            Pace::Realtime => {
                self.is_idle() && self.state.inbox.held == 0 && self.state.agenda.is_empty()
            }
        }
    }

    /// Whether the next event may be refused; if not, [`handle`](Self::handle) will take it.
    pub fn may_refuse(&self) -> bool {
        let state = &self.state;
        let limit = self.plan.settings.limits.open_events;
        state.ended || state.failed.is_some() || state.inbox.held >= limit
    }

    /// Events in slices that are not committed.
    pub fn held(&self) -> usize {
        self.state.inbox.held
    }

    /// The lowest cursor among the events in slices that are not committed.
    pub fn first_held(&self) -> Option<u64> {
        self.state.inbox.first_held()
    }

    /// The highest cursor taken in: where the source goes on after a crash.
    pub fn cursor(&self) -> Option<u64> {
        self.state.inbox.cursor()
    }

    /// Whether everything is done.
    pub fn is_finished(&self) -> bool {
        self.state.finished
    }

    /// Starts to keep facts, for `explain`, `blame` and `diff`.
    pub fn observe(&mut self) {
        self.facts.get_or_insert_default();
    }

    /// The facts since the last call.
    pub fn take_facts(&mut self) -> Vec<Fact> {
        self.facts.as_mut().map(std::mem::take).unwrap_or_default()
    }
}
