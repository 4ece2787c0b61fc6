//! The graph of crew needs: levels at offset 0 (rules O2, N3), cycles spelled out.

/// For each node its level: one more than the highest level it needs, 0 without needs. `Err` is
/// one cycle, from a node back to itself.
pub(super) fn levels(needs: &[Vec<usize>]) -> Result<Vec<u32>, Vec<usize>> {
    let mut waits_for: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut needed_by = vec![Vec::new(); needs.len()];
    for (node, needed) in needs.iter().enumerate() {
        for &needed in needed {
            needed_by[needed].push(node);
        }
    }
    let mut levels = vec![0; needs.len()];
    let mut free: Vec<usize> = (0..needs.len()).filter(|&node| waits_for[node] == 0).collect();
    let mut placed = 0;
    while let Some(node) = free.pop() {
        placed += 1;
        for &next in &needed_by[node] {
            levels[next] = levels[next].max(levels[node] + 1);
            waits_for[next] -= 1;
            if waits_for[next] == 0 {
                free.push(next);
            }
        }
    }
    if placed == needs.len() { Ok(levels) } else { Err(cycle(needs, &waits_for)) }
}

/// A cycle among the nodes that could not be placed: each of them needs another of them.
fn cycle(needs: &[Vec<usize>], waits_for: &[usize]) -> Vec<usize> {
    let stuck = |&node: &usize| waits_for[node] > 0;
    let mut path: Vec<usize> = Vec::new();
    let mut node = (0..needs.len()).find(stuck).expect("a cycle keeps its nodes from being placed");
    while !path.contains(&node) {
        path.push(node);
        node = needs[node].iter().copied().find(stuck).expect("a stuck node needs a stuck node");
    }
    let start = path.iter().position(|&seen| seen == node).expect("the loop ended on a seen node");
    path.drain(..start);
    path.push(node);
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n3_a_level_is_one_more_than_the_highest_level_needed() {
        assert_eq!(levels(&[vec![], vec![0], vec![0, 1], vec![]]), Ok(vec![0, 1, 2, 0]));
    }

    #[test]
    fn n3_a_cycle_is_named_from_a_node_back_to_itself() {
        assert_eq!(levels(&[vec![2], vec![0], vec![1], vec![0]]), Err(vec![0, 2, 1, 0]));
        assert_eq!(levels(&[vec![], vec![1]]), Err(vec![1, 1]));
    }
}
