//! `latentdb sae sweep`: trainings over a grid of sizes, a table of their quality, and its law.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::files::FileArgs;
use super::train::{Settings, train_rows};
use crate::cli::interrupt::Interrupt;
use crate::cli::{output, text};
use crate::plot;
use crate::records::rows::RowFiles;
use crate::report::sae as figures;
use crate::sae::sweep::{SweepPoint, laws};
use crate::sae::{RowSource, TrainConfig, TrainOptions, format};

/// What is trained.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("on").required(true).multiple(true))]
pub(super) struct Args {
    #[command(flatten)]
    files: FileArgs,
    /// Numbers of latents
    #[arg(long, value_name = "N,..", value_delimiter = ',', required = true)]
    n: Vec<usize>,
    /// Numbers of latents active at once
    #[arg(long, value_name = "K,..", value_delimiter = ',', required = true)]
    k: Vec<usize>,
    /// Folder of the SAEs, sweep.json and sweep.svg; what is there already is not trained again
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    settings: Settings,
    /// Cores to use; 0 for all
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    threads: usize,
}

pub(super) fn run(args: &Args, is_json: bool, interrupt: &Interrupt) -> anyhow::Result<()> {
    let rows = args.files.open()?;
    let normalisation = rows.normalisation()?;
    let mut points = Vec::new();
    let mut grid: Vec<(usize, usize)> = args
        .k
        .iter()
        .flat_map(|k| args.n.iter().map(|n| (*n, *k)))
        .collect();
    grid.sort_unstable_by_key(|(n, k)| (*k, *n));
    grid.dedup();
    for (n, k) in grid {
        let options = TrainOptions {
            n_latents: Some(n),
            k: Some(k),
            threads: args.threads,
            ..args.settings.options()
        };
        let mut config = options.config(rows.rows());
        config.normalisation = normalisation;
        let folder = args.out.join(format!("n{n}-k{k}"));
        let point = match done(&folder, &config, n, k)? {
            Some(point) => point,
            None => train_one(args, &rows, &config, &folder, interrupt)?,
        };
        points.push(point);
        write(&args.out, &points)?;
    }
    output::emit(is_json, &value(&points), &page(&points))
}

/// The point of an SAE that an earlier run trained with the same settings.
fn done(
    folder: &Path,
    config: &TrainConfig,
    n: usize,
    k: usize,
) -> anyhow::Result<Option<SweepPoint>> {
    if !folder.exists() {
        return Ok(None);
    }
    let sae = format::open(folder)?;
    let record = sae.record();
    let mut theirs = record.config.clone();
    if let Some(theirs) = &mut theirs {
        theirs.threads = config.threads;
    }
    match (&theirs, &record.report) {
        (Some(theirs), Some(report)) if theirs == config => Ok(Some(SweepPoint::of(n, k, report))),
        _ => anyhow::bail!(
            "{} was trained with other settings; name another folder or remove it",
            folder.display()
        ),
    }
}

fn train_one(
    args: &Args,
    rows: &RowFiles,
    config: &TrainConfig,
    folder: &Path,
    interrupt: &Interrupt,
) -> anyhow::Result<SweepPoint> {
    let (n, k) = (config.n_latents, config.k);
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot make {}", args.out.display()))?;
    let checkpoint = args.out.join(format!("n{n}-k{k}.checkpoint"));
    let name = format!("n {n}, k {k}: ");
    let trained = train_rows(
        &args.files,
        (rows, None),
        (config, 1),
        &checkpoint,
        &name,
        interrupt,
    )?;
    format::save(&trained.sae, folder)?;
    Ok(SweepPoint::of(n, k, &trained.report))
}

fn write(out: &Path, points: &[SweepPoint]) -> anyhow::Result<()> {
    let path = out.join("sweep.json");
    let text = serde_json::to_string_pretty(&value(points))?;
    std::fs::write(&path, text + "\n")
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(plot::write(
        &out.join("sweep.svg"),
        &figures::sweep(points)?,
    )?)
}

fn value(points: &[SweepPoint]) -> serde_json::Value {
    let trained = laws(points, |point| point.fvu_trained);
    let laws: Vec<_> = laws(points, |point| point.fvu)
        .into_iter()
        .zip(trained)
        .map(|((k, law), (_, trained))| json!({"k": k, "law": law, "trained_law": trained}))
        .collect();
    json!({"points": points, "laws": laws})
}

/// FVU of every n under every k, with the law of every k: on held-out rows and on those trained on.
fn page(points: &[SweepPoint]) -> String {
    let table = |quality: fn(&SweepPoint) -> f64| {
        let (head, rows) = figures::sweep_table(points, quality, text::thousands);
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        text::table(&head, &rows)
    };
    format!(
        "FVU on held-out vectors; A n^alpha fits each row\n{}\nFVU on vectors trained on\n{}",
        table(|point| point.fvu),
        table(|point| point.fvu_trained)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_row_for_every_k_and_its_law() {
        let point = |n_latents, k, fvu| SweepPoint {
            n_latents,
            k,
            fvu,
            fvu_trained: fvu / 2.0,
            l0: 4.0,
            dead_share: 0.01,
            seconds: 2.0,
            examples_per_second: 1234.5,
        };
        let points = [point(100, 4, 0.4), point(400, 4, 0.2), point(100, 8, 0.3)];
        let table = page(&points);
        let lines: Vec<&str> = table.lines().collect();
        assert!(lines[1].contains("n=100") && lines[1].contains("n=400"));
        assert!(
            lines[2].contains("0.4000") && lines[2].contains("-0.500"),
            "{table}"
        );
        assert!(lines[3].contains('-'), "{table}");
        assert!(table.contains("0.2000  0.1000"), "{table}");
        assert_eq!(value(&points)["laws"][0]["k"], 4);
    }
}
