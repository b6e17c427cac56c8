//! Rows of equal codes: one of them is a node of the graph and stands for the others. Among thousands of equal vectors
//! every link would lead to another of them, and nothing out of their midst.

use std::hash::{BuildHasher, RandomState};

use super::file::Twin;
use crate::dense::codes::Codes;

/// Who stands for whom, both ways.
#[derive(Default)]
pub(super) struct Twins {
    /// By node.
    pairs: Vec<Twin>,
    /// By row.
    by_row: Vec<Twin>,
    /// One bit for each row that stands for others.
    nodes: Vec<u64>,
}

impl Twins {
    pub fn new(mut pairs: Vec<Twin>) -> Self {
        pairs.sort_unstable();
        let mut by_row = pairs.clone();
        by_row.sort_unstable_by_key(|twin| twin.row);
        let mut nodes = Vec::new();
        for twin in &pairs {
            let word = twin.node as usize / 64;
            if nodes.len() <= word {
                nodes.resize(word + 1, 0);
            }
            nodes[word] |= 1 << (twin.node % 64);
        }
        Self {
            pairs,
            by_row,
            nodes,
        }
    }

    /// The rows that a node stands for beside its own.
    pub fn of(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let word = self.nodes.get(node as usize / 64).copied().unwrap_or(0);
        let start = match word >> (node % 64) & 1 {
            0 => self.pairs.len(),
            _ => self.pairs.partition_point(|twin| twin.node < node),
        };
        let twins = self.pairs[start..].iter();
        twins
            .take_while(move |twin| twin.node == node)
            .map(|twin| twin.row)
    }

    /// The node that stands for a row: another one, or its own.
    pub fn node_of(&self, row: u32) -> u32 {
        match self.by_row.binary_search_by_key(&row, |twin| twin.row) {
            Ok(at) => self.by_row[at].node,
            Err(_) => row,
        }
    }
}

/// Rows of equal codes among all rows, none of which `is_twin` yet, with the one that is to stand for the others: a
/// row that `is_node` already where there is one, else the first.
pub(super) fn find_twins(
    codes: Codes,
    n_rows: u32,
    is_node: impl Fn(u32) -> bool,
    is_twin: impl Fn(u32) -> bool,
) -> Vec<Twin> {
    let hasher = RandomState::new();
    let rows = (0..n_rows).filter(|row| !is_twin(*row));
    let mut hashed: Vec<(u64, u32)> = rows
        .map(|row| (hasher.hash_one(codes.row(row as usize)), row))
        .collect();
    hashed.sort_unstable();
    let mut twins = Vec::new();
    for alike in hashed.chunk_by(|left, right| left.0 == right.0) {
        let mut rows: Vec<u32> = alike.iter().map(|entry| entry.1).collect();
        rows.sort_by_key(|row| !is_node(*row));
        let Some((&node, others)) = rows.split_first() else {
            continue;
        };
        for &row in others {
            let same = codes.row(row as usize) == codes.row(node as usize);
            if same && !is_node(row) {
                twins.push(Twin { node, row });
            }
        }
    }
    twins
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_are_found_from_both_sides() {
        let pairs = [(70, 3), (2, 90), (70, 1)].map(|(node, row)| Twin { node, row });
        let twins = Twins::new(pairs.to_vec());
        let of = |node| twins.of(node).collect::<Vec<_>>();
        assert_eq!((of(70), of(2), of(3)), (vec![1, 3], vec![90], vec![]));
        assert_eq!(
            [1, 3, 90, 70, 5].map(|row| twins.node_of(row)),
            [70, 70, 2, 70, 5]
        );
        assert_eq!(Twins::default().of(9).count(), 0);
    }
}
