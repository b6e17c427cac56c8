//! How SAEs, their quality and their trainings read.

use std::path::Path;

use latentdb_proto::v1::{SaeQuality, TrainSaeProgress, TrainSaeRequest};
use serde_json::{Value, json};

use crate::cli::client::Client;
use crate::cli::{progress, text};
use crate::sae::{Normalisation, Quality, Recurrence, Sae};
use crate::server::wire_recurrence;

pub(super) fn quality_line(name: &str, quality: &Quality) -> String {
    let recall = quality.recall.map_or(String::new(), |recall| {
        format!(", recall@{} {:.3}", recall.k, recall.recall)
    });
    format!(
        "  {name:<10} FVU {:.4}, L0 {:.1}, {:.1}% dead, cosine {:.4}{recall} over {} vectors\n",
        quality.fvu,
        quality.l0,
        quality.dead_share * 100.0,
        quality.cosine,
        text::thousands(quality.rows as u64)
    )
}

/// How often its latents come back in SAEs of other seeds.
pub(super) fn recurrence_line(found: &Recurrence) -> String {
    format!(
        "  recurrence {}\n",
        text::recurrence(&wire_recurrence(found))
    )
}

/// An SAE in this process, in the form that the server gives.
pub(super) fn local(sae: &Sae) -> Value {
    json!({
        "sha256": sae.hash(),
        "architecture": sae.architecture().name(),
        "d_in": sae.d_in(),
        "n_latents": sae.n_latents(),
        "k": sae.k(),
        "training": sae.record(),
    })
}

/// What there is to know of an SAE in `dir`, on a page.
pub(super) fn info_page(dir: &Path, sae: &Sae) -> String {
    let record = sae.record();
    let k = sae.k().map_or(String::new(), |k| format!(", k = {k}"));
    let mut page = format!(
        "{}: {}, {} latents{k}, for vectors of {} values\n  sha256 {}\n",
        dir.display(),
        sae.architecture().name(),
        text::thousands(sae.n_latents() as u64),
        sae.d_in(),
        sae.hash()
    );
    page.push_str(match sae.normalisation() {
        Normalisation::None => "",
        Normalisation::ConstantNormRescale => "  inputs are scaled to the norm sqrt(d)\n",
        Normalisation::LayerNorm => "  inputs are normalised as by a layer norm\n",
    });
    if !record.origin.is_empty() {
        page.push_str(&format!("  made by {}\n", record.origin));
    }
    if let Some(reading) = &record.reading {
        page.push_str(&format!("  reads {}\n", reading.describe()));
    }
    for (name, value) in &record.about {
        page.push_str(&format!("  {name}: {}\n", text::cut(value, 200)));
    }
    if let Some(found) = &record.recurrence {
        page.push_str(&recurrence_line(found));
    }
    if let Some(report) = &record.report {
        page.push_str(&quality_line("trained on", &report.trained));
        if let Some(quality) = &report.held_out {
            page.push_str(&quality_line("held out", quality));
        }
    }
    page
}

/// Where a training stands, on a line.
pub(super) fn progress_line(now: &TrainSaeProgress) -> String {
    format!(
        "epoch {}: loss {:.4}, FVU {:.4}{}, L0 {:.1}, {:.1}% dead, {} examples/s",
        now.epoch,
        now.loss,
        now.fvu,
        now.held_out_fvu
            .map_or(String::new(), |fvu| format!(" (held out {fvu:.4})")),
        now.l0,
        now.dead * 100.0,
        text::thousands(now.examples_per_second.round() as u64)
    )
}

/// Trains on a collection, with a bar; the last message of the stream.
pub(in crate::cli) async fn train_in_server(
    client: &Client,
    request: TrainSaeRequest,
) -> anyhow::Result<TrainSaeProgress> {
    let bar = progress::bar(0, "steps");
    bar.set_message("training");
    let watch = |now: &TrainSaeProgress| {
        // The last message carries what came of it, not where it stands.
        if now.steps > 0 {
            progress::advance(&bar, now);
            bar.set_message(progress_line(now));
        } else if now.queries > 0 {
            bar.set_message(format!(
                "{} of {} queries encoded",
                text::thousands(now.queries_encoded),
                text::thousands(now.queries)
            ));
        }
    };
    let last = client.train_sae(request, watch).await?;
    bar.finish_and_clear();
    Ok(last)
}

/// The quality that the server measured, on a line.
pub(in crate::cli) fn server_quality_line(quality: &SaeQuality) -> String {
    format!(
        "FVU {:.4}, L0 {:.1}, {:.1}% dead, cosine {:.4} over {} vectors\n",
        quality.fvu,
        quality.l0,
        quality.dead * 100.0,
        quality.cosine,
        text::thousands(quality.rows)
    )
}
