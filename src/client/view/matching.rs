//! Matched latents as a table, and as lines.

use latentdb_proto::v1::{LatentCounterpart, MatchedLatent, RecordOfLatents};

use crate::client::streams::Matches;
use crate::report::{Table, format};

/// The latents as one table.
pub fn table(found: &Matches) -> Table {
    let other = |row: &MatchedLatent| row.other.clone();
    let nearest = |row: &MatchedLatent| row.nearest.clone();
    let named = |own: Option<LatentCounterpart>| {
        own.map(|own| format::latent(own.latent, &own.label))
            .unwrap_or_default()
    };
    Table::of(&found.latents)
        .value("latent", |row| row.latent)
        .value("label", |row| &*row.label)
        .text("latent", |row| format::latent(row.latent, &row.label))
        .column(
            "documents",
            "documents",
            |row| row.documents,
            format::thousands,
        )
        .value("other", move |row| other(row).map(|own| own.latent))
        .value("other_label", move |row| other(row).map(|own| own.label))
        .text("counterpart", move |row| named(other(row)))
        .value("both", move |row| other(row).map(|own| own.both))
        .column(
            "phi",
            "phi",
            move |row| other(row).map(|own| own.phi),
            |phi| phi.map(|phi| format!("{phi:.3}")).unwrap_or_default(),
        )
        .value("nearest", move |row| nearest(row).map(|own| own.latent))
        .value("nearest_phi", move |row| nearest(row).map(|own| own.phi))
        .build()
}

/// What was compared, how much is matched, and what moved.
pub fn about(found: &Matches) -> Vec<String> {
    let summary = &found.summary;
    let thousands = format::thousands;
    let mut lines = vec![format!(
        "{} of {} latents have a counterpart among {}, by {}; mean phi {:.3}",
        thousands(summary.matched),
        thousands(summary.active),
        thousands(summary.other_active),
        format::counted(summary.documents, "document"),
        summary.mean_phi
    )];
    for (kind, name) in [
        (RecordOfLatents::Label, "label"),
        (RecordOfLatents::Preset, "preset"),
        (RecordOfLatents::Set, "set"),
    ] {
        let moved = summary
            .moved
            .iter()
            .filter(|own| own.kind() == kind)
            .count();
        let stayed = summary
            .stayed
            .iter()
            .filter(|own| own.kind() == kind)
            .count();
        if moved + stayed > 0 {
            let counted = format::counted(moved as u64, name);
            lines.push(format!(
                "{counted} moved, {} stayed",
                thousands(stayed as u64)
            ));
        }
    }
    lines
}
