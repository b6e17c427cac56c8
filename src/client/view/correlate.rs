//! Correlations as tables, a figure and a report.

use latentdb_proto::v1::correlated_pair::Other;
use latentdb_proto::v1::{CorrelateRequest, CorrelatedPair, Document, StatisticalTest};

use super::names;
use crate::client::streams::Correlations;
use crate::error::Result;
use crate::report::correlations::{self, Pair};
use crate::report::{Report, Table, format};

/// The test of a pair; the two-proportion test of two sets is the chi-square test of a pair.
fn test(pair: &CorrelatedPair) -> String {
    match pair.test() {
        StatisticalTest::TwoProportion => "chi-square".to_owned(),
        test => names::test_name(test),
    }
}

fn first(pair: &CorrelatedPair) -> String {
    names::latent(
        pair.i,
        &pair.i_label,
        pair.i_low_confidence,
        pair.i_recurrence,
    )
}

/// The other side as text: a latent, or a value.
fn other(pair: &CorrelatedPair) -> String {
    match &pair.other {
        Some(Other::J(latent)) => {
            let doubts = (pair.j_low_confidence, pair.j_recurrence);
            names::latent(*latent, &pair.j_label, doubts.0, doubts.1)
        }
        Some(Other::Value(value)) => names::value(value),
        None => String::new(),
    }
}

/// All pairs as one table.
pub fn table(request: &CorrelateRequest, found: &Correlations) -> Table {
    let share = |share| format::percent(share);
    let with = match &*request.attribute {
        "" => "with",
        attribute => attribute,
    };
    let mut columns = Table::of(&found.pairs)
        .value("i", |pair| pair.i)
        .value("i_label", |pair| &*pair.i_label)
        .value("i_recurrence", |pair| pair.i_recurrence)
        .text("latent", first)
        .text(with, |pair| format::cut(&other(pair), 60));
    columns = match request.attribute.is_empty() {
        false => columns.value("value", other),
        true => columns
            .value("j", |pair| match pair.other {
                Some(Other::J(latent)) => Some(latent),
                _ => None,
            })
            .value("j_label", |pair| &*pair.j_label)
            .value("j_recurrence", |pair| pair.j_recurrence),
    };
    columns = columns.column("count", "both", |pair| pair.count, format::thousands);
    if found.summary.adjacent_pairs.is_some() {
        columns = columns.value("adjacent", |pair| pair.adjacent);
    }
    columns
        .value("i_count", |pair| pair.i_count)
        .value("j_count", |pair| pair.j_count)
        .value("pmi", |pair| pair.pmi)
        .column(
            "npmi",
            "NPMI",
            |pair| pair.npmi,
            |npmi| format!("{npmi:.3}"),
        )
        .column(
            "npmi_low",
            "at least",
            |pair| pair.npmi_low,
            |npmi| format!("{npmi:.3}"),
        )
        .column("j_given_i", "of the first", |pair| pair.j_given_i, share)
        .column("i_given_j", "of the second", |pair| pair.i_given_j, share)
        .value("test", test)
        .value("p_value", |pair| pair.p_value)
        .column(
            "p_adjusted",
            "adjusted p",
            |pair| pair.p_adjusted,
            format::p_value,
        )
        .value("label_similarity", |pair| pair.label_similarity)
        .build()
}

/// The pairs without the wire.
pub fn pairs(request: &CorrelateRequest, found: &Correlations) -> correlations::Correlations {
    let pair = |pair: &CorrelatedPair| Pair {
        names: [first(pair), other(pair)],
        count: pair.count,
        shares: [pair.j_given_i, pair.i_given_j],
        npmi: pair.npmi,
        p_adjusted: pair.p_adjusted,
        documents: Vec::new(),
    };
    correlations::Correlations {
        collection: request.collection.clone(),
        pairs: found.pairs.iter().map(pair).collect(),
        table: table(request, found),
    }
}

/// A report, the first pairs with their `documents`.
///
/// # Errors
/// Numbers that cannot be drawn.
pub fn report(
    request: &CorrelateRequest,
    found: &Correlations,
    documents: &[Vec<Document>],
) -> Result<Report> {
    let mut shown = pairs(request, found);
    for (pair, documents) in shown.pairs.iter_mut().zip(documents) {
        let documents = documents.iter();
        pair.documents = documents.map(|found| names::example(found, None)).collect();
    }
    let summary = &found.summary;
    let mut parameters = vec![
        ("collection", request.collection.clone()),
        ("filter", names::filter(request.filter.as_ref())),
        (
            "least documents of a pair",
            format::thousands(request.min_support),
        ),
    ];
    if !request.attribute.is_empty() {
        parameters.push(("compared with", request.attribute.clone()));
    }
    if let Some(strata) = summary.strata {
        let said = format!("{} of {}", format::thousands(strata), request.stratify_by);
        parameters.push(("within strata", said));
    }
    if request.exclude_adjacent {
        let dropped = format::thousands(summary.adjacent_pairs.unwrap_or_default());
        let said = format!("left out ({dropped} pairs have too few others)");
        parameters.push(("documents in which both see one word", said));
    }
    Ok(Report {
        title: format!("What occurs together in {}", request.collection),
        summary: format!(
            "{} documents; {} of {} possible pairs occur often enough to be tested, {} are listed, \
             those with the highest lower bound of NPMI first.",
            format::thousands(summary.documents),
            format::thousands(summary.tested),
            format::thousands(summary.eligible),
            format::thousands(found.pairs.len() as u64)
        ),
        parameters,
        sections: shown.sections(documents.len())?,
    })
}
