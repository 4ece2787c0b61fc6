//! Who is there: each process that may run shards keeps a key with its name alive.

use std::{collections::BTreeMap, time::Duration};

use super::{
    bucket::Entry,
    lease::{Moment, Seen},
};

/// The processes seen.
#[derive(Debug, Default)]
pub(super) struct Nodes(BTreeMap<String, Seen>);

impl Nodes {
    /// Takes in what a look found.
    pub(super) fn look(&mut self, now: Moment, entries: &BTreeMap<String, Entry>) {
        self.0.retain(|node, _| entries.contains_key(node));
        for (node, entry) in entries {
            self.0.entry(node.clone()).or_default().look(now, Some(entry));
        }
    }

    /// Those who spoke within their time to live, in order.
    pub(super) fn live(&self, now: Moment) -> impl Iterator<Item = &str> {
        let is_live = move |seen: &Seen| {
            let ttl = seen.holder.as_ref().map_or(0, |holder| holder.ttl_ms);
            now < seen.since.saturating_add(Duration::from_millis(ttl))
        };
        self.0.iter().filter(move |(_, seen)| is_live(seen)).map(|(node, _)| node.as_str())
    }
}
