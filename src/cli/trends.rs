//! `latentdb trends`.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use latentdb_proto::v1::trends_response::Part;
use latentdb_proto::v1::{
    Monotone, NamedSet, TrendBucket, TrendBuckets, TrendDirection, TrendRow, TrendsRequest,
    TrendsSummary,
};
use serde_json::{Value, json};

use super::client::{Client, ClientArgs};
use super::diff::{groups, p_value};
use super::table::{FileArgs, Table};
use super::{figures, json, output, progress, search, text};

/// Most characters of a row's little curve.
const CURVE: usize = 24;
/// Breaks with a larger adjusted p-value are not shown.
const BREAK: f64 = 0.05;
/// Buckets with fewer documents are gaps in the curve: their shares say little.
pub(super) const FEW: u64 = 20;

/// What is followed, and what comes of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) request: Request,
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
pub(super) struct Request {
    /// The collection
    pub(super) name: String,
    /// Order documents by this attribute
    #[arg(long, value_name = "ATTRIBUTE", group = "order")]
    pub(super) by: Option<String>,
    /// Follow latents over these sets, in the order given; repeated
    #[arg(long, value_name = "EXPR", group = "order")]
    set: Vec<String>,
    /// Gather values: day, week, month, year, or value for none
    #[arg(long, value_name = "UNIT", default_value = "value", value_parser = buckets)]
    every: TrendBuckets,
    /// Gather values in this many bins of equal width
    #[arg(long, value_name = "N", conflicts_with_all = ["every", "set"])]
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
    #[arg(long, value_name = "N", default_value_t = 1)]
    min_support: u64,
    /// List what rises
    #[arg(long, conflicts_with = "falling")]
    rising: bool,
    /// List what falls
    #[arg(long)]
    falling: bool,
    /// List changes of at least this size
    #[arg(long, value_name = "CHANGE")]
    min_change: Option<f64>,
    /// List latents with at most this adjusted p-value
    #[arg(long, value_name = "P")]
    max_p: Option<f64>,
    /// List what never turns back
    #[arg(long)]
    monotone: bool,
    /// Rows to list, the largest change first
    #[arg(long, default_value_t = 50)]
    limit: u32,
}

/// An answer, put together.
pub(super) struct Followed {
    pub(super) summary: TrendsSummary,
    pub(super) rows: Vec<TrendRow>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let request = args.request.wire()?;
    let client = args.client.connect().await?;
    let found = fetch(&client, request).await?;
    args.files.write(|| table(&found))?;
    output::emit(args.client.json, &value(&found), &page(&found))?;
    match &args.plot {
        Some(path) => figures::write_trends(path, &args.request, &found),
        None => Ok(()),
    }
}

fn buckets(text: &str) -> Result<TrendBuckets, String> {
    match text {
        "value" => Ok(TrendBuckets::Values),
        "day" => Ok(TrendBuckets::Day),
        "week" => Ok(TrendBuckets::Week),
        "month" => Ok(TrendBuckets::Month),
        "year" => Ok(TrendBuckets::Year),
        other => Err(format!(
            "{other:?} is no unit; accepted are day, week, month, year and value"
        )),
    }
}

impl Request {
    /// The request as it is sent.
    pub(super) fn wire(&self) -> anyhow::Result<TrendsRequest> {
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
            min_support: self.min_support,
            direction: direction.into(),
            min_change: self.min_change,
            max_p_adjusted: self.max_p,
            only_monotone: self.monotone,
            limit: self.limit,
        })
    }
}

/// Asks the server, with a bar.
pub(super) async fn fetch(client: &Client, request: TrendsRequest) -> anyhow::Result<Followed> {
    let stream = client.analyses().trends(request).await?.into_inner();
    let mut summary = None;
    let mut rows = Vec::new();
    progress::follow(stream, "counting", "units", |message| {
        match message.part {
            Some(Part::Progress(now)) => return Ok(Some(now)),
            Some(Part::Summary(found)) => summary = Some(found),
            Some(Part::Rows(batch)) => rows.extend(batch.rows),
            None => {}
        }
        Ok(None)
    })
    .await?;
    let summary = summary.context("the server ended the call before anything was counted")?;
    Ok(Followed { summary, rows })
}

/// Shares of the buckets; none where a bucket is empty.
pub(super) fn shares(buckets: &[TrendBucket], row: &TrendRow) -> Vec<Option<f64>> {
    buckets
        .iter()
        .zip(&row.counts)
        .map(|(bucket, count)| {
            (bucket.documents > 0).then(|| f64::from(*count) / bucket.documents as f64)
        })
        .collect()
}

fn monotone(row: &TrendRow) -> &'static str {
    match row.monotone() {
        Monotone::No => "no",
        Monotone::Rising => "rising",
        Monotone::Falling => "falling",
    }
}

/// The rows as one table, a column of counts for each bucket.
pub(super) fn table(found: &Followed) -> Table {
    let of = || found.rows.iter();
    let mut table = Table::default();
    table.integer("latent", of().map(|row| Some(row.latent.into())));
    table.text("label", of().map(|row| Some(&*row.label)));
    table.number("slope", of().map(|row| row.slope));
    table.number("change", of().map(|row| row.change));
    table.number("z", of().map(|row| row.z));
    table.number("p_value", of().map(|row| row.p_value));
    table.number("p_adjusted", of().map(|row| row.p_adjusted));
    table.text("monotone", of().map(|row| Some(monotone(row))));
    let break_at = |row: &TrendRow| {
        let place = row.change_point?.bucket as usize;
        Some(found.summary.buckets.get(place)?.name.clone())
    };
    table.text("change_point", of().map(break_at));
    let adjusted = |row: &TrendRow| Some(row.change_point?.p_adjusted);
    table.optional_number("change_point_p_adjusted", of().map(adjusted));
    for (at, bucket) in found.summary.buckets.iter().enumerate() {
        let counts = of().map(|row| row.counts.get(at).copied().map(u64::from));
        table.integer(&bucket.name, counts);
    }
    table
}

fn value(found: &Followed) -> Value {
    let buckets: Vec<Value> = found
        .summary
        .buckets
        .iter()
        .map(|bucket| {
            json!({
                "name": bucket.name,
                "start": bucket.start.as_ref().map(json::value),
                "documents": bucket.documents,
            })
        })
        .collect();
    json!({
        "buckets": buckets,
        "tested": found.summary.tested,
        "passing": found.summary.passing,
        "rows": found.rows.iter().map(row_value).collect::<Vec<_>>(),
    })
}

fn row_value(row: &TrendRow) -> Value {
    json!({
        "latent": row.latent,
        "label": json::some_text(&row.label),
        "low_confidence": row.low_confidence,
        "counts": row.counts,
        "slope": row.slope,
        "change": row.change,
        "z": row.z,
        "p_value": row.p_value,
        "p_adjusted": row.p_adjusted,
        "monotone": monotone(row),
        "change_point": row.change_point.map(|point| json!({
            "bucket": point.bucket,
            "before": point.before,
            "after": point.after,
            "statistic": point.statistic,
            "p_value": point.p_value,
            "p_adjusted": point.p_adjusted,
        })),
    })
}

/// Shares as a row of bars from nothing to the largest, neighbours averaged where they are many.
fn curve(shares: &[Option<f64>]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let width = shares.len().div_ceil(CURVE).max(1);
    let means: Vec<Option<f64>> = shares
        .chunks(width)
        .map(|part| {
            let known: Vec<f64> = part.iter().flatten().copied().collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        })
        .collect();
    let largest = means.iter().flatten().copied().fold(0.0, f64::max);
    means
        .iter()
        .map(|mean| match mean {
            None => ' ',
            Some(_) if largest == 0.0 => BARS[0],
            // At most 7, as the mean is at most the largest.
            Some(mean) => BARS[(mean / largest * 7.0).round() as usize],
        })
        .collect()
}

fn page(found: &Followed) -> String {
    let buckets = &found.summary.buckets;
    let percent = |share: f64| format!("{:.1}%", share * 100.0);
    let rows: Vec<Vec<String>> = found
        .rows
        .iter()
        .map(|row| {
            let sized = buckets.iter().map(|bucket| bucket.documents >= FEW);
            let shares = shares(buckets, row).into_iter().zip(sized);
            let shares: Vec<Option<f64>> = shares
                .map(|(share, sized)| share.filter(|_| sized))
                .collect();
            let documents: u64 = buckets.iter().map(|bucket| bucket.documents).sum();
            let support: u64 = row.counts.iter().map(|&count| u64::from(count)).sum();
            let point = row.change_point.filter(|point| point.p_adjusted <= BREAK);
            let broken = point.and_then(|point| {
                let bucket = buckets.get(point.bucket as usize)?;
                let (before, after) = (percent(point.before), percent(point.after));
                Some(format!("{before} to {after} at {}", bucket.name))
            });
            vec![
                text::latent(
                    row.latent,
                    &text::shown(&row.label, row.low_confidence),
                    &text::label,
                ),
                curve(&shares),
                percent(support as f64 / documents.max(1) as f64),
                format!("{:+.1}", row.change * 100.0),
                p_value(row.p_adjusted),
                text::cut(&broken.unwrap_or_default(), 60),
            ]
        })
        .collect();
    let header = ["latent", "curve", "share", "change", "adjusted p", "break"];
    let mut page = text::table(&header, &rows);
    let _ = writeln!(
        page,
        "{} of {} that pass; {} tested over {} buckets",
        text::thousands(found.rows.len() as u64),
        text::thousands(found.summary.passing),
        text::thousands(found.summary.tested),
        buckets.len(),
    );
    page
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::ChangePoint;

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
        let found = Followed {
            summary: TrendsSummary {
                buckets: buckets.to_vec(),
                tested: 2,
                passing: 2,
            },
            rows: vec![row(0, 50, 1.0), row(1, 5, 1e-9)],
        };
        let page = page(&found);
        assert_eq!(page.matches(" at 2021").count(), 1, "{page}");
        assert!(page.contains("100.0% to 10.0% at 2021"), "{page}");
        assert_eq!(row_value(&found.rows[0])["change_point"]["p_adjusted"], 1.0);
    }

    #[test]
    fn curves_fit_and_show_gaps() {
        assert_eq!(curve(&[Some(0.0), None, Some(0.5), Some(1.0)]), "▁ ▅█");
        assert_eq!(curve(&[Some(0.0); 3]), "▁▁▁");
        assert!(curve(&[Some(0.1); 1000]).chars().count() <= CURVE);
    }
}
