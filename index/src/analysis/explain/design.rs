//! What a model reads of the chosen latents: how strong each is, whether it is there, and which come together.

use std::collections::HashMap;

use super::columns::Column;
use super::select::Chosen;

/// Rows that a pair of latents is in at least.
const PAIR_SUPPORT: usize = 30;
/// Maximum pairs of latents in a model: those in most rows.
const MAX_PAIRS: usize = 2000;

/// How much a model reads of each latent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// The activation over its 90th percentile, at most 2.
    Amounts,
    /// That, and whether it is above 0.
    Presence,
    /// Both, and the products of two activations.
    Pairs,
}

/// The columns of a model.
pub(super) struct Design {
    /// Of the chosen latents one each; in a form with presence again, then one a pair.
    pub columns: Vec<Column>,
    /// Places among the chosen latents.
    pub pairs: Vec<(u32, u32)>,
    pub form: Form,
    latents: usize,
}

impl Design {
    pub fn of(chosen: &[Chosen], rows: usize, form: Form) -> Self {
        let mut columns: Vec<Column> = chosen.iter().map(|own| own.column.clone()).collect();
        let mut pairs = Vec::new();
        if form >= Form::Presence {
            let there = |own: &Chosen| own.column.iter().map(|entry| (entry.0, 1.0)).collect();
            columns.extend(chosen.iter().map(there));
        }
        if form >= Form::Pairs {
            let found = pairs_of(chosen, rows);
            for (pair, column) in found {
                pairs.push(pair);
                columns.push(column);
            }
        }
        Self {
            columns,
            pairs,
            form,
            latents: chosen.len(),
        }
    }

    /// What the columns hold for a document in which the chosen latents have these amounts.
    pub fn read(&self, amounts: &[f32], row: &mut Vec<f64>) {
        row.clear();
        row.extend(amounts.iter().map(|amount| f64::from(*amount)));
        if self.form >= Form::Presence {
            row.extend(
                amounts
                    .iter()
                    .map(|amount| f64::from(u8::from(*amount > 0.0))),
            );
        }
        let amount = |at: u32| f64::from(amounts[at as usize]);
        row.extend(self.pairs.iter().map(|&(i, j)| amount(i) * amount(j)));
    }

    /// The place of a latent's presence among the columns.
    pub fn presence(&self, latent: usize) -> Option<usize> {
        (self.form >= Form::Presence).then_some(self.latents + latent)
    }

    /// The place of a pair among the columns.
    pub fn pair(&self, pair: usize) -> usize {
        self.columns.len() - self.pairs.len() + pair
    }
}

fn pairs_of(chosen: &[Chosen], rows: usize) -> Vec<((u32, u32), Column)> {
    let mut by_row: Vec<Vec<(u32, f32)>> = vec![Vec::new(); rows];
    for (at, own) in (0..).zip(chosen) {
        for &(row, amount) in &own.column {
            by_row[row as usize].push((at, amount));
        }
    }
    let mut found: HashMap<(u32, u32), Column> = HashMap::new();
    for (row, active) in (0..).zip(&by_row) {
        for (place, &(i, one)) in active.iter().enumerate() {
            for &(j, other) in &active[place + 1..] {
                found.entry((i, j)).or_default().push((row, one * other));
            }
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.retain(|(_, column)| column.len() >= PAIR_SUPPORT);
    found.sort_by_key(|(pair, column)| (std::cmp::Reverse(column.len()), *pair));
    found.truncate(MAX_PAIRS);
    found
}
