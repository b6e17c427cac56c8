//! `latentdb facet` and `latentdb stats`.

use latentdb_proto::v1::facet::By;
use latentdb_proto::v1::histogram_facet::Buckets;
use latentdb_proto::v1::{
    CalendarUnit, Everything, Facet, FacetRequest, FacetResult, HistogramFacet, StatisticsFacet,
};

use super::client::ClientArgs;
use super::{output, search};
use crate::client::view::facet as view;

/// What is counted by what.
///
/// A FACET is latents; NAME for the values of an attribute; NAME:WIDTH, NAME:day (hour, week, month,
/// quarter, year) or NAME:q10 for a histogram of its numbers or times, by buckets of a width (seconds
/// for times), by the calendar in UTC, or by 10 quantiles; NAME:stats for its mean and quantiles. An
/// attribute called latents is latents:values.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
    /// Count by this; several are counted over the same snapshot
    #[arg(long, value_name = "FACET", required = true, value_parser = facet)]
    by: Vec<Facet>,
    /// Count by this again, in each value, latent or bucket
    #[arg(long, value_name = "FACET", value_parser = facet)]
    then: Option<Facet>,
    /// Only over documents of this filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Values or latents to list, most frequent first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = limit())]
    limit: u32,
    /// The same of --then
    #[arg(long, value_name = "N", default_value_t = 5, requires = "then", value_parser = limit())]
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

fn limit() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..)
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let then = args.then.map(|then| limited(then, args.then_limit));
    let facets = args.by.into_iter().map(|facet| Facet {
        then: then.clone().map(Box::new),
        ..limited(facet, args.limit)
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
    output::respond(client.json, &response, || page(&asked, &response.facets))
}

/// The tables of several facets, one after the other.
pub(super) fn page(asked: &[Facet], found: &[FacetResult]) -> String {
    let pages = asked.iter().zip(found);
    let pages: Vec<String> = pages
        .map(|(facet, found)| view::page(facet, found, output::table_columns()))
        .collect();
    pages.join("\n")
}

/// A facet that lists so many entries, where it is one that lists the most frequent.
pub(super) fn limited(facet: Facet, limit: u32) -> Facet {
    match facet.by {
        Some(By::Attribute(_) | By::Latents(_)) => Facet { limit, ..facet },
        _ => facet,
    }
}

/// A facet in the form of the flags: `latents`, `NAME`, `NAME:values`, `NAME:WIDTH`, `NAME:month`,
/// `NAME:q10` or `NAME:stats`.
pub(super) fn facet(text: &str) -> Result<Facet, String> {
    let by = match text.split_once(':') {
        None if text == "latents" => By::Latents(Everything {}),
        None => By::Attribute(text.to_owned()),
        Some((attribute, "values")) => By::Attribute(attribute.to_owned()),
        Some((attribute, "stats")) => By::Statistics(StatisticsFacet {
            attribute: attribute.to_owned(),
            quantiles: Vec::new(),
        }),
        Some((attribute, how)) => By::Histogram(HistogramFacet {
            attribute: attribute.to_owned(),
            buckets: Some(buckets(how)?),
        }),
    };
    Ok(Facet {
        by: Some(by),
        ..Facet::default()
    })
}

fn buckets(how: &str) -> Result<Buckets, String> {
    if let Some(unit) =
        CalendarUnit::from_str_name(&format!("CALENDAR_UNIT_{}", how.to_uppercase()))
        && unit != CalendarUnit::Unspecified
    {
        return Ok(Buckets::Calendar(unit.into()));
    }
    if let Some(count) = how.strip_prefix('q').and_then(|count| count.parse().ok()) {
        return Ok(Buckets::Quantiles(count));
    }
    how.parse().map(Buckets::Width).map_err(|_| {
        format!(
            "{how:?} is no way to count an attribute; accepted are values, a width (10 or .5), hour, \
             day, week, month, quarter, year, q10 for 10 quantiles, and stats"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facets_are_told_apart() {
        let of = |text: &str| facet(text).unwrap().by.unwrap();
        assert_eq!(of("latents"), By::Latents(Everything {}));
        assert_eq!(of("a.b-c"), By::Attribute("a.b-c".into()));
        assert_eq!(of("latents:values"), By::Attribute("latents".into()));
        let histogram = |text: &str| match of(text) {
            By::Histogram(histogram) => histogram.buckets.unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(histogram("n:10"), Buckets::Width(10.0));
        assert_eq!(histogram("n:.5"), Buckets::Width(0.5));
        assert_eq!(histogram("n:q4"), Buckets::Quantiles(4));
        assert_eq!(
            histogram("n:quarter"),
            Buckets::Calendar(CalendarUnit::Quarter.into())
        );
        assert!(matches!(of("n:stats"), By::Statistics(_)));
        for wrong in ["n:", "n:minute", "n:qx", "n:unspecified"] {
            assert!(facet(wrong).is_err(), "{wrong}");
        }
        assert_eq!(limited(facet("n:stats").unwrap(), 5).limit, 0);
    }
}
