//! Which process runs which shard: each process has a number for each shard, made of their names,
//! and the highest wins. When a process comes or goes only its own shards move.

/// The processes in the order in which they are to run `key`.
pub(super) fn ranking<'a>(key: &str, nodes: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut all: Vec<([u8; 32], &str)> =
        nodes.into_iter().map(|node| (weight(key, node), node)).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    all.into_iter().map(|(_, node)| node).collect()
}

fn weight(key: &str, node: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    // A key has no NUL in it, so no two pairs give the same text.
    hasher.update(key.as_bytes()).update(&[0]).update(node.as_bytes());
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn owner(shard: u32, nodes: &BTreeSet<String>) -> &str {
        ranking(&format!("shard.{shard}"), nodes.iter().map(String::as_str))[0]
    }

    proptest! {
        #[test]
        fn only_shards_of_who_comes_or_goes_move(
            nodes in prop::collection::btree_set("[a-z]{1,8}", 1..8),
            new in "[A-Z]{1,8}",
            shards in 1_u32..64,
        ) {
            let mut more = nodes.clone();
            more.insert(new.clone());
            for shard in 0..shards {
                let (before, after) = (owner(shard, &nodes), owner(shard, &more));
                prop_assert!(nodes.contains(before));
                prop_assert!(after == before || after == new);
            }
        }

        #[test]
        fn the_order_of_names_does_not_matter(
            nodes in prop::collection::btree_set("[a-z]{1,8}", 1..8), shard in 0_u32..64,
        ) {
            let key = format!("shard.{shard}");
            let forth = ranking(&key, nodes.iter().map(String::as_str));
            let back = ranking(&key, nodes.iter().rev().map(String::as_str));
            prop_assert_eq!(&forth, &back);
            prop_assert_eq!(forth.len(), nodes.len());
        }
    }

    #[test]
    fn shards_are_spread() {
        let nodes: BTreeSet<String> = (0..4).map(|node| format!("node{node}")).collect();
        for node in &nodes {
            let own = (0..256).filter(|&shard| owner(shard, &nodes) == node).count();
            assert!((32..128).contains(&own), "{node} has {own} of 256 shards");
        }
    }
}
