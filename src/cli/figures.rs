//! Figures of diffs, correlations and trends, which commands write to a file and reports hold.

use std::path::{Path, PathBuf};

use latentdb_proto::v1::value::Kind;
use latentdb_proto::v1::{CorrelatedPair, DiffRow, TrendBucket};

use super::correlate::{Correlated, other};
use super::diff::{Compared, Request};
use super::text;
use super::trends::{self, FEW, Followed};
use crate::error::Result;
use crate::plot::{self, Axis, Bar, Series};

/// Bars of a figure; more are not read.
pub(super) const DRAWN: usize = 20;
/// Most characters of a side's name in a title.
const SIDE: usize = 36;
/// Most characters of either latent's name beside a pair's bar.
const PAIRED: usize = 23;

/// Lines of a figure; more are not told apart.
const LINES: usize = 8;
/// Seconds of a mean year.
const YEAR: f64 = 365.2425 * 86_400.0;

/// A difference's latent with its label.
pub(super) fn difference_name(row: &DiffRow) -> String {
    text::latent(
        row.latent,
        &text::shown(&row.label, row.low_confidence),
        &text::label,
    )
}

fn first(pair: &CorrelatedPair) -> String {
    let label = text::shown(&pair.i_label, pair.i_low_confidence);
    text::latent(pair.i, &label, &text::label)
}

/// Both sides of a pair with their labels.
pub(super) fn pair_name(pair: &CorrelatedPair) -> String {
    format!("{} and {}", first(pair), other(pair))
}

/// The largest differences of a comparison with their intervals.
pub(super) fn differences(request: &Request, one: &Compared) -> Result<String> {
    let scale = if request.mean { 1.0 } else { 100.0 };
    let mut largest: Vec<&DiffRow> = one.rows.iter().collect();
    // With --all rows come by number; a stable sort leaves the others as they are.
    largest.sort_by(|left, right| right.delta.abs().total_cmp(&left.delta.abs()));
    largest.truncate(DRAWN);
    let names: Vec<String> = largest.iter().map(|row| difference_name(row)).collect();
    let bars: Vec<Bar<'_>> = largest
        .iter()
        .zip(&names)
        .map(|(row, name)| Bar {
            name,
            value: row.delta * scale,
            // Of one document there is no interval of a mean.
            interval: (row.low.is_finite() && row.high.is_finite())
                .then_some((row.low * scale, row.high * scale)),
        })
        .collect();
    let unit = request.unit();
    let axis = if request.mean {
        Axis::new("mean activation in A minus in B")
    } else {
        Axis::new(format!("share of A's {unit} minus share of B's")).unit("points")
    };
    let title = format!(
        "A: {} · B: {}",
        text::cut(&request.a, SIDE),
        text::cut(&one.head.name, SIDE)
    );
    plot::horizontal_bars(&title, &axis, &bars)
}

/// The pairs with the highest NPMI.
pub(super) fn pairs(collection: &str, found: &Correlated) -> Result<String> {
    let drawn = &found.pairs[..found.pairs.len().min(DRAWN)];
    let short = |name: &str| text::cut(name, PAIRED);
    let names: Vec<String> = drawn
        .iter()
        .map(|pair| format!("{} and {}", short(&first(pair)), short(&other(pair))))
        .collect();
    let bars: Vec<Bar<'_>> = drawn
        .iter()
        .zip(&names)
        .map(|(pair, name)| Bar {
            name,
            value: pair.npmi,
            interval: None,
        })
        .collect();
    let axis = Axis::new("normalised pointwise mutual information");
    let title = format!("What occurs together in {collection}");
    plot::horizontal_bars(&title, &axis, &bars)
}

/// Writes the figure of each comparison: to `path`, or where they are several to `NAME-1.svg`,
/// `NAME-2.svg` and so on. One with nothing to draw is an error where no other has anything either,
/// else a warning.
pub(super) fn write_differences(
    path: &Path,
    request: &Request,
    found: &[Compared],
) -> anyhow::Result<()> {
    let mut empty = Vec::new();
    for (number, one) in (1..).zip(found) {
        let path = match found.len() {
            1 => path.to_path_buf(),
            _ => numbered(path, number),
        };
        if one.rows.is_empty() {
            empty.push(format!(
                "nothing passes against {}, so {} is not written",
                one.head.name,
                path.display()
            ));
        } else {
            plot::write(&path, &differences(request, one)?)?;
        }
    }
    anyhow::ensure!(empty.len() < found.len(), empty.join("; "));
    for message in empty {
        eprintln!("warning: {message}");
    }
    Ok(())
}

/// Writes the figure of pairs.
pub(super) fn write_pairs(path: &Path, collection: &str, found: &Correlated) -> anyhow::Result<()> {
    anyhow::ensure!(
        !found.pairs.is_empty(),
        "no pair is listed, so {} is not written",
        path.display()
    );
    plot::write(path, &pairs(collection, found)?)?;
    Ok(())
}

/// Where a bucket lies on the horizontal axis: its number, its time in years, or its place.
fn place(bucket: &TrendBucket, at: usize) -> (f64, &'static str) {
    let start = bucket.start.as_ref().and_then(|start| start.kind.as_ref());
    match start {
        Some(Kind::Integer(number)) => (*number as f64, ""),
        Some(Kind::Float(number)) => (*number, ""),
        Some(Kind::Timestamp(time)) => (1970.0 + time.seconds as f64 / YEAR, "year"),
        _ => (at as f64 + 1.0, "place in the order"),
    }
}

/// The shares of the first rows over the buckets; those of few documents are left out.
fn trends(request: &trends::Request, found: &Followed) -> Result<String> {
    let buckets = &found.summary.buckets;
    let places: Vec<(f64, &str)> = (0..)
        .zip(buckets)
        .map(|(at, bucket)| place(bucket, at))
        .collect();
    let lines: Vec<(String, Vec<(f64, f64)>)> = found
        .rows
        .iter()
        .take(LINES)
        .map(|row| {
            let label = text::shown(&row.label, row.low_confidence);
            let shares = trends::shares(buckets, row).into_iter().zip(buckets);
            let points = shares.zip(&places).filter_map(|((share, bucket), place)| {
                let share = share.filter(|_| bucket.documents >= FEW)?;
                Some((place.0, share * 100.0))
            });
            (
                text::latent(row.latent, &label, &text::label),
                points.collect(),
            )
        })
        .collect();
    let series: Vec<Series<'_>> = lines
        .iter()
        .map(|(name, points)| Series { name, points })
        .collect();
    let unit = places.first().map_or("", |(_, unit)| unit);
    let by = request.by.as_deref().unwrap_or("sets");
    let across = match unit {
        "" => Axis::new(by),
        unit => Axis::new(by).unit(unit),
    };
    let up = Axis::new("documents with the latent").unit("%");
    plot::lines(
        &format!("Trends in {}", request.name),
        &across,
        &up,
        &series,
    )
}

/// Writes the figure of trends.
pub(super) fn write_trends(
    path: &Path,
    request: &trends::Request,
    found: &Followed,
) -> anyhow::Result<()> {
    anyhow::ensure!(
        !found.rows.is_empty(),
        "nothing passes, so {} is not written",
        path.display()
    );
    let mut buckets = found.summary.buckets.iter();
    anyhow::ensure!(
        buckets.any(|bucket| bucket.documents >= FEW),
        "no bucket has {FEW} documents or more, so {} is not written",
        path.display()
    );
    plot::write(path, &trends(request, found)?)?;
    Ok(())
}

fn numbered(path: &Path, number: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(match &*extension {
        "" => format!("{stem}-{number}"),
        extension => format!("{stem}-{number}.{extension}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_several_comparisons_are_numbered() {
        let path = |text: &str| numbered(Path::new(text), 2).display().to_string();
        assert_eq!(path("out/p.svg"), "out/p-2.svg");
        assert_eq!(path("figure"), "figure-2");
    }
}
