//! A diff as tables, figures and a report.

use latentdb_proto::v1::{DiffComparison, DiffMeasure, DiffOverlap, DiffRequest, DiffRow};

use super::names;
use crate::client::streams::{Comparison, Comparisons};
use crate::error::Result;
use crate::report::differences::{Difference, Differences, Measure, Side};
use crate::report::{Example, Report, Table, format};

fn measure(request: &DiffRequest) -> Measure {
    Measure {
        is_mean: request.measure() == DiffMeasure::MeanActivation,
        paired_by: Some(request.pair_by.clone()).filter(|attribute| !attribute.is_empty()),
    }
}

/// What a reader of a comparison must know of its documents.
fn notes(request: &DiffRequest, head: &DiffComparison) -> Vec<String> {
    let thousands = format::thousands;
    let mut notes = Vec::new();
    if let Some(shared @ 1..) = head.shared
        && request.pair_by.is_empty()
    {
        let shared = thousands(shared);
        notes.push(match request.overlap() {
            DiffOverlap::Drop => format!("{shared} documents were in both and left both"),
            _ => format!("{shared} documents are in both; the tests take the sets as separate"),
        });
    }
    let outside = head.a_outside.unwrap_or_default() + head.b_outside.unwrap_or_default();
    let groups = thousands(head.groups.unwrap_or_default());
    if !request.stratify_by.is_empty() {
        notes.push(format!(
            "within {groups} strata of {}; {} documents are in none of both sets",
            request.stratify_by,
            thousands(outside)
        ));
    }
    if !request.cluster_by.is_empty() {
        notes.push(format!(
            "{groups} clusters by {}; {} documents without it are clusters of their own",
            request.cluster_by,
            thousands(outside)
        ));
    }
    notes.extend(
        head.warnings
            .iter()
            .map(|warning| format!("warning: {warning}")),
    );
    notes
}

/// Rows of comparisons as one table.
pub fn table(request: &DiffRequest, comparisons: &[Comparison]) -> Table {
    let rows: Vec<(&str, &DiffRow)> = comparisons
        .iter()
        .flat_map(|one| one.rows.iter().map(|row| (&*one.head.name, row)))
        .collect();
    let measure = measure(request);
    let figure = |value| measure.figure(value);
    let mut columns = Table::of(&rows)
        .value("b", |(name, _)| *name)
        .value("latent", |(_, row)| row.latent)
        .value("label", |(_, row)| &*row.label)
        .value("recurrence", |(_, row)| row.recurrence)
        .text("latent", |(_, row)| latent(row))
        .value("a_count", |(_, row)| row.a_count)
        .value("b_count", |(_, row)| row.b_count)
        .column("a", "in A", |(_, row)| row.a, figure)
        .column("b_value", "in B", |(_, row)| row.b, figure)
        .column(
            "delta",
            "difference",
            |(_, row)| row.delta,
            |delta| measure.signed(delta),
        )
        .value("relative", |(_, row)| row.relative)
        .value("low", |(_, row)| row.low)
        .value("high", |(_, row)| row.high)
        .number("interval", |(_, row)| {
            format!(
                "{} to {}",
                measure.signed(row.low),
                measure.signed(row.high)
            )
        })
        .value("only_a", |(_, row)| row.only_a)
        .value("only_b", |(_, row)| row.only_b);
    if !request.pair_by.is_empty() {
        let pairs = |pairs: Option<u64>| format::thousands(pairs.unwrap_or_default());
        columns = columns
            .number("only A", |(_, row)| pairs(row.only_a))
            .number("only B", |(_, row)| pairs(row.only_b));
    }
    let test = |(_, row): &(&str, &DiffRow)| names::test_name(row.test());
    columns
        .value("test", test)
        .text("test", test)
        .value("p_value", |(_, row)| row.p_value)
        .column(
            "p_adjusted",
            "adjusted p",
            |(_, row)| row.p_adjusted,
            format::p_value,
        )
        .build()
}

/// A difference's latent with its label.
fn latent(row: &DiffRow) -> String {
    names::latent(row.latent, &row.label, row.low_confidence, row.recurrence)
}

/// A comparison without the wire.
pub fn differences(request: &DiffRequest, one: &Comparison) -> Differences {
    let head = &one.head;
    let side = |name: &str, documents| Side {
        name: name.to_owned(),
        documents,
    };
    let row = |row: &DiffRow| Difference {
        name: latent(row),
        counts: [row.a_count, row.b_count],
        values: [row.a, row.b],
        delta: row.delta,
        interval: [row.low, row.high],
        p_adjusted: row.p_adjusted,
        documents: documents(row),
    };
    Differences {
        measure: measure(request),
        sides: [
            side(&names::filter(request.a.as_ref()), head.a_documents),
            side(&head.name, head.b_documents),
        ],
        notes: notes(request, head),
        found: head.found,
        tested: head.tested,
        passing: head.passing,
        rows: one.rows.iter().map(row).collect(),
        table: table(request, std::slice::from_ref(one)),
    }
}

/// The documents of a difference, each followed by the one it is paired with.
fn documents(row: &DiffRow) -> Vec<Example> {
    let mut counterparts = row.counterparts.iter();
    let mut shown = Vec::new();
    for entry in &row.documents {
        let document = entry.document.clone().unwrap_or_default();
        shown.push(names::example(&document, Some(entry.activation)));
        if let Some(document) = counterparts.next() {
            let counterpart = names::example(document, None);
            shown.push(Example {
                about: format!("without activation, {}", counterpart.about),
                is_counterpart: true,
                ..counterpart
            });
        }
    }
    shown
}

/// All comparisons as a report.
///
/// # Errors
/// Numbers that cannot be drawn.
pub fn report(request: &DiffRequest, found: &Comparisons) -> Result<Report> {
    let a = names::filter(request.a.as_ref());
    let found = found.comparisons.iter();
    let found: Vec<Differences> = found.map(|one| differences(request, one)).collect();
    let mut parameters = vec![("collection", request.collection.clone()), ("A", a.clone())];
    match &*request.b {
        [] => parameters.push(("B", "everything that is not in A".to_owned())),
        sets => parameters.extend(sets.iter().map(|set| ("B", set.name.clone()))),
    }
    let by = match measure(request).is_mean {
        true => "mean activation",
        false => "share of documents",
    };
    parameters.push(("compared by", by.to_owned()));
    for (name, attribute) in [
        ("paired by", &request.pair_by),
        ("within strata of", &request.stratify_by),
        ("clusters by", &request.cluster_by),
    ] {
        if !attribute.is_empty() {
            parameters.push((name, attribute.clone()));
        }
    }
    let sentences: Vec<String> = found.iter().map(Differences::sentence).collect();
    let sections: Result<Vec<_>> = found.iter().map(Differences::sections).collect();
    Ok(Report {
        title: format!("What sets {a} apart"),
        summary: sentences.join(" "),
        parameters,
        sections: sections?.concat(),
    })
}
