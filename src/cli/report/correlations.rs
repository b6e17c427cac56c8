//! The report of correlations.

use latentdb_proto::v1::attribute_filter::Test;
use latentdb_proto::v1::correlated_pair::Other;
use latentdb_proto::v1::{
    AttributeFilter, CorrelatedPair, Document, Filter, FilterList, LatentFilter, LatentWeight,
    LatentsQuery, Query, SearchRequest, filter, query,
};

use super::super::client::Client;
use super::super::correlate::{self, Correlated, Request};
use super::super::diff::p_value;
use super::super::figures::{self, pair_name};
use super::super::{search, text};
use super::{example, percent};
use crate::report::{Block, Report, Section, Table};

/// Pairs listed unless said otherwise, and those shown with documents.
const LISTED: u32 = 200;
const SHOWN: usize = 10;
/// Documents shown for each pair.
const DOCUMENTS: u32 = 3;

pub(super) async fn report(request: &Request, client: &Client) -> anyhow::Result<Report> {
    let found = correlate::fetch(client, request.wire(LISTED)).await?;
    let mut sections = vec![overview(request, &found)?];
    for (rank, pair) in (1..).zip(found.pairs.iter().take(SHOWN)) {
        // No one document has both latents of a joined pair.
        let documents = if request.is_joined() {
            Vec::new()
        } else {
            documents(request, pair, client).await?
        };
        sections.push(section(rank, pair, &documents));
    }
    let summary = &found.summary;
    let mut parameters = vec![
        ("collection", request.name.clone()),
        (
            "filter",
            request
                .filter
                .clone()
                .unwrap_or_else(|| "all documents".to_owned()),
        ),
        (
            "least documents of a pair",
            text::thousands(request.min_support),
        ),
    ];
    if let Some(attribute) = &request.attribute {
        parameters.push(("held against", attribute.clone()));
    }
    if request.exclude_adjacent {
        let dropped = text::thousands(summary.adjacent_pairs.unwrap_or_default());
        let said = format!("left out ({dropped} pairs have too few others)");
        parameters.push(("documents in which both see one word", said));
    }
    Ok(Report {
        title: format!("What occurs together in {}", request.name),
        summary: format!(
            "{} documents; {} of {} possible pairs occur often enough to be tested, the {} with the \
             highest NPMI are listed.",
            text::thousands(summary.documents),
            text::thousands(summary.tested),
            text::thousands(summary.eligible),
            text::thousands(found.pairs.len() as u64)
        ),
        parameters: parameters
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        sections,
    })
}

fn overview(request: &Request, found: &Correlated) -> anyhow::Result<Section> {
    let heading = "The closest pairs".to_owned();
    if found.pairs.is_empty() {
        let text = "No pair occurs as often as asked.".to_owned();
        return Ok(Section {
            heading,
            blocks: vec![Block::Text(text)],
        });
    }
    let svg = figures::pairs(&request.name, found)?;
    let caption = "1: the two occur only together; 0: as often together as by chance.".to_owned();
    let columns = [
        "pair",
        "both#",
        "NPMI#",
        "of the first#",
        "of the second#",
        "adjusted p#",
    ];
    let mut table = Table::new(&columns);
    for pair in &found.pairs {
        table.rows.push(vec![
            pair_name(pair),
            text::thousands(pair.count),
            format!("{:.3}", pair.npmi),
            percent(pair.j_given_i),
            percent(pair.i_given_j),
            p_value(pair.p_adjusted),
        ]);
    }
    let folded = format!("{} pairs as a table", table.rows.len());
    let blocks = vec![Block::Plot { svg, caption }, Block::Folded(folded, table)];
    Ok(Section { heading, blocks })
}

fn section(rank: usize, pair: &CorrelatedPair, documents: &[Document]) -> Section {
    let text = format!(
        "Together in {} documents: in {} of those with the first and {} of those with the second. \
         NPMI {:.3}, adjusted p {}.",
        text::thousands(pair.count),
        percent(pair.j_given_i),
        percent(pair.i_given_j),
        pair.npmi,
        p_value(pair.p_adjusted)
    );
    let examples = documents
        .iter()
        .map(|document| example(document, None))
        .collect();
    Section {
        heading: format!("{rank}. {}", pair_name(pair)),
        blocks: vec![Block::Text(text), Block::Documents(examples)],
    }
}

/// Documents that have both, those in which the latents are strongest first.
async fn documents(
    request: &Request,
    pair: &CorrelatedPair,
    client: &Client,
) -> anyhow::Result<Vec<Document>> {
    let has = |latent| {
        filter::Kind::Latent(LatentFilter {
            latent,
            ..LatentFilter::default()
        })
    };
    let weight = |latent| LatentWeight {
        latent,
        weight: 1.0,
    };
    let mut weights = vec![weight(pair.i)];
    let mut wanted = vec![has(pair.i)];
    match &pair.other {
        Some(Other::J(latent)) => {
            weights.push(weight(*latent));
            wanted.push(has(*latent));
        }
        Some(Other::Value(value)) => wanted.push(filter::Kind::Attribute(AttributeFilter {
            name: request.attribute.clone().unwrap_or_default(),
            test: Some(Test::Equals(value.clone())),
        })),
        None => {}
    }
    let mut filters: Vec<Filter> = wanted
        .into_iter()
        .map(|kind| Filter { kind: Some(kind) })
        .collect();
    filters.extend(request.filter.clone().map(search::expression));
    let request = SearchRequest {
        collection: request.name.clone(),
        query: Some(Query {
            kind: Some(query::Kind::Latents(LatentsQuery {
                weights,
                ..LatentsQuery::default()
            })),
            filter: Some(Filter {
                kind: Some(filter::Kind::AllOf(FilterList { filters })),
            }),
            name: String::new(),
        }),
        limit: DOCUMENTS,
        ..SearchRequest::default()
    };
    let response = client.searches().search(request).await?.into_inner();
    Ok(response
        .hits
        .into_iter()
        .filter_map(|hit| hit.document)
        .collect())
}
