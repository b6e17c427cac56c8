//! Hypotheses as a table, and as lines.

use latentdb_proto::v1::{Hypothesis, JudgedHypothesis};

use crate::client::streams::Hypotheses;
use crate::report::{Table, format};

fn share(yes: u64, documents: u64) -> f64 {
    yes as f64 / documents.max(1) as f64
}

fn judged<T>(own: &Hypothesis, of: impl Fn(&JudgedHypothesis) -> T) -> Option<T> {
    own.judged.as_ref().map(of)
}

/// Whether a hypothesis holds, in a word; empty where it was not judged.
fn holds(own: &Hypothesis) -> String {
    judged(own, |own| if own.holds { "yes" } else { "no" })
        .unwrap_or_default()
        .to_owned()
}

/// The hypotheses as one table.
pub fn table(found: &Hypotheses) -> Table {
    let sets = |own: &Hypothesis| found.summary.comparisons.get(own.comparison as usize);
    let number = |value: Option<f64>| value.map(|own| format!("{own:.3}")).unwrap_or_default();
    Table::of(&found.hypotheses)
        .value("sentence", |own| &*own.sentence)
        .text("sentence", |own| own.sentence.clone())
        .value("a", |own| sets(own).map(|sets| sets.a.clone()))
        .value("b", |own| sets(own).map(|sets| sets.b.clone()))
        .value("label", |own| &*own.label)
        .value("relabelled", |own| own.relabelled.to_string())
        .value("label_score", |own| own.label_score)
        .value("latent", |own| own.latent)
        .value("more_in_a", |own| own.more_in_a.to_string())
        .value("holds", holds)
        .text("holds", holds)
        .column(
            "share_a",
            "in A",
            |own| judged(own, |own| share(own.a_yes, own.a_documents)),
            number,
        )
        .column(
            "share_b",
            "in B",
            |own| judged(own, |own| share(own.b_yes, own.b_documents)),
            number,
        )
        .value("delta", |own| judged(own, |own| own.delta))
        .value("low", |own| judged(own, |own| own.low))
        .value("high", |own| judged(own, |own| own.high))
        .value("p_value", |own| judged(own, |own| own.p_value))
        .column(
            "p_adjusted",
            "adjusted p",
            |own| judged(own, |own| own.p_adjusted),
            |p| p.map(format::p_value).unwrap_or_default(),
        )
        .column(
            "kappa",
            "kappa",
            |own| own.judged.as_ref().and_then(|own| own.kappa),
            number,
        )
        .build()
}

/// What the judge says of a hypothesis, on one line.
pub fn verdict(own: &Hypothesis) -> String {
    let Some(judged) = &own.judged else {
        return "not judged: the budget of tokens ran out before".to_owned();
    };
    let verdict = if judged.holds {
        "holds"
    } else {
        "does not hold"
    };
    let kappa = match judged.kappa {
        Some(kappa) => format!("kappa {kappa:.2}"),
        None => "no kappa, one of them always says the same".to_owned(),
    };
    let unusable = match judged.unusable {
        0 => String::new(),
        n => format!("; {n} judgements unusable, which count as no"),
    };
    format!(
        "{verdict}: {} of {} and {} of {} ({:+.1} points, 95% {:+.1} to {:+.1}), adjusted p {}; judge and latent: \
         {kappa}{unusable}",
        judged.a_yes,
        judged.a_documents,
        judged.b_yes,
        judged.b_documents,
        100.0 * judged.delta,
        100.0 * judged.low,
        100.0 * judged.high,
        format::p_value(judged.p_adjusted),
    )
}

/// Where a hypothesis comes from, on one line.
pub fn origin(own: &Hypothesis) -> String {
    let made = match own.relabelled {
        true => "labelled on these sets",
        false => "its label",
    };
    let alike = match own.alike.len() {
        0 => String::new(),
        n => format!(" and {n} with such labels"),
    };
    format!(
        "latent {}{alike}: {:.1}% and {:.1}% of the documents it was found on; {made} tells {:.0}% right",
        format::latent(own.latent, &own.label),
        100.0 * own.found_a,
        100.0 * own.found_b,
        100.0 * own.label_score,
    )
}

/// How many were tested, by whom, and at what cost.
pub fn about(found: &Hypotheses) -> Vec<String> {
    let summary = &found.summary;
    let thousands = format::thousands;
    let held = found.hypotheses.iter();
    let held = held.filter(|own| own.judged.as_ref().is_some_and(|judged| judged.holds));
    let mut lines = vec![format!(
        "{} of {} hypotheses hold, named by {}, judged by {}",
        held.count(),
        found.hypotheses.len(),
        summary.labeller,
        summary.judge
    )];
    for sets in &summary.comparisons {
        lines.push(format!(
            "{} ({} and {} held back) with {} ({} and {}): differing {}",
            sets.a,
            thousands(sets.a_discovery),
            thousands(sets.a_confirmation),
            sets.b,
            thousands(sets.b_discovery),
            thousands(sets.b_confirmation),
            format::counted(sets.differing, "latent"),
        ));
    }
    let cost = match summary.tokens {
        0 => String::new(),
        tokens => format!(", {} tokens", thousands(tokens)),
    };
    lines.push(format!(
        "{:.1} s to find and name, {:.1} s to judge{cost}",
        summary.naming_seconds, summary.judging_seconds
    ));
    lines
}
