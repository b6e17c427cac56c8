//! The report of a diff.

use latentdb_proto::v1::DiffRow;

use super::super::client::Client;
use super::super::diff::{self, Compared, Request, p_value, test_name};
use super::super::figures::{self, DRAWN, difference_name};
use super::super::text;
use super::{example, examples, percent};
use crate::report::{Block, Example, Report, Section, Table};

/// Differences shown with documents.
const SHOWN: usize = 10;
/// Documents shown for each difference, unless said otherwise.
const DOCUMENTS: u32 = 3;

pub(super) async fn report(request: &Request, client: &Client) -> anyhow::Result<Report> {
    let mut wire = request.wire()?;
    if wire.documents == 0 {
        wire.documents = DOCUMENTS;
    }
    let found = diff::fetch(client, wire).await?;
    let mut sections = Vec::new();
    for one in &found {
        sections.push(overview(request, one)?);
        let shown = one.rows.iter().take(SHOWN);
        sections.extend(
            (1..)
                .zip(shown)
                .map(|(rank, row)| difference(request, one, rank, row)),
        );
    }
    Ok(Report {
        title: format!("What sets {} apart", request.a),
        summary: found
            .iter()
            .map(|one| sentence(request, one))
            .collect::<Vec<_>>()
            .join(" "),
        parameters: parameters(request),
        sections,
    })
}

/// A figure of a side, or a difference of two.
fn figure(request: &Request, value: f64) -> String {
    if request.mean {
        format!("{value:.4}")
    } else {
        percent(value)
    }
}

fn sentence(request: &Request, one: &Compared) -> String {
    let head = &one.head;
    let (a, b) = (
        text::thousands(head.a_documents),
        text::thousands(head.b_documents),
    );
    let sets = match &request.pair_by {
        Some(attribute) => format!("{a} pairs of documents with the same {attribute}"),
        None => format!("{a} documents of A, {b} of B"),
    };
    let (passing, tested) = (text::thousands(head.passing), text::thousands(head.tested));
    let against = format!("Against {}: {sets}.", head.name);
    format!("{against} {passing} of {tested} tested concepts differ as much as asked.")
}

fn parameters(request: &Request) -> Vec<(String, String)> {
    let measure = if request.mean {
        "mean activation"
    } else {
        "share of documents"
    };
    let mut parameters = vec![
        ("collection", request.name.clone()),
        ("A", request.a.clone()),
    ];
    match &*request.b {
        [] => parameters.push(("B", "everything that is not in A".to_owned())),
        sets => parameters.extend(sets.iter().map(|set| ("B", set.clone()))),
    }
    parameters.push(("compared by", measure.to_owned()));
    if let Some(attribute) = &request.pair_by {
        parameters.push(("paired by", attribute.clone()));
    }
    parameters
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn overview(request: &Request, one: &Compared) -> anyhow::Result<Section> {
    let heading = format!("Against {}", one.head.name);
    if one.rows.is_empty() {
        let text = "No concept differs as much as asked.".to_owned();
        return Ok(Section {
            heading,
            blocks: vec![Block::Text(text)],
        });
    }
    let mut blocks = vec![Block::Plot {
        svg: figures::differences(request, one)?,
        caption: format!(
            "The {} largest differences with their confidence intervals: concepts that A has more \
             of to the right, those that B has more of to the left.",
            one.rows.len().min(DRAWN)
        ),
    }];
    if one.head.shared.is_some_and(|shared| shared > 0) && request.pair_by.is_none() {
        blocks.push(Block::Text(format!(
            "{} documents are in both sets; the tests take the sets as separate.",
            text::thousands(one.head.shared.unwrap_or_default())
        )));
    }
    let table = table(request, &one.rows);
    blocks.push(Block::Folded(
        format!("{} differences as a table", table.rows.len()),
        table,
    ));
    blocks.push(Block::Text(
        "p-values are two-sided and adjusted for the number of concepts tested (Benjamini and \
         Hochberg)."
            .to_owned(),
    ));
    Ok(Section { heading, blocks })
}

fn table(request: &Request, rows: &[DiffRow]) -> Table {
    let mut columns = vec!["concept", "A#", "B#", "difference#", "interval#"];
    if request.pair_by.is_some() {
        columns.extend(["only A#", "only B#"]);
    }
    columns.extend(["test", "adjusted p#"]);
    let mut table = Table::new(&columns);
    for row in rows {
        let (low, high) = (figure(request, row.low), figure(request, row.high));
        let mut cells = vec![
            difference_name(row),
            figure(request, row.a),
            figure(request, row.b),
            figure(request, row.delta),
            format!("{low} to {high}"),
        ];
        if request.pair_by.is_some() {
            let only = [row.only_a, row.only_b];
            cells.extend(only.map(|pairs| text::thousands(pairs.unwrap_or_default())));
        }
        cells.extend([test_name(row.test).to_owned(), p_value(row.p_adjusted)]);
        table.rows.push(cells);
    }
    table
}

fn difference(request: &Request, one: &Compared, rank: usize, row: &DiffRow) -> Section {
    let head = &one.head;
    let side = |count: u64, of: u64, value: f64| {
        let (count, of) = (text::thousands(count), text::thousands(of));
        format!(
            "{} ({count} of {of} {})",
            figure(request, value),
            request.unit()
        )
    };
    let (more, set) = if row.delta >= 0.0 {
        ("A", &request.a)
    } else {
        ("B", &head.name)
    };
    let documents = match &request.pair_by {
        None => format!("The documents of {more} ({set}) in which it is strongest:"),
        Some(attribute) => format!(
            "Where only {more} ({set}) has it, the documents in which it is strongest, and beside \
             each the one with the same {attribute}:"
        ),
    };
    let text = format!(
        "In A {}, in B {}; adjusted p {}. {documents}",
        side(row.a_count, head.a_documents, row.a),
        side(row.b_count, head.b_documents, row.b),
        p_value(row.p_adjusted)
    );
    Section {
        heading: format!("{rank}. {}", difference_name(row)),
        blocks: vec![Block::Text(text), Block::Documents(shown(row))],
    }
}

/// The documents of a difference, each followed by the one it is paired with.
fn shown(row: &DiffRow) -> Vec<Example> {
    let mut counterparts = row.counterparts.iter();
    let mut shown = Vec::new();
    for found in examples(&row.documents) {
        shown.push(found);
        if let Some(document) = counterparts.next() {
            let beside = example(document, None);
            shown.push(Example {
                about: format!("without activation, {}", beside.about),
                is_beside: true,
                ..beside
            });
        }
    }
    shown
}
