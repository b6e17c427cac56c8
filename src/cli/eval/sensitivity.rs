//! `latentdb eval sensitivity`: how figures depend on the size of the SAE, on what it was trained on
//! and on the encoder.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use latentdb_proto::v1::{
    AttachSaeRequest, Collection, CreateCollectionRequest, DetachSaeRequest, DropCollectionRequest,
    LabelLatentsRequest, Projection, ScoreLabelsRequest, ScrollRequest, UpsertRequest,
};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde_json::{Value, json};

use super::method::{Method, Settings};
use super::property::PropertyFile;
use super::ranking::{Ranker, ids};
use crate::cli::client::{Client, ClientArgs};
use crate::cli::interrupt::Interrupt;
use crate::cli::{collection, output, progress, text};
use crate::eval::property::{self, Property};
use crate::progress::Progress;
use crate::sae::{EvaluateOptions, TrainOptions, evaluate, format, train};

/// Name that the SAEs are attached by, one after the other.
const SAE: &str = "sensitivity";
/// What is behind the name of a collection that is made for an encoder.
const SUFFIX: &str = "-sensitivity";
/// Documents written at once.
const BATCH: usize = 256;
/// One vector in this many is held out of every training.
const HELD_OUT: usize = 10;
/// Ways of searching that are compared.
const METHODS: [Method; 4] = [
    Method::Dense,
    Method::PropertyCentroid,
    Method::PropertyLabel,
    Method::Hybrid,
];

/// What is varied, and on what it is measured.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection; SAEs are attached to it as "sensitivity", one after the other, and detached
    #[arg(long, value_name = "NAME")]
    collection: String,
    #[command(flatten)]
    properties: PropertyFile,
    /// Numbers of latents
    #[arg(long, value_name = "N,..", value_delimiter = ',', required = true)]
    n: Vec<usize>,
    /// Numbers of latents active at once
    #[arg(long, value_name = "K,..", value_delimiter = ',', required = true)]
    k: Vec<usize>,
    /// Numbers of vectors trained on, drawn at random, each a part of the next; all but the tenth that
    /// is held out when left out
    #[arg(long, value_name = "ROWS,..", value_delimiter = ',')]
    trained_on: Vec<usize>,
    /// Encoders: the texts are re-encoded, in a collection made for it and dropped. The collection's
    /// own vectors when left out
    #[arg(long = "encoder", value_name = "MODEL,..", value_delimiter = ',')]
    encoders: Vec<String>,
    /// Labels that are scored, drawn at random
    #[arg(long, value_name = "N", default_value_t = 200)]
    labels: u32,
    /// Judge labels by similarity under this encoder in place of the collection's
    #[arg(long, value_name = "MODEL")]
    judge_encoder: Option<String>,
    /// Decides which vectors are trained on and held out, and the trainings
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write the table as Markdown
    #[arg(long, value_name = "FILE.md")]
    markdown: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    client: ClientArgs,
}

/// One setting and what was measured with it.
struct Point {
    encoder: String,
    trained_on: usize,
    n: usize,
    k: usize,
    fvu: f64,
    /// MAP by [`METHODS`].
    maps: Vec<f64>,
    /// Labels made, and the median Pearson correlation of the scored ones.
    labels: u64,
    pearson: f32,
    /// Labels scored, and those that pass .3, .5 and .8.
    scored: u64,
    at_least: [u64; 3],
}

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    let properties = args.properties.read()?;
    let client = args.client.connect().await?;
    let mut points = Vec::new();
    if args.encoders.is_empty() {
        let found = existing(&client, &args.collection).await?;
        if found.saes.iter().any(|sae| sae.name == SAE) {
            bail!(
                "collection {name:?} has an SAE named {SAE:?}, a name that this command needs: where an \
                 interrupted run left it, `latentdb collection detach {name} {SAE}` takes it away",
                name = args.collection
            );
        }
        let encoder = found
            .encoder
            .map_or("own".to_owned(), |encoder| encoder.model);
        let measured = measure(
            &args,
            &client,
            &properties,
            &args.collection,
            &encoder,
            &interrupt,
        );
        let measured = measured.await;
        let detached = detach(&client, &args.collection).await;
        points.extend(measured?);
        detached?;
    }
    for encoder in &args.encoders {
        let copy = format!("{}{SUFFIX}", args.collection);
        encode_anew(&args, &client, &copy, encoder).await?;
        let measured = measure(&args, &client, &properties, &copy, encoder, &interrupt).await;
        let dropped = client
            .collections()
            .drop_collection(DropCollectionRequest { name: copy })
            .await;
        points.extend(measured?);
        dropped?;
    }
    if let Some(path) = &args.markdown {
        std::fs::write(path, markdown(&points))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let value = json!({"points": points.iter().map(json_of).collect::<Vec<_>>()});
    let rows: Vec<Vec<String>> = points.iter().map(row).collect();
    output::emit(args.client.json, &value, &text::table(&head(), &rows))
}

/// Every size of the SAE on one collection.
async fn measure(
    args: &Args,
    client: &Client,
    properties: &[Property],
    name: &str,
    encoder: &str,
    interrupt: &Interrupt,
) -> anyhow::Result<Vec<Point>> {
    let (vectors, d) = vectors_of(client, name).await?;
    let mut rows: Vec<usize> = (0..vectors.len() / d).collect();
    rows.shuffle(&mut StdRng::seed_from_u64(args.seed));
    let held_out = rows.split_off(rows.len() - rows.len() / HELD_OUT);
    let sizes = match args.trained_on.is_empty() {
        true => vec![rows.len()],
        false => args.trained_on.clone(),
    };
    if let Some(large) = sizes.iter().find(|size| **size == 0 || **size > rows.len()) {
        bail!(
            "--trained-on {large}: collection {name:?} has {} vectors to train on, a tenth being held out",
            rows.len()
        );
    }
    let gather = |rows: &[usize]| -> Vec<f32> {
        let row = |&row: &usize| &vectors[row * d..(row + 1) * d];
        rows.iter().flat_map(row).copied().collect()
    };
    let held_out = gather(&held_out);
    let mut points = Vec::new();
    for &size in &sizes {
        let trained_on = gather(&rows[..size]);
        for &n in &args.n {
            for &k in &args.k {
                eprintln!(
                    "{encoder}, {} vectors, n {n}, k {k}",
                    text::thousands(size as u64)
                );
                let one = Setting {
                    trained_on: trained_on.clone(),
                    held_out: held_out.clone(),
                    d,
                    n,
                    k,
                    seed: args.seed,
                };
                let interrupt = interrupt.clone();
                let trained = tokio::task::spawn_blocking(move || one.train(&interrupt)).await?;
                let (folder, fvu) = trained?;
                attach(client, name, folder.path()).await?;
                let address = format!("{name}:{SAE}");
                let (labels, scores) = label(args, client, &address).await?;
                points.push(Point {
                    encoder: encoder.to_owned(),
                    trained_on: size,
                    n,
                    k,
                    fvu,
                    maps: maps(args, client, properties, &address).await?,
                    labels,
                    pearson: scores.median_pearson,
                    scored: scores.scored,
                    at_least: [scores.at_least_03, scores.at_least_05, scores.at_least_08],
                });
            }
        }
    }
    Ok(points)
}

/// A training.
struct Setting {
    trained_on: Vec<f32>,
    held_out: Vec<f32>,
    d: usize,
    n: usize,
    k: usize,
    seed: u64,
}

impl Setting {
    /// A folder with the SAE, and its FVU on the held-out vectors.
    fn train(&self, interrupt: &Interrupt) -> anyhow::Result<(tempfile::TempDir, f64)> {
        let options = TrainOptions {
            n_latents: Some(self.n),
            k: Some(self.k),
            seed: self.seed,
            ..TrainOptions::default()
        };
        let config = options.config(self.trained_on.len() / self.d);
        let stopped: std::sync::Arc<Progress> = interrupt.progress();
        let trained = train(
            &self.trained_on,
            self.d,
            &config,
            None,
            &stopped,
            &mut |_| (),
        )?;
        let measured = EvaluateOptions {
            recall_queries: 0,
            ..EvaluateOptions::default()
        };
        let quality = evaluate(&trained.sae, &self.held_out, &measured)?;
        let folder = tempfile::tempdir()?;
        let place = folder.path().join("sae");
        format::save(&trained.sae, &place)?;
        Ok((folder, quality.fvu))
    }
}

async fn attach(client: &Client, name: &str, folder: &std::path::Path) -> anyhow::Result<()> {
    let sae = client.upload_sae(&folder.join("sae")).await?;
    let request = AttachSaeRequest {
        collection: name.to_owned(),
        sae: sae.sha256,
        name: SAE.to_owned(),
        ..AttachSaeRequest::default()
    };
    client.attach_sae(request, |_| ()).await?;
    Ok(())
}

async fn existing(client: &Client, name: &str) -> anyhow::Result<Collection> {
    let found = collection::find(client, name).await?;
    found.with_context(|| format!("there is no collection {name:?}"))
}

async fn detach(client: &Client, name: &str) -> anyhow::Result<()> {
    let found = existing(client, name).await?;
    if found.saes.iter().any(|sae| sae.name == SAE) {
        let request = DetachSaeRequest {
            collection: name.to_owned(),
            name: SAE.to_owned(),
        };
        client.detach_sae(request, |_| ()).await?;
    }
    Ok(())
}

/// Labels the latents with keyphrases and scores some of the labels.
async fn label(
    args: &Args,
    client: &Client,
    address: &str,
) -> anyhow::Result<(u64, latentdb_proto::v1::LabelScoreSummary)> {
    let bar = progress::spinner("labelling and scoring");
    // An earlier run may have left labels of an SAE of the same weights.
    let labelled = LabelLatentsRequest {
        collection: address.to_owned(),
        again: true,
        ..LabelLatentsRequest::default()
    };
    let labels = client.label_latents(labelled, |_| ()).await?.written;
    let scored = ScoreLabelsRequest {
        collection: address.to_owned(),
        sample: args.labels,
        seed: args.seed,
        judge_encoder: args.judge_encoder.clone().unwrap_or_default(),
        ..ScoreLabelsRequest::default()
    };
    let scores = client.score_labels(scored, |_| ()).await?.summary;
    bar.finish_and_clear();
    Ok((labels, scores))
}

/// MAP by every way of searching.
async fn maps(
    args: &Args,
    client: &Client,
    properties: &[Property],
    address: &str,
) -> anyhow::Result<Vec<f64>> {
    let all = ids(client, address, None).await?;
    let documents = all.len();
    let mut ranker = Ranker {
        client: client.clone(),
        collection: address,
        settings: &args.settings,
        all,
        random: StdRng::seed_from_u64(args.seed),
    };
    let depth = args.properties.depth();
    let found = property::evaluate(
        &mut ranker,
        properties,
        &METHODS,
        Method::Dense,
        depth,
        documents,
    );
    let found = found.await?;
    Ok(found
        .methods
        .iter()
        .map(|measured| measured.mean.ap)
        .collect())
}

/// All vectors of a collection, in order of ids, `[rows, d]`.
async fn vectors_of(client: &Client, name: &str) -> anyhow::Result<(Vec<f32>, usize)> {
    let request = ScrollRequest {
        collection: name.to_owned(),
        projection: Some(Projection {
            vector: true,
            ..Projection::default()
        }),
        ..ScrollRequest::default()
    };
    let mut documents = client.scroll(request).await?;
    documents.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    let vectors: Vec<Vec<f32>> = documents
        .into_iter()
        .filter_map(|document| document.vector.map(|vector| vector.values))
        .collect();
    let Some(d) = vectors.first().map(Vec::len) else {
        bail!("collection {name:?} has no vectors, which SAEs are trained on");
    };
    Ok((vectors.concat(), d))
}

/// The documents of the collection in another, under another encoder.
async fn encode_anew(
    args: &Args,
    client: &Client,
    copy: &str,
    encoder: &str,
) -> anyhow::Result<()> {
    let create = CreateCollectionRequest {
        name: copy.to_owned(),
        encoder: encoder.to_owned(),
        ..CreateCollectionRequest::default()
    };
    let created = client.collections().create_collection(create).await;
    created.with_context(|| {
        format!("collection {copy:?} is made for the texts under {encoder}, and dropped at the end")
    })?;
    let request = ScrollRequest {
        collection: args.collection.clone(),
        projection: Some(Projection {
            text: true,
            attributes: true,
            ..Projection::default()
        }),
        ..ScrollRequest::default()
    };
    let documents = client.scroll(request).await?;
    let bar = progress::bar(documents.len() as u64, "documents");
    bar.set_message(format!("encoding with {encoder}"));
    for batch in documents.chunks(BATCH) {
        let request = UpsertRequest {
            collection: copy.to_owned(),
            documents: batch.to_vec(),
            ..UpsertRequest::default()
        };
        client.documents().upsert(request).await?;
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}

fn head() -> Vec<&'static str> {
    vec![
        "encoder",
        "trained on",
        "n",
        "k",
        "FVU",
        "dense",
        "centroids",
        "labels",
        "hybrid",
        "labelled",
        "median Pearson",
        "pass .3, .5, .8",
    ]
}

fn row(point: &Point) -> Vec<String> {
    let share = |count: u64| format!("{:.0}%", 100.0 * count as f64 / point.scored.max(1) as f64);
    let mut row = vec![
        point.encoder.clone(),
        text::thousands(point.trained_on as u64),
        point.n.to_string(),
        point.k.to_string(),
        format!("{:.3}", point.fvu),
    ];
    row.extend(point.maps.iter().map(|map| format!("{map:.3}")));
    row.push(text::thousands(point.labels));
    row.push(format!("{:.3}", point.pearson));
    row.push(point.at_least.map(share).join(", "));
    row
}

fn markdown(points: &[Point]) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head().into_iter().map(str::to_owned).collect();
    let rule: Vec<String> = head.iter().map(|_| "---".to_owned()).collect();
    let rows: Vec<String> = points.iter().map(|point| line(&row(point))).collect();
    format!("{}{}{}", line(&head), line(&rule), rows.concat())
}

fn json_of(point: &Point) -> Value {
    let maps = METHODS.iter().zip(&point.maps);
    let maps: serde_json::Map<String, Value> = maps
        .map(|(method, map)| (method.name(), json!(map)))
        .collect();
    json!({
        "encoder": point.encoder,
        "trained_on": point.trained_on,
        "n_latents": point.n,
        "k": point.k,
        "fvu": point.fvu,
        "map": maps,
        "labels": point.labels,
        "scored": point.scored,
        "median_pearson": point.pearson,
        "at_least": {"0.3": point.at_least[0], "0.5": point.at_least[1], "0.8": point.at_least[2]},
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_a_row() {
        let point = Point {
            encoder: "all-MiniLM-L6-v2".to_owned(),
            trained_on: 20_000,
            n: 1024,
            k: 16,
            fvu: 0.3331,
            maps: vec![0.281, 0.348, 0.259, 0.321],
            labels: 1000,
            pearson: 0.61,
            scored: 200,
            at_least: [150, 100, 10],
        };
        let page = markdown(&[point]);
        let last = page.lines().last().unwrap();
        assert_eq!(
            last,
            "| all-MiniLM-L6-v2 | 20,000 | 1024 | 16 | 0.333 | 0.281 | 0.348 | 0.259 | 0.321 | 1,000 | \
             0.610 | 75%, 50%, 5% |"
        );
        let columns = |line: &str| line.matches('|').count();
        assert!(page.lines().all(|line| columns(line) == columns(last)));
    }
}
