//! `latentdb facet` and `latentdb stats`.

use latentdb_proto::v1::facet::By;
use latentdb_proto::v1::{Facet, FacetRequest, StatisticsFacet};

use super::client::ClientArgs;
use super::{flags, output, search};
use crate::client::view::facet as view;

/// What is counted by what.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
    /// Count by this: NAME, latents, NAME:WIDTH, NAME:month, NAME:q10 or NAME:stats; repeatable
    ///
    /// NAME counts the values of an attribute, and latents active latents. NAME:WIDTH, NAME:UNIT (hour,
    /// day, week, month, quarter, year) and NAME:q10 count an attribute's numbers or times in buckets: of
    /// a width (seconds for times), of the calendar in UTC, or by 10 quantiles. NAME:stats gives their
    /// mean, deviation and quantiles. An attribute called latents is latents:values. Several are counted
    /// over the same snapshot.
    #[arg(long, value_name = "FACET", required = true, value_parser = flags::facet)]
    by: Vec<Facet>,
    /// Count by this again, in each value, latent or bucket
    #[arg(long, value_name = "FACET", value_parser = flags::facet)]
    then: Option<Facet>,
    /// Only over documents of this filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Values or latents to list, most frequent first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = flags::count::<u32>)]
    limit: u32,
    /// The same of --then
    #[arg(long, value_name = "N", default_value_t = 5, requires = "then", value_parser = flags::count::<u32>)]
    then_limit: u32,
    #[command(flatten)]
    client: ClientArgs,
}

/// What numbers or times are described.
#[derive(Debug, clap::Args)]
pub(super) struct StatsArgs {
    /// The collection
    name: String,
    /// An attribute with numbers or timestamps; repeatable
    #[arg(long, value_name = "NAME", required = true)]
    attribute: Vec<String>,
    /// The value that this share of the values are below: .5 is the median; repeatable [default: .25
    /// .5 .75]
    #[arg(long, value_name = "SHARE")]
    quantile: Vec<f64>,
    /// Only over documents of this filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let then = args.then.map(|then| flags::limited(then, args.then_limit));
    let facets = args.by.into_iter().map(|facet| Facet {
        then: then.clone().map(Box::new),
        ..flags::limited(facet, args.limit)
    });
    let request = FacetRequest {
        collection: args.name,
        filter: args.filter.map(search::expression),
        facets: facets.collect(),
    };
    print(&args.client, request).await
}

pub(super) async fn run_stats(args: StatsArgs) -> anyhow::Result<()> {
    let statistics = |attribute| StatisticsFacet {
        attribute,
        quantiles: args.quantile.clone(),
    };
    let facets = args.attribute.into_iter().map(|attribute| Facet {
        by: Some(By::Statistics(statistics(attribute))),
        ..Facet::default()
    });
    let request = FacetRequest {
        collection: args.name,
        filter: args.filter.map(search::expression),
        facets: facets.collect(),
    };
    print(&args.client, request).await
}

async fn print(client: &ClientArgs, request: FacetRequest) -> anyhow::Result<()> {
    let asked = request.facets.clone();
    let server = client.connect().await?;
    let response = server.searches().facet(request).await?.into_inner();
    output::warn(&response.warnings);
    output::respond(client.json, &response, || {
        view::pages(&asked, &response.facets, output::table_columns())
    })
}
