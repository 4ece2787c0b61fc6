//! What one process holds, wants and gives up: stepped by hand, without a clock or a network.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::{
    bucket::Entry,
    lease::{Held, Holder, Moment, Seen},
    nodes::Nodes,
    shards::ranking,
    told::Told,
};
use crate::store::Scope;

/// Scopes handed over at a time for the sake of balance: each is drained, and its events wait.
const MOVES: usize = 2;

/// A question for the server. The answer comes back through [`Claims::answered`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// Write the key of this process.
    Announce,
    /// Remove it.
    Withdraw,
    /// Write a lease.
    Lease { key: String, after: u64 },
    /// Remove a lease.
    Release { key: String, after: u64 },
}

/// The leases of one process.
#[derive(Debug)]
pub(super) struct Claims {
    pub me: Holder,
    ttl: Duration,
    balances: bool,
    scopes: BTreeMap<String, Claim>,
    nodes: Nodes,
    presence: Presence,
    told: VecDeque<Told>,
    stopping: Stopping,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopping {
    No,
    /// Everything is to be released, and the session says when.
    Leaving,
    /// Everything is released already, as far as the session is concerned.
    Now,
}

#[derive(Debug)]
struct Presence {
    /// When the last announcement that was heard was sent.
    announced: Option<Moment>,
    is_asking: bool,
    is_withdrawn: bool,
}

#[derive(Debug)]
struct Claim {
    scope: Scope,
    /// Nothing before the first look.
    seen: Option<Seen>,
    state: State,
    /// Whether the session has put down what is leaving.
    is_put_down: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Somebody else's, or nobody's.
    Free,
    /// Asked for.
    Asking,
    /// Ours.
    Held(Held),
    /// Ours until the session has drained it.
    Leaving(Held),
    /// Ours until the server has heard that it is not.
    Ending,
    /// No longer ours; the session has still to put it down.
    Lost,
}

impl Claims {
    pub(super) fn new(me: Holder, scopes: Vec<(String, Scope)>, balances: bool) -> Self {
        let ttl = Duration::from_millis(me.ttl_ms);
        let claim = |scope| Claim { scope, seen: None, state: State::Free, is_put_down: false };
        Self {
            me,
            ttl,
            balances,
            scopes: scopes.into_iter().map(|(key, scope)| (key, claim(scope))).collect(),
            nodes: Nodes::default(),
            // Only who shares shards has to be known to others.
            presence: Presence { announced: None, is_asking: false, is_withdrawn: !balances },
            told: VecDeque::new(),
            stopping: Stopping::No,
        }
    }

    /// The keys to look at.
    pub(super) fn keys(&self) -> Vec<String> {
        self.scopes.keys().cloned().collect()
    }

    /// Takes in what stands in the buckets.
    pub(super) fn look(
        &mut self,
        now: Moment,
        leases: &BTreeMap<String, Entry>,
        nodes: &BTreeMap<String, Entry>,
    ) {
        self.nodes.look(now, nodes);
        for (key, claim) in &mut self.scopes {
            let seen = claim.seen.get_or_insert_default();
            seen.look(now, leases.get(key));
            let (State::Held(held) | State::Leaving(held)) = &mut claim.state else { continue };
            if held.is_asking || seen.sequence <= held.sequence {
                continue;
            }
            if seen.holder.as_ref().is_some_and(|holder| holder.node == self.me.node) {
                // A renewal that was never answered was stored all the same.
                held.sequence = seen.sequence;
            } else {
                claim.lose(&mut self.told);
            }
        }
    }

    /// Takes in the answer to a question sent at `sent`: the sequence stored, or that it was not.
    pub(super) fn answered(&mut self, sent: Moment, ask: &Ask, answer: Option<u64>) {
        let (key, is_lease) = match ask {
            Ask::Announce => {
                self.presence.is_asking = false;
                if answer.is_some() {
                    self.presence.announced = Some(sent);
                }
                return;
            }
            Ask::Withdraw => {
                // If it was not heard it ends by itself.
                (self.presence.is_asking, self.presence.is_withdrawn) = (false, true);
                return;
            }
            Ask::Lease { key, .. } => (key, true),
            Ask::Release { key, .. } => (key, false),
        };
        let Some(claim) = self.scopes.get_mut(key) else { return };
        match (&mut claim.state, answer) {
            (state @ State::Asking, Some(sequence)) if is_lease => {
                let held = Held { sequence, taken: sent, renewed: sent, is_asking: false };
                if self.stopping == Stopping::No {
                    *state = State::Held(held);
                    self.told.push_back(Told::Owned(claim.scope.clone()));
                } else {
                    // The session never hears of it, so it has nothing to put down.
                    *state = State::Leaving(held);
                    claim.is_put_down = true;
                }
            }
            (state @ State::Asking, None) => *state = State::Free,
            (State::Held(held) | State::Leaving(held), answer) if is_lease => {
                held.is_asking = false;
                if let Some(sequence) = answer {
                    (held.sequence, held.renewed) = (sequence, sent);
                }
            }
            (state @ State::Ending, answer) if !is_lease => {
                *state = State::Free;
                claim.is_put_down = false;
                if let (Some(sequence), Some(seen)) = (answer, &mut claim.seen) {
                    *seen = Seen { sequence, holder: None, since: sent };
                }
            }
            // An answer that came after the lease was lost.
            _ => {}
        }
    }

    /// The session has put a scope down.
    pub(super) fn released(&mut self, scope: &Scope) {
        if let Some(claim) = self.scopes.values_mut().find(|claim| claim.scope == *scope) {
            claim.put_down();
        }
    }

    /// Gives everything up; claims nothing more.
    pub(super) fn leave(&mut self) {
        if self.stopping == Stopping::No {
            self.stopping = Stopping::Leaving;
            for claim in self.scopes.values_mut() {
                claim.hand_over(&mut self.told);
            }
        }
    }

    /// Ends: the session has put everything down.
    pub(super) fn stop(&mut self) {
        self.stopping = Stopping::Now;
        self.scopes.values_mut().for_each(Claim::put_down);
        self.told.clear();
    }

    /// Whether nothing is left to be done after [`stop`](Self::stop).
    pub(super) fn is_over(&self) -> bool {
        let at_rest = |claim: &Claim| matches!(claim.state, State::Free | State::Lost);
        self.stopping == Stopping::Now
            && self.presence.is_withdrawn
            && self.scopes.values().all(at_rest)
    }

    /// What the session has to know, in order.
    pub(super) fn poll_told(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// When a lease ends that is not renewed before.
    pub(super) fn next_end(&self) -> Option<Moment> {
        self.scopes.values().filter_map(|claim| Some(claim.held()?.ends(self.ttl))).min()
    }

    /// Takes every decision that is due.
    pub(super) fn decide(&mut self, now: Moment, asks: &mut Vec<Ask>) {
        for claim in self.scopes.values_mut() {
            if claim.held().is_some_and(|held| now >= held.ends(self.ttl)) {
                claim.lose(&mut self.told);
            }
        }
        self.announce(now, asks);
        let live: Vec<&str> = self.nodes.live(now).collect();
        let mut moves = MOVES.saturating_sub(
            self.scopes.values().filter(|claim| matches!(claim.state, State::Leaving(_))).count(),
        );
        for (key, claim) in &mut self.scopes {
            if let (State::Leaving(held), true) = (claim.state, claim.is_put_down) {
                // Not beside a renewal, which would make this one be refused.
                if !held.is_asking {
                    claim.state = State::Ending;
                    asks.push(Ask::Release { key: key.clone(), after: held.sequence });
                }
                continue;
            }
            if let State::Held(held) | State::Leaving(held) = &mut claim.state
                && held.is_due(now, self.ttl)
            {
                held.is_asking = true;
                asks.push(Ask::Lease { key: key.clone(), after: held.sequence });
            }
            if self.stopping != Stopping::No {
                continue;
            }
            let me = self.me.node.as_str();
            let place = place(&live, key, me, self.balances);
            match (&claim.state, &claim.seen) {
                (State::Free, Some(seen)) if is_ours_to_take(now, self.ttl, seen, me, place) => {
                    asks.push(Ask::Lease { key: key.clone(), after: seen.sequence });
                    claim.state = State::Asking;
                }
                // Not at once: who should have it may have just failed to keep it.
                (State::Held(held), _)
                    if moves > 0
                        && now >= held.taken + self.ttl / 2
                        && place.is_some_and(|place| place > 0) =>
                {
                    moves -= 1;
                    claim.hand_over(&mut self.told);
                }
                _ => {}
            }
        }
    }

    fn announce(&mut self, now: Moment, asks: &mut Vec<Ask>) {
        let presence = &mut self.presence;
        if presence.is_asking || presence.is_withdrawn {
            return;
        }
        if self.stopping != Stopping::No {
            presence.is_asking = true;
            asks.push(Ask::Withdraw);
        } else if presence.announced.is_none_or(|at| now.saturating_sub(at) >= self.ttl / 3) {
            presence.is_asking = true;
            asks.push(Ask::Announce);
        }
    }
}

/// The place of this process among those that are to run `key`; nothing as long as others cannot
/// see it.
fn place(live: &[&str], key: &str, me: &str, balances: bool) -> Option<u32> {
    if !balances {
        return Some(0);
    }
    let place = ranking(key, live.iter().copied()).into_iter().position(|node| node == me)?;
    u32::try_from(place).ok()
}

/// The first in the ranking takes what is free at once, the others if it does not.
fn is_ours_to_take(now: Moment, ttl: Duration, seen: &Seen, me: &str, place: Option<u32>) -> bool {
    // A lease of our own that we do not hold: an answer was lost.
    let is_own = seen.holder.as_ref().is_some_and(|holder| holder.node == me);
    let free = if is_own { Some(seen.since) } else { seen.free_since() };
    place.zip(free).is_some_and(|(place, free)| now >= free.saturating_add(ttl * place))
}

impl Claim {
    fn held(&self) -> Option<&Held> {
        match &self.state {
            State::Held(held) | State::Leaving(held) => Some(held),
            State::Free | State::Asking | State::Ending | State::Lost => None,
        }
    }

    fn lose(&mut self, told: &mut VecDeque<Told>) {
        if std::mem::take(&mut self.is_put_down) {
            self.state = State::Free;
        } else {
            self.state = State::Lost;
            told.push_back(Told::Lost(self.scope.clone()));
        }
    }

    fn hand_over(&mut self, told: &mut VecDeque<Told>) {
        if let State::Held(held) = self.state {
            self.state = State::Leaving(held);
            told.push_back(Told::Release(self.scope.clone()));
        }
    }

    fn put_down(&mut self) {
        match self.state {
            State::Held(held) | State::Leaving(held) => {
                self.state = State::Leaving(held);
                self.is_put_down = true;
            }
            State::Lost => self.state = State::Free,
            State::Free | State::Asking | State::Ending => {}
        }
    }
}

#[cfg(test)]
#[path = "claims_tests.rs"]
mod tests;
