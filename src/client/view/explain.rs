//! A target explained by latents, as a table and its scores as lines.

use latentdb_proto::v1::{ExplainForm, ExplainedLatent, TargetScore};

use super::names;
use crate::client::streams::ExplainedTarget;
use crate::report::{Table, format};

fn latent(row: &ExplainedLatent) -> String {
    let own = names::latent(row.latent, &row.label, row.low_confidence, row.recurrence);
    match row.alike.len() {
        0 => own,
        others => format!("{own} (and {others} alike)"),
    }
}

/// A score with the name of its measure.
fn score(of: Option<TargetScore>) -> Option<String> {
    let of = of?;
    let named = [("R²", of.r2), ("AUC", of.auc), ("macro-F1", of.macro_f1)];
    named
        .into_iter()
        .find_map(|(name, value)| Some(format!("{name} {:.3}", value?)))
}

/// The class that an effect is about, where there are several.
fn class(found: &ExplainedTarget, row: &ExplainedLatent) -> Option<String> {
    let class = found.summary.classes.get(row.effect_class? as usize)?;
    Some(names::value(class.value.as_ref()?))
}

/// The latents as one table.
pub fn table(found: &ExplainedTarget) -> Table {
    let signed = |value: f64| format!("{value:+.3}");
    let weight = |row: &ExplainedLatent| match row.effect_class {
        Some(class) if row.weights.len() > 1 => row.weights.get(class as usize).copied(),
        _ => row.weights.first().copied(),
    };
    let is_several = found.summary.classes.len() > 2;
    let mut columns = Table::of(&found.latents)
        .value("latent", |row| row.latent)
        .value("label", |row| &*row.label)
        .value("recurrence", |row| row.recurrence)
        .text("latent", latent)
        .column("weight", "weight", weight, |weight| {
            weight.map(signed).unwrap_or_default()
        });
    if is_several {
        columns = columns
            .value("class", |row| class(found, row))
            .text("class", |row| class(found, row).unwrap_or_default());
    }
    columns
        .column("effect", "alone", |row| row.effect, signed)
        .number("95% interval", |row| {
            format!("{:+.3} to {:+.3}", row.effect_low, row.effect_high)
        })
        .value("effect_low", |row| row.effect_low)
        .value("effect_high", |row| row.effect_high)
        .value("p_value", |row| row.p_value)
        .column(
            "p_adjusted",
            "adjusted p",
            |row| row.p_adjusted,
            format::p_value,
        )
        .column(
            "active_documents",
            "documents",
            |row| row.active_documents,
            format::thousands,
        )
        .build()
}

/// The scores, a line each.
pub fn scores(found: &ExplainedTarget) -> Vec<String> {
    let summary = &found.summary;
    let reads = match summary.form() {
        ExplainForm::Amounts => "how strong each is",
        ExplainForm::Presence => "how strong each is and whether it is there",
        ExplainForm::Pairs => "how strong each is, whether it is there, and which come together",
    };
    let with = |name: &str, of| Some(format!("{name}: {}", score(of)?));
    let path: Vec<String> = summary
        .path
        .iter()
        .filter_map(|point| {
            let score = score(point.score)?;
            let value = score.rsplit(' ').next()?;
            Some(format!("{} {value} ± {:.3}", point.latents, point.error))
        })
        .collect();
    let thousands = format::thousands;
    let mut lines = vec![format!(
        "{}: {} on {} documents held out; fitted on {} of {}",
        format::counted(found.latents.len() as u64, "latent"),
        score(summary.held_out).unwrap_or_default(),
        thousands(summary.held_out_documents),
        thousands(summary.fitted_documents),
        thousands(summary.discovery_documents),
    )];
    lines.extend(with("ridge on vectors", summary.dense));
    lines.extend(with("length of texts alone", summary.length));
    lines.push(format!(
        "by number of latents, cross-validated: {}",
        path.join(", ")
    ));
    lines.push(format!("the model reads {reads}"));
    if summary.documents_without > 0 {
        let count = thousands(summary.documents_without);
        lines.push(format!("{count} documents without the target are left out"));
    }
    lines
}
