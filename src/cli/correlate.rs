//! `latentdb correlate`.

use std::fmt::Write as _;
use std::path::PathBuf;

use latentdb_proto::v1::attribute_filter::Test;
use latentdb_proto::v1::correlated_pair::Other;
use latentdb_proto::v1::query::Kind;
use latentdb_proto::v1::{
    AttributeFilter, CorrelateRequest, CorrelateResponse, CorrelatedPair, Filter, FilterList,
    LatentFilter, LatentWeight, LatentsQuery, Query, SearchRequest, StatisticalTest, filter,
};

use super::client::{Client, ClientArgs};
use super::output::FileArgs;
use super::{output, progress, search, text};
use crate::client::Correlations;
use crate::plot;
use crate::report::correlations::{self, Pair};
use crate::report::{Example, Report, Table};

/// Pairs in the table of a terminal, unless said otherwise.
const SHOWN: u32 = 50;
/// Pairs that a report lists unless said otherwise, those it shows with documents, and how many.
const LISTED: u32 = 200;
const WITH_DOCUMENTS: usize = 10;
const DOCUMENTS: u32 = 3;

/// What is looked for, and what comes of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    request: Request,
    /// Draw the 20 pairs with the highest NPMI to this SVG file
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// What is looked for.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Request {
    /// The collection
    name: String,
    /// Only over documents of this filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Only pairs with this latent; may be repeated
    #[arg(long, value_name = "ID")]
    latent: Vec<u32>,
    /// Only pairs of a --latent and this one; may be repeated
    #[arg(long, value_name = "ID", requires = "latent")]
    with: Vec<u32>,
    /// Compare latents with the values of this attribute
    #[arg(long, value_name = "NAME", conflicts_with_all = ["with", "join_by"])]
    attribute: Option<String>,
    /// Pair latents of --filter with latents of --other, documents joined by this attribute
    #[arg(long, value_name = "ATTRIBUTE", requires = "other")]
    join_by: Option<String>,
    /// The other side of --join-by
    #[arg(long, value_name = "EXPR", requires = "join_by")]
    other: Option<String>,
    /// Count a latent as active above this activation
    #[arg(long, value_name = "ACTIVATION", default_value_t = 0.0)]
    above: f32,
    /// Leave out documents in which both latents fire on the same or neighbouring tokens: they see
    /// one word twice. Takes a collection that stores positions
    #[arg(long, conflicts_with_all = ["attribute", "join_by"])]
    exclude_adjacent: bool,
    /// Test pairs in at least this many documents
    #[arg(long, value_name = "N", default_value_t = 20)]
    min_support: u64,
    /// Leave out latents in a larger share of the documents
    #[arg(long, value_name = "SHARE")]
    max_density: Option<f64>,
    /// List pairs with at least this NPMI
    #[arg(long, value_name = "NPMI", allow_hyphen_values = true)]
    min_npmi: Option<f64>,
    /// List pairs with at most this adjusted p-value
    #[arg(long, value_name = "P")]
    max_p: Option<f64>,
    /// Drop pairs whose labels have at least this cosine, where latents are labelled and the
    /// collection has an encoder; 1 drops none [default: .2]
    #[arg(long, value_name = "COSINE")]
    max_label_similarity: Option<f64>,
    /// Pairs to list, highest NPMI first [default: 50 in the table, else all]
    #[arg(long)]
    limit: Option<u32>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let all = args.client.json || args.files.any();
    let wire = args.request.wire(if all { 0 } else { SHOWN });
    let client = args.client.connect().await?;
    let found = client.correlate(wire, progress()).await?;
    let request = &args.request;
    args.files.write(&table(request, &found))?;
    output::respond(args.client.json, &found, || page(request, &found))?;
    if let Some(path) = &args.plot {
        anyhow::ensure!(
            !found.pairs.is_empty(),
            "no pair is listed, so {} is not written",
            path.display()
        );
        plot::write(path, &correlations(request, &found).figure()?)?;
    }
    Ok(())
}

/// A bar that follows a correlation.
fn progress() -> impl FnMut(&CorrelateResponse) {
    progress::follow("counting", "units")
}

impl Request {
    /// The request as it is sent; `limit` where the user gave none, 0 for all pairs.
    fn wire(&self, limit: u32) -> CorrelateRequest {
        CorrelateRequest {
            collection: self.name.clone(),
            filter: self.filter.clone().map(search::expression),
            latents: self.latent.clone(),
            others: self.with.clone(),
            attribute: self.attribute.clone().unwrap_or_default(),
            join_by: self.join_by.clone().unwrap_or_default(),
            other_filter: self.other.clone().map(search::expression),
            active_above: self.above,
            exclude_adjacent: self.exclude_adjacent,
            min_support: self.min_support.max(1),
            max_density: self.max_density,
            min_npmi: self.min_npmi,
            max_p_adjusted: self.max_p,
            max_label_similarity: self.max_label_similarity,
            limit: self.limit.unwrap_or(limit),
        }
    }
}

/// The test of a pair; the two-proportion test of two sets is the chi-square test of a pair.
fn test(pair: &CorrelatedPair) -> String {
    match pair.test() {
        StatisticalTest::TwoProportion => "chi-square".to_owned(),
        test => text::test_name(test),
    }
}

fn first(pair: &CorrelatedPair) -> String {
    text::latent(pair.i, &pair.i_label, pair.i_low_confidence)
}

/// The other side as text: a latent, or a value.
fn other(pair: &CorrelatedPair) -> String {
    match &pair.other {
        Some(Other::J(latent)) => text::latent(*latent, &pair.j_label, pair.j_low_confidence),
        Some(Other::Value(value)) => text::value(value),
        None => String::new(),
    }
}

/// All pairs as one table.
fn table(request: &Request, found: &Correlations) -> Table {
    let share = |share| text::percent(share);
    let mut columns = Table::of(&found.pairs)
        .value("i", |pair| pair.i)
        .value("i_label", |pair| &*pair.i_label)
        .text("latent", first)
        .text(request.attribute.as_deref().unwrap_or("with"), |pair| {
            text::cut(&other(pair), 60)
        });
    columns = match request.attribute {
        Some(_) => columns.value("value", other),
        None => columns
            .value("j", |pair| match pair.other {
                Some(Other::J(latent)) => Some(latent),
                _ => None,
            })
            .value("j_label", |pair| &*pair.j_label),
    };
    columns = columns.column("count", "both", |pair| pair.count, text::thousands);
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
        .column("j_given_i", "of the first", |pair| pair.j_given_i, share)
        .column("i_given_j", "of the second", |pair| pair.i_given_j, share)
        .value("test", test)
        .value("p_value", |pair| pair.p_value)
        .column(
            "p_adjusted",
            "adjusted p",
            |pair| pair.p_adjusted,
            text::p_value,
        )
        .value("label_similarity", |pair| pair.label_similarity)
        .build()
}

/// The pairs without the wire.
fn correlations(request: &Request, found: &Correlations) -> correlations::Correlations {
    let pair = |pair: &CorrelatedPair| Pair {
        names: [first(pair), other(pair)],
        count: pair.count,
        shares: [pair.j_given_i, pair.i_given_j],
        npmi: pair.npmi,
        p_adjusted: pair.p_adjusted,
        documents: Vec::new(),
    };
    correlations::Correlations {
        collection: request.name.clone(),
        pairs: found.pairs.iter().map(pair).collect(),
        table: table(request, found),
    }
}

/// `latentdb report corr`.
pub(super) async fn report(request: &Request, client: &Client) -> anyhow::Result<Report> {
    let found = client.correlate(request.wire(LISTED), progress()).await?;
    let mut shown = correlations(request, &found);
    // No one document has both latents of a joined pair.
    if request.join_by.is_none() {
        for (at, pair) in found.pairs.iter().take(WITH_DOCUMENTS).enumerate() {
            shown.pairs[at].documents = documents(request, pair, client).await?;
        }
    }
    let summary = &found.summary;
    let all = || "all documents".to_owned();
    let mut parameters = vec![
        ("collection", request.name.clone()),
        ("filter", request.filter.clone().unwrap_or_else(all)),
        (
            "least documents of a pair",
            text::thousands(request.min_support),
        ),
    ];
    if let Some(attribute) = &request.attribute {
        parameters.push(("compared with", attribute.clone()));
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
        parameters,
        sections: shown.sections(WITH_DOCUMENTS)?,
    })
}

/// Documents that have both, those in which the latents are strongest first.
async fn documents(
    request: &Request,
    pair: &CorrelatedPair,
    client: &Client,
) -> anyhow::Result<Vec<Example>> {
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
    let filter = |kind| Filter { kind: Some(kind) };
    let mut filters: Vec<Filter> = wanted.into_iter().map(filter).collect();
    filters.extend(request.filter.clone().map(search::expression));
    let latents = LatentsQuery {
        weights,
        ..LatentsQuery::default()
    };
    let request = SearchRequest {
        collection: request.name.clone(),
        query: Some(Query {
            kind: Some(Kind::Latents(latents)),
            filter: Some(filter(filter::Kind::AllOf(FilterList { filters }))),
            name: String::new(),
        }),
        limit: DOCUMENTS,
        ..SearchRequest::default()
    };
    let response = client.searches().search(request).await?.into_inner();
    let found = response.hits.iter().filter_map(|hit| hit.document.as_ref());
    Ok(found.map(|found| text::example(found, None)).collect())
}

fn page(request: &Request, found: &Correlations) -> String {
    let summary = &found.summary;
    let mut page = table(request, found).page();
    let _ = writeln!(
        page,
        "{} of {} pairs in {} documents or more, of {} possible ones; {} {}",
        text::thousands(summary.listed),
        text::thousands(summary.tested),
        request.min_support.max(1),
        text::thousands(summary.eligible),
        text::thousands(summary.documents),
        if summary.unpaired.is_some() {
            "joined values"
        } else {
            "documents"
        },
    );
    if !summary.stopped.is_empty() {
        let n = text::thousands(summary.stopped.len() as u64);
        let _ = writeln!(page, "{n} latents left out as too dense");
    }
    if let Some(dropped @ 1..) = summary.adjacent_pairs {
        let n = text::thousands(dropped);
        let _ = writeln!(
            page,
            "{n} pairs left out: too often both see one word (--exclude-adjacent)"
        );
    }
    if let Some(dropped @ 1..) = summary.similar_labels {
        let n = text::thousands(dropped);
        let _ = writeln!(
            page,
            "{n} pairs passed over for similar labels (--max-label-similarity)"
        );
    }
    page
}
