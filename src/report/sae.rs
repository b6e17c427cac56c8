//! Figures of an SAE's training and quality, as SVG, and the table of a sweep.

use crate::error::Result;
use crate::plot::{self, Axis, Bar, Series};
use crate::sae::CurvePoint;
use crate::sae::sweep::{PowerLaw, SweepPoint, laws};

/// Names of density bins, given by the share of vectors from which each counts, ascending.
///
/// ```
/// use latentdb::report::sae::density_names;
///
/// let names = density_names(&[0.0, 1e-9, 1e-4, 0.1]);
/// assert_eq!(names, ["none", "under 0.01%", "0.01% to 10%", "10% and more"]);
/// ```
pub fn density_names(bins: &[f64]) -> Vec<String> {
    let share = |from: f64| format!("{}%", (from * 1e6).round() / 1e4);
    let all = bins.iter().enumerate();
    all.map(|(at, &from)| match bins.get(at + 1) {
        Some(&next) if next < 1e-6 => "none".to_owned(),
        Some(&next) if from < 1e-6 => format!("under {}", share(next)),
        Some(&next) => format!("{} to {}", share(from), share(next)),
        None => format!("{} and more", share(from)),
    })
    .collect()
}

/// The number of latents active in which share of `rows` vectors. Bins as in [`density_names`], with
/// their latents.
///
/// # Errors
/// Those of [`plot::horizontal_bars`]; also of the others here.
pub fn density(rows: u64, bins: &[(f64, u64)]) -> Result<String> {
    let names = density_names(&bins.iter().map(|(from, _)| *from).collect::<Vec<_>>());
    let bars: Vec<Bar> = names
        .iter()
        .zip(bins)
        .map(|(name, (_, latents))| Bar::new(name, *latents as f64))
        .collect();
    let title = format!("Latents by the share of {rows} vectors they are active in");
    plot::horizontal_bars(&title, &Axis::new("latents"), &bars)
}

/// Loss and FVU over the epochs of a training.
///
/// # Errors
/// See [`density`].
pub fn loss(curve: &[CurvePoint]) -> Result<String> {
    let over = |value: &dyn Fn(&CurvePoint) -> Option<f64>| -> Vec<(f64, f64)> {
        curve
            .iter()
            .filter_map(|point| Some((point.epoch as f64, value(point)?)))
            .collect()
    };
    let (loss, fvu) = (
        over(&|point| Some(point.loss)),
        over(&|point| Some(point.fvu)),
    );
    let held_out = over(&|point| point.held_out_fvu);
    let mut series = vec![
        Series::new("loss", &loss),
        Series {
            name: "FVU, trained on",
            points: &fvu,
        },
    ];
    if !held_out.is_empty() {
        series.push(Series {
            name: "FVU, held out",
            points: &held_out,
        });
    }
    plot::lines(
        "Training",
        &Axis::new("epoch"),
        &Axis::new("share of variance").logarithmic(),
        &series,
    )
}

/// FVU against n for every k, with the fitted laws.
///
/// # Errors
/// See [`density`].
pub fn sweep(points: &[SweepPoint]) -> Result<String> {
    let mut lines: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for (k, law) in laws(points, |point| point.fvu) {
        let mut measured: Vec<(f64, f64)> = points
            .iter()
            .filter(|point| point.k == k)
            .map(|point| (point.n_latents as f64, point.fvu))
            .collect();
        measured.sort_by(|a, b| a.0.total_cmp(&b.0));
        if let (Some(law), [first, .., last]) = (law, &measured[..]) {
            let ends = [first.0, last.0].map(|n| (n, law.at(n)));
            lines.push((format!("k = {k}"), measured));
            lines.push((format!("{:.2} n^{:.3}", law.a, law.alpha), ends.to_vec()));
        } else {
            lines.push((format!("k = {k}"), measured));
        }
    }
    let series: Vec<Series> = lines
        .iter()
        .map(|(name, points)| Series::new(name, points))
        .collect();
    plot::lines(
        "FVU by number of latents",
        &Axis::new("latents").logarithmic(),
        &Axis::new("FVU").logarithmic(),
        &series,
    )
}

/// The head and the rows of a table: `quality` of every n under every k, and the law of every k (the
/// table of O'Neill et al. 2024). `whole` writes large numbers.
pub fn sweep_table(
    points: &[SweepPoint],
    quality: impl Fn(&SweepPoint) -> f64,
    whole: fn(u64) -> String,
) -> (Vec<String>, Vec<Vec<String>>) {
    let mut sizes: Vec<usize> = points.iter().map(|point| point.n_latents).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut header = vec!["k".to_owned()];
    header.extend(sizes.iter().map(|n| format!("n={n}")));
    header.extend(["A", "alpha", "dead", "examples/s"].map(str::to_owned));
    let rows: Vec<Vec<String>> = laws(points, &quality)
        .into_iter()
        .map(|(k, law)| sweep_row(points, &sizes, k, law, &quality, whole))
        .collect();
    (header, rows)
}

fn sweep_row(
    points: &[SweepPoint],
    sizes: &[usize],
    k: usize,
    law: Option<PowerLaw>,
    quality: impl Fn(&SweepPoint) -> f64,
    whole: fn(u64) -> String,
) -> Vec<String> {
    let of_k: Vec<&SweepPoint> = points.iter().filter(|point| point.k == k).collect();
    let mut row = vec![k.to_string()];
    for n in sizes {
        let point = of_k.iter().find(|point| point.n_latents == *n);
        row.push(point.map_or("-".to_owned(), |point| format!("{:.4}", quality(point))));
    }
    match law {
        Some(law) => row.extend([format!("{:.3}", law.a), format!("{:.3}", law.alpha)]),
        None => row.extend(["-".to_owned(), "-".to_owned()]),
    }
    let dead = of_k
        .iter()
        .map(|point| point.dead_share)
        .fold(0.0, f64::max);
    let slowest = of_k
        .iter()
        .map(|point| point.examples_per_second)
        .fold(f64::INFINITY, f64::min);
    row.push(format!("{:.1}%", dead * 100.0));
    row.push(whole(slowest.round() as u64));
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_shows_every_k_and_its_law() {
        let point = |n_latents, k, fvu| SweepPoint {
            n_latents,
            k,
            fvu,
            fvu_trained: fvu,
            l0: k as f64,
            dead_share: 0.0,
            seconds: 1.0,
            examples_per_second: 1.0,
        };
        let points = [point(400, 4, 0.2), point(100, 4, 0.4), point(100, 8, 0.3)];
        let svg = sweep(&points).unwrap();
        for words in ["k = 4", "k = 8", "n^-0.500"] {
            assert!(svg.contains(words), "{words}");
        }
    }

    #[test]
    fn figures_show_what_there_is() {
        let svg = density(100, &[(0.0, 2), (0.1, 6)]).unwrap();
        assert!(svg.contains("under 10%") && svg.contains("10% and more"));
        let curve: Vec<CurvePoint> = (1..4)
            .map(|epoch| CurvePoint {
                epoch,
                loss: 1.0 / epoch as f64,
                fvu: 0.9 / epoch as f64,
                held_out_fvu: None,
                dead_share: 0.0,
            })
            .collect();
        assert!(loss(&curve).unwrap().contains("FVU, trained on"));
        assert!(!loss(&curve).unwrap().contains("held out"));
    }
}
