//! Plots of an SAE's quality, as SVG files.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use latentdb_proto::v1::SaeQuality;

use super::eval::density_names;
use crate::plot::{self, Axis, Bar, Series};
use crate::sae::sweep::{SweepPoint, laws};
use crate::sae::{CurvePoint, TrainingRecord};

/// Writes `density.svg`, and `loss.svg` where the record has a curve; returns what was written.
pub(super) fn evaluation(
    folder: &Path,
    quality: &SaeQuality,
    record: &TrainingRecord,
) -> anyhow::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut plots = vec![("density.svg", density(quality)?)];
    let curve = record.report.as_ref().map(|report| report.curve.as_slice());
    if let Some(curve) = curve.filter(|curve| !curve.is_empty()) {
        plots.push(("loss.svg", loss(curve)?));
    }
    plots
        .into_iter()
        .map(|(name, svg)| {
            let path = folder.join(name);
            plot::write(&path, &svg)?;
            Ok(path)
        })
        .collect()
}

/// How many latents are active in which share of the vectors.
fn density(quality: &SaeQuality) -> anyhow::Result<String> {
    let names = density_names(quality);
    let bars: Vec<Bar> = names
        .iter()
        .zip(&quality.density)
        .map(|(name, bin)| Bar {
            name,
            value: bin.latents as f64,
            interval: None,
        })
        .collect();
    let title = format!(
        "Latents by the share of {} vectors they are active in",
        quality.rows
    );
    Ok(plot::horizontal_bars(&title, &Axis::new("latents"), &bars)?)
}

/// Loss and FVU over the epochs of a training.
fn loss(curve: &[CurvePoint]) -> anyhow::Result<String> {
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
        Series {
            name: "loss",
            points: &loss,
        },
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
    Ok(plot::lines(
        "Training",
        &Axis::new("epoch"),
        &Axis::new("share of variance").logarithmic(),
        &series,
    )?)
}

/// FVU against n for every k, with the fitted laws.
pub(super) fn sweep(path: &Path, points: &[SweepPoint]) -> anyhow::Result<()> {
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
        .map(|(name, points)| Series { name, points })
        .collect();
    let svg = plot::lines(
        "FVU by number of latents",
        &Axis::new("latents").logarithmic(),
        &Axis::new("FVU").logarithmic(),
        &series,
    )?;
    Ok(plot::write(path, &svg)?)
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::DensityBin;

    use super::*;

    #[test]
    fn a_sweep_shows_every_k_and_its_law() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sweep.svg");
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
        sweep(&path, &points).unwrap();
        let svg = std::fs::read_to_string(path).unwrap();
        for words in ["k = 4", "k = 8", "n^-0.500"] {
            assert!(svg.contains(words), "{words}");
        }
    }

    #[test]
    fn an_evaluation_draws_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let quality = SaeQuality {
            rows: 100,
            density: vec![
                DensityBin {
                    lower: 0.0,
                    latents: 2,
                },
                DensityBin {
                    lower: 0.1,
                    latents: 6,
                },
            ],
            ..SaeQuality::default()
        };
        let written = evaluation(folder.path(), &quality, &TrainingRecord::default()).unwrap();
        assert_eq!(written, [folder.path().join("density.svg")]);
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
