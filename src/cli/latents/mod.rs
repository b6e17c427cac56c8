//! `latentdb latents`: list, show, label, score, find, split, map, drift, export.
//!
//! `page` prints one latent, `labelling` runs labellers and judges, `medians` says how well labels
//! score, `labels` moves labels in and out.

use crate::cli::flags;
use latentdb_proto::v1::{
    GetLatentRequest, LabelSearchMode, LatentOrder, LatentSummary, ListLatentsRequest,
    ListLatentsResponse, SearchLabelsRequest, SearchLabelsResponse,
};

use super::client::ClientArgs;
use super::{output, text};
use crate::report::Table;

mod drift;
mod export;
mod labelling;
mod labels;
mod matching;
mod medians;
mod page;
mod splitting;

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
        #[command(flatten)]
        recurrence: flags::RecurrenceArgs,
        /// In the order of their numbers, not of their documents
        #[arg(long)]
        by_number: bool,
        /// Entries to print
        #[arg(long, default_value_t = 100, value_parser = flags::count::<u32>)]
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
        #[arg(long, default_value_t = 5, value_parser = flags::count::<u32>)]
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
        #[arg(long, default_value_t = 10, value_parser = flags::count::<u32>)]
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
    /// Match the latents of two SAEs, versions or encoders, and move labels, presets and sets along
    Map(matching::Args),
    /// Compare two times: which latents rise and fall, and whether the SAE still fits
    Drift(drift::Args),
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
            recurrence,
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
                min_recurrence: recurrence.min_recurrence,
                order: order.into(),
                limit,
                offset,
            };
            let client = client.connect().await?;
            let response = client.latents().list_latents(request).await?.into_inner();
            output::respond(is_json, &response, || list(&response))?;
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
            output::respond(is_json, &latent, || page::text(&latent, output::columns()))?;
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
            output::warn(&response.warnings);
            output::respond(is_json, &response, || found(&response))?;
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
        Action::Drift(args) => drift::run(args, &client).await?,
        Action::Map(args) => matching::run(args, &client).await?,
        Action::Export(export) => export::run(export, client).await?,
    }
    Ok(())
}

fn list(response: &ListLatentsResponse) -> String {
    let is_measured = |summary: &LatentSummary| summary.recurrence.is_some();
    let mut table = Table::of(&response.latents)
        .text("latent", |summary| {
            text::labelled(summary.latent, summary.label.as_ref())
        })
        .number("documents", |summary| text::thousands(summary.documents))
        .number("share", |summary| {
            format!("{:.2}%", summary.density * 100.0)
        })
        .number("activation", |summary| {
            format!("{:.3}", summary.mean_activation)
        });
    if response.latents.iter().any(is_measured) {
        table = table.number("recurs", |summary| {
            format!("{:.2}", summary.recurrence.unwrap_or_default())
        });
    }
    let table = table.build();
    format!(
        "{}{} of {}\n",
        table.page(output::table_columns()),
        text::thousands(table.len() as u64),
        text::counted(response.total, "latent")
    )
}

fn found(response: &SearchLabelsResponse) -> String {
    if response.labels.is_empty() {
        return "no label found\n".to_owned();
    }
    Table::of(&response.labels)
        .text("latent", |found| {
            text::labelled(found.latent, found.label.as_ref())
        })
        .number("score", |found| format!("{:.3}", found.score))
        .number("documents", |found| text::thousands(found.documents))
        .build()
        .page(output::table_columns())
}
