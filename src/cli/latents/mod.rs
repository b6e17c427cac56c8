//! `latentdb latents`: list, show, label, score, find, split, export.
//!
//! `page` prints one latent, `labelling` runs labellers and judges, `medians` says how well labels
//! score, `labels` moves labels in and out.

use latentdb_proto::v1::{
    GetLatentRequest, LabelSearchMode, LatentOrder, ListLatentsRequest, ListLatentsResponse,
    SearchLabelsRequest, SearchLabelsResponse,
};
use serde_json::{Value, json};

use super::client::ClientArgs;
use super::{export, json, output, text};

mod labelling;
mod labels;
mod medians;
mod page;
mod splitting;

pub(super) use page::QUANTILES;

/// What is done with latents.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List latents with their labels and statistics
    List {
        /// The collection
        name: String,
        /// Only latents whose label holds all these words
        #[arg(long, value_name = "WORDS")]
        label: Option<String>,
        /// In the order of their numbers, not of their documents
        #[arg(long)]
        by_number: bool,
        /// Entries to print
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Entries to pass over
        #[arg(long, default_value_t = 0)]
        offset: u32,
    },
    /// Show one latent: labels, activations, documents, what it goes with
    Show {
        /// The collection
        name: String,
        /// The latent's number
        latent: u32,
        /// Documents with the strongest activations to print
        #[arg(long, default_value_t = 5)]
        documents: u32,
        /// Documents to print that are drawn at random from those it is active in
        #[arg(long, default_value_t = 3)]
        random: u32,
        /// Decides which
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// Latents and attribute values to print of each kind that it goes with
        #[arg(long, default_value_t = 6)]
        related: u32,
    },
    /// Find latents by what their labels say
    Find {
        /// The collection
        name: String,
        /// What is looked for
        text: String,
        /// Compare words, not meaning
        #[arg(long)]
        words: bool,
        /// Entries to print
        #[arg(long, default_value_t = 10)]
        limit: u32,
    },
    /// List families: a general latent and special ones below it
    Families(super::families::Args),
    /// Label latents from their documents, or from records with the fields latent and label
    Label(labelling::LabelArgs),
    /// Score labels on documents that no labeller is shown
    Score(labelling::ScoreArgs),
    /// Show the medians of the scores that labels have, per labeller and judge
    Scores(medians::Args),
    /// Import and export labels, choose among versions
    Labels(labels::Args),
    /// Show where latents of one SAE come back in another of the collection
    Split(splitting::Args),
    /// Write the activations as a sparse matrix for SciPy
    Export(export::Args),
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let is_json = args.client.json;
    let client = args.client;
    match args.action {
        Action::List {
            name,
            label,
            by_number,
            limit,
            offset,
        } => {
            let order = if by_number {
                LatentOrder::Number
            } else {
                LatentOrder::Documents
            };
            let request = ListLatentsRequest {
                collection: name,
                label_query: label.unwrap_or_default(),
                order: order.into(),
                limit,
                offset,
            };
            let client = client.connect().await?;
            let response = client.latents().list_latents(request).await?.into_inner();
            let latents: Vec<Value> = response
                .latents
                .iter()
                .map(|summary| json::latent(summary).into())
                .collect();
            let value = json!({"latents": latents, "total": response.total});
            output::emit(is_json, &value, &list(&response))?;
        }
        Action::Show {
            name,
            latent,
            documents,
            random,
            seed,
            related,
        } => {
            let request = GetLatentRequest {
                collection: name,
                latent,
                documents,
                random_documents: random,
                seed,
                related,
            };
            let client = client.connect().await?;
            let latent = client.latents().get_latent(request).await?.into_inner();
            let text = page::text(&latent, output::columns());
            output::emit(is_json, &page::json(&latent), &text)?;
        }
        Action::Find {
            name,
            text,
            words,
            limit,
        } => {
            let mode = if words {
                LabelSearchMode::Words
            } else {
                LabelSearchMode::Default
            };
            let request = SearchLabelsRequest {
                collection: name,
                text,
                mode: mode.into(),
                limit,
            };
            let client = client.connect().await?;
            let response = client.latents().search_labels(request).await?.into_inner();
            output::emit(is_json, &found_json(&response), &found(&response))?;
        }
        Action::Label(args) => labelling::label(args, &client).await?,
        Action::Score(args) => labelling::score(args, &client).await?,
        Action::Scores(args) => medians::run(args, &client).await?,
        Action::Labels(args) => labels::run(args, &client).await?,
        Action::Families(families) => {
            let client = client.connect().await?;
            super::families::run(families, &client, is_json).await?;
        }
        Action::Split(split) => {
            let client = client.connect().await?;
            splitting::run(split, &client, is_json).await?;
        }
        Action::Export(export) => export::run(export, client).await?,
    }
    Ok(())
}

fn list(response: &ListLatentsResponse) -> String {
    let rows: Vec<Vec<String>> = response
        .latents
        .iter()
        .map(|summary| {
            let label = text::shown_label(summary.label.as_ref());
            vec![
                text::latent(summary.latent, &label, &text::label),
                text::thousands(summary.documents),
                format!("{:.2}%", summary.density * 100.0),
                format!("{:.3}", summary.mean_activation),
            ]
        })
        .collect();
    format!(
        "{}{} of {} latents\n",
        text::table(&["latent", "documents", "share", "activation"], &rows),
        rows.len(),
        text::thousands(response.total)
    )
}

fn found(response: &SearchLabelsResponse) -> String {
    let rows: Vec<Vec<String>> = response
        .labels
        .iter()
        .map(|found| {
            let label = text::shown_label(found.label.as_ref());
            vec![
                text::latent(found.latent, &label, &text::label),
                format!("{:.3}", found.score),
                text::thousands(found.documents),
            ]
        })
        .collect();
    text::table(&["latent", "score", "documents"], &rows)
}

fn found_json(response: &SearchLabelsResponse) -> Value {
    let labels: Vec<Value> = response
        .labels
        .iter()
        .map(|found| {
            let mut fields = found.label.as_ref().map(json::label).unwrap_or_default();
            fields.insert("latent".to_owned(), found.latent.into());
            fields.insert("similarity".to_owned(), json::number(found.score));
            fields.insert("documents".to_owned(), found.documents.into());
            fields.into()
        })
        .collect();
    json!({"labels": labels})
}
