//! Which nodes a walk can reach at all.

use super::walk::Links;

/// Nodes that no path of links leads to from any of `entries`, ascending.
pub(super) fn unreached(
    links: &impl Links,
    nodes: impl Iterator<Item = u32>,
    entries: impl Iterator<Item = u32>,
    n_rows: usize,
) -> Vec<u32> {
    let mut reached = vec![false; n_rows];
    let mut open: Vec<u32> = Vec::new();
    for entry in entries {
        if !std::mem::replace(&mut reached[entry as usize], true) {
            open.push(entry);
        }
    }
    while let Some(node) = open.pop() {
        links.for_each(node, |next| {
            if !std::mem::replace(&mut reached[next as usize], true) {
                open.push(next);
            }
        });
    }
    nodes.filter(|node| !reached[*node as usize]).collect()
}
