//! `latentdb search`: flags to a query tree, and the hits.

use std::path::{Path, PathBuf};

use latentdb_proto::v1::{
    ActivationScale, ExceptQuery, Facet, Filter, FusionChild, FusionMethod, FusionQuery,
    LatentWeight, LatentsQuery, MatchingQuery, NearestQuery, OrderKey, Projection, Query,
    SearchRequest, TextMode, TextQuery, Vector, filter, nearest_query::To, query::Kind,
};

use super::client::ClientArgs;
use super::concepts::{PropertyArgs, SteerArgs};
use super::failure::Usage;
use super::names::Names;
use super::{flags, output, response};
use crate::client::view::facet as view;
use crate::records::vectors::VectorFile;

/// Values or latents that are listed of a facet next to the hits.
const FACET_ENTRIES: u32 = 10;

/// What is searched for.
///
/// Each of TEXT, --like, --vector, --latent, --property and --text-query is a ranking of its own;
/// several of them are fused.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
    /// Text that hits are near to
    text: Option<String>,
    /// Hits have this latent, weighted; a negative weight does not want it. Repeatable
    #[arg(long = "latent", value_name = "ID=WEIGHT", value_parser = flags::latent_weight)]
    latents: Vec<LatentWeight>,
    /// Divide activations by the latent's 90th percentile before they are weighted
    #[arg(long)]
    p90: bool,
    /// Multiply weights by the latents' inverse document frequency: rare ones tell more
    #[arg(long, requires = "latents")]
    idf: bool,
    #[command(flatten)]
    steer: SteerArgs,
    #[command(flatten)]
    property: PropertyArgs,
    /// Hits are near to this stored document
    #[arg(long, value_name = "ID")]
    like: Option<String>,
    /// Hits are near to a row of this file of vectors
    #[arg(long, value_name = "FILE.safetensors")]
    vector: Option<PathBuf>,
    /// The row, from 0
    #[arg(long, default_value_t = 0, requires = "vector")]
    row: usize,
    /// Hits hold these words (BM25)
    #[arg(long, value_name = "WORDS")]
    text_query: Option<String>,
    /// Search TEXT by vector and by words, and fuse
    #[arg(long, requires = "text")]
    hybrid: bool,
    /// How several rankings are made one
    #[arg(long, value_enum, default_value_t = Fusion::Rrf)]
    fusion: Fusion,
    /// Weights of the rankings, in the order TEXT, --like, --vector, --latent, --property,
    /// --text-query, --hybrid's words; 1 each when left out
    #[arg(
        long,
        value_name = "W,W,..",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    weights: Vec<f32>,
    /// Take away the hits nearest to this text
    #[arg(long, value_name = "TEXT")]
    except: Option<String>,
    /// How many of those are taken away
    #[arg(long, value_name = "N", default_value_t = 100, requires = "except", value_parser = flags::count::<u32>)]
    except_top: u32,
    /// Only documents of this filter, for example: latent(812) and source = "tweets"
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Documents of --filter, or all, ordered by an attribute or `id`; `:desc` begins with the
    /// greatest. Repeatable, the first that differs decides
    #[arg(long, value_name = "ATTRIBUTE[:desc]", value_parser = flags::order_key)]
    order_by: Vec<OrderKey>,
    /// Documents of --filter, or all, at random; the same for the same seed
    #[arg(long, value_name = "SEED", conflicts_with = "order_by")]
    sample: Option<u64>,
    /// Hits to return
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = flags::count::<u32>)]
    limit: u32,
    /// Pass over this many hits first
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    offset: u32,
    /// Leave out hits below this score
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    min_score: Option<f32>,
    /// At most --per-group hits of each value of this attribute
    #[arg(long, value_name = "ATTRIBUTE")]
    group_by: Option<String>,
    /// Hits of each value
    #[arg(long, value_name = "N", default_value_t = 1, requires = "group_by")]
    per_group: u32,
    /// Compare with every allowed document instead of walking the graph
    #[arg(long)]
    exact: bool,
    /// Beam of the graph search; larger finds more, slower
    #[arg(long, value_name = "N", value_parser = flags::count::<u32>)]
    ef: Option<u32>,
    /// Contributing latents to return for each hit
    #[arg(long, value_name = "N", default_value_t = 5)]
    top_latents: u32,
    /// Count the documents of --filter by this too, as --by of `latentdb facet` does, and list 10
    /// values or latents; repeatable
    #[arg(long = "facet", value_name = "FACET", value_parser = flags::facet)]
    facets: Vec<Facet>,
    /// Show how the query was run and how long it took
    #[arg(long)]
    explain: bool,
    /// Resume where an earlier response ended: its next_page_token. The query, the filter and the
    /// limit are those of that search
    #[arg(
        long,
        value_name = "TOKEN",
        conflicts_with_all = [
            "text", "latents", "like", "vector", "text_query", "except", "filter", "limit", "facets",
            "property", "own_latents", "positive", "steer", "boost", "preset", "weights",
            "top_latents", "exact", "ef", "hybrid", "fusion",
        ]
    )]
    page_token: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

/// How several rankings are made one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Fusion {
    /// By rank (reciprocal rank fusion)
    Rrf,
    /// By score, between the smallest and the largest
    Minmax,
    /// By score, in standard deviations over the hits, clipped
    Dbsf,
    /// By score, each hit scored by every ranking
    Linear,
    /// The same in standard deviations over all documents
    Standard,
}

impl From<Fusion> for FusionMethod {
    fn from(fusion: Fusion) -> Self {
        match fusion {
            Fusion::Rrf => Self::ReciprocalRank,
            Fusion::Minmax => Self::MinMax,
            Fusion::Dbsf => Self::Distribution,
            Fusion::Linear => Self::Linear,
            Fusion::Standard => Self::Standard,
        }
    }
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client_args = args.client.clone();
    let request = request(args)?;
    let facets = request.facets.clone();
    let collection = request.collection.clone();
    let client = client_args.connect().await?;
    let found = client.searches().search(request).await?.into_inner();
    let names = match found.steering.is_empty() || client_args.json {
        true => Names::default(),
        false => Names::read(&client, &collection).await?,
    };
    let name = |latent: u32, label: &str| names.of(latent, label);
    output::warn(&found.warnings);
    output::respond(client_args.json, &found, || {
        let hits = response::search(&found, &name, output::columns());
        match facets.is_empty() {
            true => hits,
            false => {
                let width = output::table_columns();
                format!("{hits}\n{}", view::pages(&facets, &found.facets, width))
            }
        }
    })
}

/// A filter in the text language.
pub(super) fn expression(text: String) -> Filter {
    Filter {
        kind: Some(filter::Kind::Expression(text)),
    }
}

/// A node with its name, which its component scores carry.
pub(super) fn node(name: &str, kind: Kind) -> Query {
    Query {
        kind: Some(kind),
        filter: None,
        name: name.to_owned(),
    }
}

/// The request that the flags stand for.
fn request(args: Args) -> anyhow::Result<SearchRequest> {
    let query = query(&args)?;
    Ok(SearchRequest {
        collection: args.name,
        query,
        limit: args.limit,
        offset: args.offset,
        min_score: args.min_score,
        per_group: args.group_by.as_ref().map_or(0, |_| args.per_group),
        group_by: args.group_by.unwrap_or_default(),
        projection: Some(Projection {
            text: true,
            attributes: true,
            ..Projection::default()
        }),
        page_token: args.page_token.unwrap_or_default(),
        explain: args.explain,
        latents_per_hit: Some(args.top_latents),
        facets: args
            .facets
            .into_iter()
            .map(|facet| flags::limited(facet, FACET_ENTRIES))
            .collect(),
        ..SearchRequest::default()
    })
}

fn query(args: &Args) -> anyhow::Result<Option<Query>> {
    let mut rankings = rankings(args)?;
    if !args.weights.is_empty() && args.weights.len() != rankings.len() {
        return Err(Usage(format!(
            "--weights has {} entries for {} rankings",
            args.weights.len(),
            rankings.len()
        ))
        .into());
    }
    if !args.steer.is_empty() && nearest_to(args)?.is_empty() {
        return Err(Usage(
            "--steer, --boost and --preset are of a query vector: give TEXT, --like or --vector too"
                .to_owned(),
        )
        .into());
    }
    let mut query = match rankings.len() {
        0 if args.filter.is_some() || args.sample.is_some() || !args.order_by.is_empty() => {
            let matching = MatchingQuery {
                order: args.order_by.clone(),
                sample_seed: args.sample,
            };
            node("matching", Kind::Matching(matching))
        }
        _ if args.sample.is_some() || !args.order_by.is_empty() => {
            return Err(Usage(
                "--order-by and --sample are of the documents of --filter, not of a ranking"
                    .to_owned(),
            )
            .into());
        }
        0 if args.page_token.is_some() => return Ok(None),
        0 => {
            return Err(Usage(
                "nothing to search for: give TEXT, --latent, --property, --like, --vector, \
                 --text-query or --filter"
                    .to_owned(),
            )
            .into());
        }
        1 => rankings.swap_remove(0),
        _ => weighted(rankings, &args.weights, args.fusion.into()),
    };
    if let Some(text) = &args.except {
        let minus = NearestQuery {
            to: Some(To::Text(text.clone())),
            exact: args.exact,
            ef: args.ef.unwrap_or_default(),
            ..NearestQuery::default()
        };
        let except = ExceptQuery {
            query: Some(query.into()),
            minus: Some(node("minus", Kind::Nearest(minus)).into()),
            top: args.except_top,
        };
        query = node("except", Kind::Excluding(except.into()));
    }
    query.filter = args.filter.clone().map(expression);
    Ok(Some(query))
}

/// Several rankings, fused with equal weights.
pub(super) fn fused(rankings: Vec<Query>, method: FusionMethod) -> Query {
    weighted(rankings, &[], method)
}

/// Several rankings, fused; those that have no weight get 1.
pub(super) fn weighted(rankings: Vec<Query>, weights: &[f32], method: FusionMethod) -> Query {
    let children = rankings
        .into_iter()
        .enumerate()
        .map(|(at, query)| FusionChild {
            query: Some(query),
            weight: weights.get(at).copied(),
        })
        .collect();
    let fusion = FusionQuery {
        children,
        method: method.into(),
        ..FusionQuery::default()
    };
    node("fusion", Kind::Fusion(fusion))
}

/// One node for each source that the flags name.
fn rankings(args: &Args) -> anyhow::Result<Vec<Query>> {
    let mut rankings = Vec::new();
    for (name, to) in nearest_to(args)? {
        let mut nearest = NearestQuery {
            to: Some(to),
            exact: args.exact,
            ef: args.ef.unwrap_or_default(),
            ..NearestQuery::default()
        };
        args.steer.apply(&mut nearest);
        rankings.push(node(name, Kind::Nearest(nearest)));
    }
    if !args.latents.is_empty() {
        let scale = if args.p90 {
            ActivationScale::P90
        } else {
            ActivationScale::Raw
        };
        let latents = LatentsQuery {
            weights: args.latents.clone(),
            scale: scale.into(),
            idf: args.idf,
            bm25: None,
        };
        rankings.push(node("latents", Kind::Latents(latents)));
    }
    if let Some(property) = args.property.query() {
        rankings.push(node("property", Kind::Property(property)));
    }
    let hybrid = args.text.as_ref().filter(|_| args.hybrid);
    for (name, words) in [("text", args.text_query.as_ref()), ("words", hybrid)] {
        if let Some(words) = words {
            rankings.push(words_query(name, words));
        }
    }
    Ok(rankings)
}

/// BM25 over any of the words.
pub(super) fn words_query(name: &str, words: &str) -> Query {
    let text = TextQuery {
        text: words.to_owned(),
        mode: TextMode::Any.into(),
    };
    node(name, Kind::Text(text))
}

/// What hits are near to, with the name of its component.
fn nearest_to(args: &Args) -> anyhow::Result<Vec<(&'static str, To)>> {
    let mut places = Vec::new();
    if let Some(text) = &args.text {
        places.push(("nearest", To::Text(text.clone())));
    }
    if let Some(id) = &args.like {
        places.push(("like", To::Document(id.clone())));
    }
    if let Some(file) = &args.vector {
        places.push(("vector", To::Vector(row_of(file, args.row)?)));
    }
    // A single one is what everybody calls nearest.
    if let [(name, _)] = places.as_mut_slice() {
        *name = "nearest";
    }
    Ok(places)
}

fn row_of(file: &Path, row: usize) -> anyhow::Result<Vector> {
    let mut values = Vec::new();
    VectorFile::open(file, None)?.read_rows(row..row.saturating_add(1), &mut values)?;
    Ok(Vector { values })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parsed(line: &[&str]) -> anyhow::Result<SearchRequest> {
        let arguments = ["search", "c"].iter().chain(line);
        request(Line::try_parse_from(arguments).unwrap().args)
    }

    fn root(line: &[&str]) -> Query {
        parsed(line).unwrap().query.unwrap()
    }

    #[test]
    fn one_source_is_the_query_itself() {
        let query = root(&["two words", "--steer", "4=+0.5", "--exact"]);
        assert_eq!(query.name, "nearest");
        let Some(Kind::Nearest(nearest)) = query.kind else {
            panic!("{query:?}");
        };
        assert_eq!(nearest.to, Some(To::Text("two words".into())));
        assert_eq!(nearest.steer.len(), 1);
        assert!(nearest.exact);

        let query = root(&["--latent", "3=1", "--latent", "9=-0.5", "--p90", "--idf"]);
        let Some(Kind::Latents(latents)) = query.kind else {
            panic!("{query:?}");
        };
        assert_eq!(latents.weights[1].weight, -0.5);
        assert_eq!(latents.scale(), ActivationScale::P90);
        assert!(latents.idf);

        let query = root(&["--like", "a/1"]);
        assert_eq!(query.name, "nearest");
    }

    #[test]
    fn several_sources_are_fused() {
        let query = root(&[
            "t",
            "--latent",
            "3=1",
            "--text-query",
            "w",
            "--fusion",
            "dbsf",
        ]);
        let Some(Kind::Fusion(fusion)) = query.kind else {
            panic!("{query:?}");
        };
        assert_eq!(fusion.method(), FusionMethod::Distribution);
        let names: Vec<String> = fusion
            .children
            .into_iter()
            .map(|child| child.query.unwrap().name)
            .collect();
        assert_eq!(names, ["nearest", "latents", "text"]);
        let query = root(&["t", "--hybrid"]);
        assert!(matches!(query.kind, Some(Kind::Fusion(fusion)) if fusion.children.len() == 2));
    }

    #[test]
    fn concepts_are_flags() {
        let query = root(&[
            "t",
            "--boost",
            "4=0.2",
            "--steer",
            "theory=+0.5",
            "--steer-p90",
        ]);
        let Some(Kind::Nearest(nearest)) = query.kind else {
            panic!("{query:?}");
        };
        assert_eq!(nearest.steer[0].concept, "theory");
        assert_eq!(nearest.steer[0].unit(), latentdb_proto::v1::SteerUnit::P90);
        assert_eq!(nearest.steer[1].latent, 4);
        let line = [
            "t",
            "--property",
            "p",
            "--fusion",
            "standard",
            "--weights",
            "1,0.5",
        ];
        let Some(Kind::Fusion(fusion)) = root(&line).kind else {
            panic!("no fusion");
        };
        assert_eq!(fusion.method(), FusionMethod::Standard);
        assert_eq!(fusion.children[1].weight, Some(0.5));
        assert!(parsed(&["t", "--weights", "1,2"]).is_err());
        assert!(parsed(&["--latent", "1=1", "--boost", "4=0.2"]).is_err());
    }

    #[test]
    fn except_wraps_and_the_filter_stands_at_the_root() {
        let query = root(&[
            "t",
            "--except",
            "u",
            "--except-top",
            "7",
            "--filter",
            "a = 1",
        ]);
        assert_eq!(query.filter, Some(expression("a = 1".into())));
        let Some(Kind::Excluding(except)) = query.kind else {
            panic!("{query:?}");
        };
        assert_eq!(except.top, 7);
        let query = root(&["--filter", "a = 1"]);
        assert_eq!(query.kind, Some(Kind::Matching(MatchingQuery::default())));
        let query = root(&["--order-by", "day:desc", "--order-by", "id"]);
        let Some(Kind::Matching(matching)) = query.kind else {
            panic!("{query:?}");
        };
        assert!(matching.order[0].descending && !matching.order[1].descending);
        assert!(parsed(&["t", "--order-by", "day"]).is_err());
    }

    #[test]
    fn a_search_for_nothing_is_refused_and_a_page_needs_no_query() {
        assert!(parsed(&[]).is_err());
        assert!(parsed(&["--latent", "1=1", "--steer", "1=0"]).is_err());
        for with in [&["t"][..], &["--filter", "a = 1"], &["--limit", "3"]] {
            let line = ["search", "c", "--page-token", "x"];
            let error = Line::try_parse_from(line.iter().chain(with)).unwrap_err();
            assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict);
        }
        let request = parsed(&["--page-token", "x"]).unwrap();
        assert_eq!((request.query, request.page_token.as_str()), (None, "x"));
    }
}
