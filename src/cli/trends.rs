//! `latentdb trends`.

use crate::cli::flags;
use std::path::PathBuf;

use latentdb_proto::v1::{NamedSet, TrendBuckets, TrendDirection, TrendsRequest};

use super::client::ClientArgs;
use super::diff::groups;
use super::output::FileArgs;
use super::{output, progress, search, text};
use crate::client::Trends;
use crate::client::view::trends as view;
use crate::plot;

/// What is followed, and what comes of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    request: Request,
    /// Draw the shares of the first rows into this SVG file
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    client: ClientArgs,
}

/// What is followed.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("order").required(true))]
struct Request {
    /// The collection
    name: String,
    /// Order documents by this attribute
    #[arg(long, value_name = "ATTRIBUTE", group = "order")]
    by: Option<String>,
    /// Follow latents over these sets, in the order given; repeated
    #[arg(long, value_name = "EXPR", group = "order")]
    set: Vec<String>,
    /// Gather values: hour, day, week, month, quarter, year, or value for none
    #[arg(long, value_name = "UNIT", default_value = "value", value_parser = buckets)]
    every: TrendBuckets,
    /// Gather values in this many bins of equal width
    #[arg(long, value_name = "N", conflicts_with_all = ["every", "set"], value_parser = flags::count::<u32>)]
    bins: Option<u32>,
    /// Only over documents of this filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Follow groups of latents: records with the fields name and latents
    #[arg(long, value_name = "FILE")]
    groups: Option<PathBuf>,
    /// Count a latent as active above this activation
    #[arg(long, value_name = "ACTIVATION", default_value_t = 0.0)]
    above: f32,
    /// Test latents in at least this many documents
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = flags::count::<u64>)]
    min_support: u64,
    #[command(flatten)]
    recurrence: flags::RecurrenceArgs,
    /// List what rises
    #[arg(long, conflicts_with = "falling")]
    rising: bool,
    /// List what falls
    #[arg(long)]
    falling: bool,
    /// List changes of at least this size
    #[arg(long, value_name = "CHANGE")]
    min_change: Option<f64>,
    /// List latents with at most this adjusted p-value [default: .05]
    #[arg(long, value_name = "P", conflicts_with = "all")]
    max_p: Option<f64>,
    /// List latents whether they pass or not
    #[arg(long)]
    all: bool,
    /// List what never turns back
    #[arg(long)]
    monotone: bool,
    /// Rows to list, the largest change first
    #[arg(long, default_value_t = 50, value_parser = flags::count::<u32>)]
    limit: u32,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let request = args.request.wire()?;
    let client = args.client.connect().await?;
    let progress = progress::follow("counting", "units");
    let found = client.trends(request.clone(), progress).await?;
    output::warn(&found.summary.warnings);
    args.files.write(&view::table(&found))?;
    output::respond(args.client.json, &found, || page(&found))?;
    if let Some(path) = &args.plot {
        anyhow::ensure!(
            !found.rows.is_empty(),
            "nothing passes, so {} is not written",
            path.display()
        );
        let mut buckets = found.summary.buckets.iter();
        anyhow::ensure!(
            buckets.any(|bucket| bucket.documents >= view::FEW),
            "no bucket has {} documents or more, so {} is not written",
            view::FEW,
            path.display()
        );
        plot::write(path, &view::trends(&request, &found).figure()?)?;
    }
    Ok(())
}

fn buckets(text: &str) -> Result<TrendBuckets, String> {
    match text {
        "value" => Ok(TrendBuckets::Values),
        "hour" => Ok(TrendBuckets::Hour),
        "day" => Ok(TrendBuckets::Day),
        "week" => Ok(TrendBuckets::Week),
        "month" => Ok(TrendBuckets::Month),
        "quarter" => Ok(TrendBuckets::Quarter),
        "year" => Ok(TrendBuckets::Year),
        other => Err(format!(
            "{other:?} is no unit; accepted are hour, day, week, month, quarter, year and value"
        )),
    }
}

impl Request {
    /// The request as it is sent.
    fn wire(&self) -> anyhow::Result<TrendsRequest> {
        let set = |filter: &String| NamedSet {
            name: filter.clone(),
            filter: Some(search::expression(filter.clone())),
        };
        let direction = match (self.rising, self.falling) {
            (true, _) => TrendDirection::Rising,
            (_, true) => TrendDirection::Falling,
            _ => TrendDirection::Both,
        };
        let buckets = match self.bins {
            Some(_) => TrendBuckets::Bins,
            None => self.every,
        };
        Ok(TrendsRequest {
            collection: self.name.clone(),
            filter: self.filter.clone().map(search::expression),
            attribute: self.by.clone().unwrap_or_default(),
            buckets: buckets.into(),
            bins: self.bins.unwrap_or_default(),
            sets: self.set.iter().map(set).collect(),
            groups: groups(self.groups.as_deref())?,
            active_above: self.above,
            min_support: self.min_support.max(1),
            direction: direction.into(),
            min_recurrence: self.recurrence.min_recurrence,
            min_change: self.min_change,
            max_p_adjusted: self.max_p,
            only_monotone: self.monotone,
            all: self.all,
            limit: self.limit,
        })
    }
}

fn page(found: &Trends) -> String {
    format!(
        "{}{} listed, {} pass; {} tested over {} buckets\n",
        view::table(found).page(output::table_columns()),
        text::thousands(found.rows.len() as u64),
        text::thousands(found.summary.passing),
        text::thousands(found.summary.tested),
        found.summary.buckets.len(),
    )
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::{ChangePoint, TrendBucket, TrendRow, TrendsSummary};

    use super::*;

    #[test]
    fn only_breaks_that_pass_are_shown() {
        let buckets = ["2020", "2021"].map(|name| TrendBucket {
            name: name.to_owned(),
            documents: 50,
            ..TrendBucket::default()
        });
        let row = |latent: u32, count: u32, p_adjusted: f64| TrendRow {
            latent,
            counts: vec![50, count],
            change_point: Some(ChangePoint {
                bucket: 1,
                before: 1.0,
                after: f64::from(count) / 50.0,
                p_adjusted,
                ..ChangePoint::default()
            }),
            ..TrendRow::default()
        };
        let found = Trends {
            summary: TrendsSummary {
                buckets: buckets.to_vec(),
                tested: 2,
                passing: 2,
                warnings: Vec::new(),
            },
            rows: vec![row(0, 50, 1.0), row(1, 5, 1e-9)],
        };
        let page = page(&found);
        assert_eq!(page.matches(" at 2021").count(), 1, "{page}");
        assert!(page.contains("100.0% to 10.0% at 2021"), "{page}");
    }
}
