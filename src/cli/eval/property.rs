//! `latentdb eval property`: properties with ground truth, by every way of searching.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::ValueEnum as _;
use latentdb_proto::v1::{GetCollectionRequest, ListLatentsRequest};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

use super::measured::{measures, table_with};
use super::method::{Method, Settings};
use super::ranking::{Ranker, ids};
use crate::cli::client::{Client, ClientArgs};
use crate::cli::output;
use crate::eval::metrics::{Measures, randomisation};
use crate::eval::property::{self, Evaluation, Measured, Property};
use crate::eval::trec::write_run;
use crate::plot::{self, Axis, Bar};
use crate::report::format;

/// What is measured, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    #[arg(long, value_name = "NAME")]
    collection: String,
    #[command(flatten)]
    properties: PropertyFile,
    /// Ways of searching; all when left out. Repeatable
    #[arg(long = "method", value_enum)]
    methods: Vec<Method>,
    #[command(flatten)]
    settings: Settings,
    /// Seed of the random order
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write the rankings as TREC runs, one file per method
    #[arg(long, value_name = "DIR")]
    runs_out: Option<PathBuf>,
    /// Write a figure: MAP by method, as SVG
    #[arg(long, value_name = "FILE.svg")]
    figure: Option<PathBuf>,
    #[command(flatten)]
    client: ClientArgs,
}

/// Properties with ground truth, and the ranks they are measured on.
#[derive(Debug, clap::Args)]
pub(super) struct PropertyFile {
    /// Properties with ground truth: {"SET": [{"text": the property in words, "relevant": a filter
    /// that the documents match which have it}, ..]}; those of the demo collection when left out
    #[arg(long, value_name = "FILE")]
    properties: Option<PathBuf>,
    /// The set of the file; all sets when left out
    #[arg(long, value_name = "NAME")]
    set: Option<String>,
    /// Ranks that are measured; average precision is then over as many relevant documents as fit
    /// there. All documents when left out, those behind the first 10,000 as if in random order
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    depth: Option<u32>,
}

impl PropertyFile {
    pub(super) fn read(&self) -> anyhow::Result<Vec<Property>> {
        let set = self.set.as_deref();
        Ok(match &self.properties {
            Some(file) => {
                let json = fs::read_to_string(file);
                let json = json.with_context(|| format!("reading {}", file.display()))?;
                property::parse(&json, set).with_context(|| file.display().to_string())?
            }
            None => property::parse(property::DEMO, set)?,
        })
    }

    pub(super) fn depth(&self) -> Option<usize> {
        self.depth.map(|depth| depth as usize)
    }
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let properties = args.properties.read()?;
    let depth = args.properties.depth();
    let client = args.client.connect().await?;
    let methods = methods(&args, &client).await?;
    let mut all = ids(&client, &args.collection, None).await?;
    all.sort_unstable();
    let documents = all.len();
    let mut ranker = Ranker {
        client,
        collection: &args.collection,
        settings: &args.settings,
        all,
        random: StdRng::seed_from_u64(args.seed),
    };
    let dense = Method::Dense;
    let found =
        property::evaluate(&mut ranker, &properties, &methods, dense, depth, documents).await?;
    if let Some(folder) = &args.runs_out {
        write_runs(folder, &found.methods)?;
    }
    if let Some(path) = &args.figure {
        plot::write(path, &figure(&found)?)?;
    }
    let p_dense = against(&found, &methods, dense, &mut ranker.random);
    let named: Map<String, Value> = found
        .methods
        .iter()
        .zip(&p_dense)
        .map(|(measured, p_dense)| {
            let mut values = measures(&measured.mean);
            values.insert("rbo_dense".to_owned(), json!(measured.overlap));
            values.insert("p_dense".to_owned(), json!(p_dense));
            (measured.method.name(), values.into())
        })
        .collect();
    let rows = properties.iter().zip(&found.properties);
    let rows = rows.map(|(property, (relevant, precisions))| {
        let precisions = methods.iter().zip(precisions);
        let named = precisions.map(|(method, ap)| (method.name(), json!(ap)));
        json!({
            "text": property.text,
            "relevant": property.relevant,
            "documents": relevant,
            "ap": named.collect::<Map<_, _>>(),
        })
    });
    let tested = found.methods.iter().zip(&p_dense);
    let paired: Map<String, Value> = tested
        .filter_map(|(measured, p)| Some((measured.method.name(), json!({ "p": (*p)? }))))
        .collect();
    let value = json!({
        "methods": named,
        "paired": paired,
        "properties": rows.collect::<Vec<_>>(),
        "documents": documents,
        "depth": depth,
    });
    let lines = found.methods.iter();
    let lines: Vec<(String, Measures)> = lines
        .map(|measured| (measured.method.name(), measured.mean))
        .collect();
    let shown: Vec<String> = p_dense
        .iter()
        .map(|p| p.map_or_else(String::new, format::p_value))
        .collect();
    let text = format!(
        "{}{} properties, {documents} documents, {}; p: of no difference of average precision to dense\n",
        table_with(&lines, Some(("p", &shown))),
        properties.len(),
        depth.map_or("all ranks".to_owned(), |depth| format!(
            "the first {depth} ranks"
        ))
    );
    output::emit(args.client.json, &value, &text)
}

/// p-values of no difference between the average precision of each method and that of `base`; none of
/// `base` itself, and where it was not measured.
fn against(
    found: &Evaluation<Method>,
    methods: &[Method],
    base: Method,
    random: &mut StdRng,
) -> Vec<Option<f64>> {
    let place = methods.iter().position(|method| *method == base);
    let p_value = |at: usize| {
        let place = place.filter(|place| *place != at)?;
        let of = |own: &(usize, Vec<f64>)| own.1[at] - own.1[place];
        let differences: Vec<f64> = found.properties.iter().map(of).collect();
        Some(randomisation(&differences, random))
    };
    (0..methods.len()).map(p_value).collect()
}

/// MAP by method, best first.
fn figure(found: &Evaluation<Method>) -> anyhow::Result<String> {
    let methods = found.methods.iter();
    let mut means: Vec<(String, f64)> = methods
        .map(|measured| (measured.method.name(), measured.mean.ap))
        .collect();
    means.sort_by(|a, b| b.1.total_cmp(&a.1));
    let bars: Vec<Bar> = means
        .iter()
        .map(|(name, value)| Bar::new(name, *value))
        .collect();
    let title = format!("Property retrieval, {} properties", found.properties.len());
    let axis = Axis::new("mean average precision");
    Ok(plot::horizontal_bars(&title, &axis, &bars)?)
}

/// The methods asked for; without a choice, those that the collection can serve.
async fn methods(args: &Args, client: &Client) -> anyhow::Result<Vec<Method>> {
    if !args.methods.is_empty() {
        args.settings.check(&args.methods)?;
        return Ok(args.methods.clone());
    }
    let has_selector = args.settings.has_selector();
    let request = ListLatentsRequest {
        collection: args.collection.clone(),
        limit: 100_000,
        ..ListLatentsRequest::default()
    };
    let listed = client.latents().list_latents(request).await?.into_inner();
    let labelled = listed.latents.iter().any(|latent| latent.label.is_some());
    let request = GetCollectionRequest {
        name: args.collection.clone(),
    };
    let response = client.collections().get_collection(request).await?;
    let collection = response.into_inner();
    let (encodes, reads_tokens) = (collection.encoder.is_some(), collection.reader.is_some());
    if !encodes {
        output::warn(&[format!(
            "collection {:?} has no encoder, so only methods by words are measured",
            args.collection
        )]);
    }
    let methods = Method::value_variants().iter().copied();
    Ok(methods
        // A property in words is a vector only where there is an encoder, and its own latents are those of an SAE
        // that reads vectors.
        .filter(|method| encodes || matches!(method, Method::Random | Method::Bm25))
        .filter(|method| !reads_tokens || *method != Method::OwnLatents)
        .filter(|method| labelled || !method.needs_labels())
        .filter(|method| has_selector || !method.needs_selector())
        .collect())
}

fn write_runs(folder: &Path, methods: &[Measured<Method>]) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    for measured in methods {
        let name = measured.method.name();
        let path = folder.join(format!("{name}.run"));
        fs::write(&path, write_run(&measured.run, &name))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
