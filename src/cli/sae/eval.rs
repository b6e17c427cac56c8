//! `latentdb sae eval`: how good an SAE is.

use std::path::PathBuf;

use anyhow::Context as _;
use latentdb_proto::v1::{EvaluateSaeRequest, SaeQuality};
use serde_json::json;

use super::files::FileArgs;
use super::page::local;
use crate::cli::client::ClientArgs;
use crate::cli::interrupt::Interrupt;
use crate::cli::{output, progress, text};
use crate::client::ToJson;
use crate::plot;
use crate::reading;
use crate::report::sae as figures;
use crate::sae::{EvaluateOptions, RowSource, TrainingRecord, evaluate_source, format};
use crate::server::wire_quality;

/// What is measured on what.
#[derive(Clone, Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("on").required(true).multiple(true))]
pub(super) struct Args {
    /// Folder of the SAE; with --collection, the collection's own when left out
    #[arg(required_unless_present = "collection")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    files: FileArgs,
    /// Measure on the vectors of this collection, in the server
    #[arg(long, value_name = "NAME", group = "on", conflicts_with_all = ["vectors", "tensor", "rows"])]
    collection: Option<String>,
    /// Draw the densities and the loss curve into this folder, as SVG
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
}

pub(super) async fn run(
    args: Args,
    client: &ClientArgs,
    interrupt: Interrupt,
) -> anyhow::Result<()> {
    if args.collection.is_some() {
        return interrupt.stops(evaluate_collection(&args, client)).await;
    }
    let is_json = client.json;
    let work = tokio::task::spawn_blocking(move || evaluate_files(&args, is_json));
    interrupt.stops(async { work.await? }).await
}

fn evaluate_files(args: &Args, is_json: bool) -> anyhow::Result<()> {
    let dir = args
        .dir
        .as_deref()
        .context("the folder of the SAE is missing")?;
    let sae = format::open(dir)?;
    let shards = args.files.open()?;
    // Of states that say nothing of themselves there is nothing to compare.
    if let Some(own) = shards.reading()? {
        reading::check(Some(&own), sae.record().made_for()?.as_ref())?;
    }
    if shards.dimension() != sae.d_in() {
        anyhow::bail!(
            "{} has vectors of {} values; the SAE reads {}",
            args.files.names(),
            shards.dimension(),
            sae.d_in()
        );
    }
    let waiting = progress::spinner("evaluating");
    let quality = evaluate_source(&sae, &shards, &EvaluateOptions::default())?;
    waiting.finish_and_clear();
    let value = json!({"sae": local(&sae), "quality": quality});
    let quality = wire_quality(&quality);
    draw(args, &quality, sae.record())?;
    output::emit(is_json, &value, &page(&quality))
}

async fn evaluate_collection(args: &Args, client: &ClientArgs) -> anyhow::Result<()> {
    let connection = client.connect().await?;
    let request = EvaluateSaeRequest {
        collection: args.collection.clone().unwrap_or_default(),
        sae: match &args.dir {
            Some(dir) => connection.sae_name(dir).await?,
            None => String::new(),
        },
    };
    let waiting = progress::spinner("evaluating");
    let response = connection
        .models()
        .evaluate_sae(request)
        .await?
        .into_inner();
    waiting.finish_and_clear();
    let quality = response.quality.unwrap_or_default();
    let value = json!({
        "sae": response.sae.as_ref().map(ToJson::to_json),
        "quality": quality.to_json(),
    });
    if let Some(sae) = &response.sae {
        let record = serde_json::from_str(&sae.training).context("the SAE's record")?;
        draw(args, &quality, &record)?;
    }
    output::emit(client.json, &value, &page(&quality))
}

fn draw(args: &Args, quality: &SaeQuality, record: &TrainingRecord) -> anyhow::Result<()> {
    let Some(folder) = &args.plots else {
        return Ok(());
    };
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let bins = quality.density.iter();
    let bins: Vec<(f64, u64)> = bins.map(|bin| (bin.lower, bin.latents)).collect();
    let mut figures = vec![("density.svg", figures::density(quality.rows, &bins)?)];
    let curve = record.report.as_ref().map(|report| report.curve.as_slice());
    if let Some(curve) = curve.filter(|curve| !curve.is_empty()) {
        figures.push(("loss.svg", figures::loss(curve)?));
    }
    for (name, svg) in figures {
        let path = folder.join(name);
        plot::write(&path, &svg)?;
        eprintln!("{}", path.display());
    }
    Ok(())
}

/// Every figure, on a page.
fn page(quality: &SaeQuality) -> String {
    let mut facts = vec![
        ("vectors", text::thousands(quality.rows)),
        ("FVU", format!("{:.4}", quality.fvu)),
        ("L0", format!("{:.2}", quality.l0)),
        (
            "dead",
            format!("{:.2}% in these vectors", quality.dead * 100.0),
        ),
        ("cosine", format!("{:.4}", quality.cosine)),
    ];
    if let Some(recall) = &quality.recall {
        facts.push((
            "recall",
            format!(
                "{:.4} of the {} nearest, {} searches over {}",
                recall.recall,
                recall.k,
                text::thousands(recall.queries),
                text::thousands(recall.rows)
            ),
        ));
    }
    if let Some(spread) = &quality.encoder_decoder_cosine {
        facts.push((
            "enc-dec",
            format!(
                "cosine {:.3} on average; a tenth below {:.3}, half below {:.3}, a tenth above {:.3}",
                spread.mean, spread.p10, spread.p50, spread.p90
            ),
        ));
    }
    let mut page: String = facts
        .iter()
        .map(|(name, value)| format!("{name:<8} {value}\n"))
        .collect();
    let bins: Vec<f64> = quality.density.iter().map(|bin| bin.lower).collect();
    let rows: Vec<Vec<String>> = figures::density_names(&bins)
        .into_iter()
        .zip(&quality.density)
        .map(|(name, bin)| vec![name, text::thousands(bin.latents)])
        .collect();
    page.push_str(&text::table(&["active in", "latents"], &rows));
    page
}

#[cfg(test)]
mod tests {
    use latentdb_proto::v1::{DensityBin, SaeRecall};

    use super::*;

    #[test]
    fn the_page_has_every_figure() {
        let bin = |lower, latents| DensityBin { lower, latents };
        let quality = SaeQuality {
            rows: 6000,
            fvu: 0.25,
            density: vec![bin(0.0, 3), bin(1e-9, 4), bin(1e-4, 5), bin(0.1, 1200)],
            recall: Some(SaeRecall {
                queries: 100,
                rows: 6000,
                k: 10,
                recall: 0.75,
            }),
            ..SaeQuality::default()
        };
        let page = page(&quality);
        for words in ["FVU      0.2500", "of the 10 nearest", "1,200"] {
            assert!(page.contains(words), "{words}: {page}");
        }
    }
}
