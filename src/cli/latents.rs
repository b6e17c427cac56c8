//! `latentdb latents`: list, show, label, export.

use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use latentdb_proto::v1::{
    GetLatentRequest, LabelEntry, LabelLatentsRequest, Latent, LatentOrder, ListLatentsRequest,
    ListLatentsResponse, SetLabelsRequest,
};
use serde_json::{Value, json};

use super::client::ClientArgs;
use super::{export, flags, json, output, reading, text};
use crate::records::{self, Format, Record, Source};

/// Labels sent in one request.
const LABELS_A_REQUEST: usize = 5_000;

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
    /// Show one latent: label, activations, strongest documents
    Show {
        /// The collection
        name: String,
        /// The latent's number
        latent: u32,
        /// Documents to print
        #[arg(long, default_value_t = 5)]
        documents: u32,
    },
    /// List families: a general latent and special ones below it
    Families(super::families::Args),
    /// Label latents with keyphrases of their documents, or from records with the fields latent
    /// and label (also source and score)
    Label {
        /// The collection
        name: String,
        /// File of records, or - for standard input; without one, keyphrases are made
        #[arg(long)]
        file: Option<String>,
        /// Replace labels of other sources by keyphrases too
        #[arg(long, conflicts_with = "file")]
        replace: bool,
        /// Format of the records: jsonl, csv, tsv or parquet
        #[arg(long, value_parser = flags::format)]
        format: Option<Format>,
        /// Who made the labels, where the records do not say
        #[arg(long, default_value = "")]
        source: String,
    },
    /// Write the activations as a sparse matrix for SciPy
    Export(export::Args),
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let is_json = args.client.json;
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
            let client = args.client.connect().await?;
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
        } => {
            let request = GetLatentRequest {
                collection: name,
                latent,
                documents,
            };
            let client = args.client.connect().await?;
            let latent = client.latents().get_latent(request).await?.into_inner();
            let page = show(&latent, output::columns());
            output::emit(is_json, &shown(&latent), &page)?;
        }
        Action::Families(families) => {
            let client = args.client.connect().await?;
            super::families::run(families, &client, is_json).await?;
        }
        Action::Label {
            name,
            file,
            replace,
            format,
            source,
        } => {
            let mut written = 0;
            if let Some(file) = file {
                let labels = read_labels(&file, format, &source)?;
                let client = args.client.connect().await?;
                for chunk in labels.chunks(LABELS_A_REQUEST) {
                    let request = SetLabelsRequest {
                        collection: name.clone(),
                        labels: chunk.to_vec(),
                    };
                    let response = client.latents().set_labels(request).await?;
                    written += response.into_inner().written;
                }
            } else {
                let request = LabelLatentsRequest {
                    collection: name,
                    replace,
                };
                let client = args.client.connect().await?;
                let response = client.latents().label_latents(request).await?;
                written = response.into_inner().written;
            }
            let value = json!({"written": written});
            output::emit(is_json, &value, &format!("{written} labels written"))?;
        }
        Action::Export(export) => export::run(export, args.client).await?,
    }
    Ok(())
}

fn list(response: &ListLatentsResponse) -> String {
    let rows: Vec<Vec<String>> = response
        .latents
        .iter()
        .map(|summary| {
            let label = summary.label.as_ref().map_or("", |label| &label.text);
            vec![
                text::latent(summary.latent, label, &text::label),
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

/// The points of [`Latent::quantiles`].
pub(super) const QUANTILES: [&str; 8] = ["min", "p25", "p50", "p75", "p90", "p95", "p99", "max"];

fn shown(latent: &Latent) -> Value {
    let mut fields = latent
        .summary
        .as_ref()
        .map(json::latent)
        .unwrap_or_default();
    let quantiles: serde_json::Map<String, Value> = QUANTILES
        .iter()
        .zip(&latent.quantiles)
        .map(|(name, value)| ((*name).to_owned(), json::number(*value)))
        .collect();
    fields.insert("quantiles".to_owned(), quantiles.into());
    let documents: Vec<Value> = latent.documents.iter().map(json::activating).collect();
    fields.insert("top".to_owned(), documents.into());
    fields.into()
}

fn show(latent: &Latent, columns: usize) -> String {
    let mut page = String::new();
    let summary = latent.summary.clone().unwrap_or_default();
    let label = summary.label.as_ref();
    let _ = writeln!(
        page,
        "latent {}",
        text::latent(
            summary.latent,
            label.map_or("", |label| &label.text),
            &text::label
        )
    );
    if let Some(label) = label {
        let score = label
            .score
            .map_or(String::new(), |score| format!(", score {score:.2}"));
        let _ = writeln!(page, "  label by {}{score}", label.source);
    }
    let _ = writeln!(
        page,
        "  active in {} documents ({:.2}%), mean activation {:.3}",
        text::thousands(summary.documents),
        summary.density * 100.0,
        summary.mean_activation
    );
    let quantiles: Vec<String> = QUANTILES
        .iter()
        .zip(&latent.quantiles)
        .map(|(name, value)| format!("{name} {value:.2}"))
        .collect();
    let _ = writeln!(page, "  activations: {}", quantiles.join(", "));
    for entry in &latent.documents {
        if let Some(document) = &entry.document {
            let _ = writeln!(page, "  {:.2}  {}", entry.activation, document.id);
            let body = document.text.as_deref().unwrap_or_default();
            let body = match entry.span {
                Some(span) => reading::marked(body, span),
                None => body.to_owned(),
            };
            let _ = writeln!(
                page,
                "        {}",
                text::cut(&body, columns.saturating_sub(8))
            );
        }
    }
    page
}

fn read_labels(
    file: &str,
    format: Option<Format>,
    source: &str,
) -> anyhow::Result<Vec<LabelEntry>> {
    let mut labels = Vec::new();
    for record in records::open(&Source::from(file), format)? {
        let record = record?;
        let label = label_entry(&record, source)
            .with_context(|| format!("{} is not a label", record.position()))?;
        labels.push(label);
    }
    if labels.is_empty() {
        bail!("{file} holds no labels");
    }
    Ok(labels)
}

/// A label of a record: `latent` (a number), `label` or `text`, `source`, `score`.
fn label_entry(record: &Record, source: &str) -> anyhow::Result<LabelEntry> {
    let latent = record
        .get("latent")
        .ok_or_else(|| record.missing("latent"))?;
    let latent = match latent {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
    }
    .with_context(|| format!("{latent} is not the number of a latent"))?;
    let text = record
        .get("label")
        .or_else(|| record.get("text"))
        .ok_or_else(|| record.missing("label"))?;
    let Some(text) = text.as_str() else {
        bail!("the label {text} is not a string");
    };
    let score = match record.get("score") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(value) => {
            let number = match value {
                Value::String(text) => text.trim().parse::<f32>().ok(),
                // Single precision is what scores are kept in.
                other => other.as_f64().map(|number| number as f32),
            };
            Some(number.with_context(|| format!("the score {value} is not a number"))?)
        }
    };
    let source = record
        .get("source")
        .and_then(Value::as_str)
        .unwrap_or(source);
    Ok(LabelEntry {
        latent,
        text: text.to_owned(),
        source: source.to_owned(),
        score,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn labels_are_read_from_json_lines_and_csv() {
        let expected = |score| LabelEntry {
            latent: 12,
            text: "battery life".to_owned(),
            source: "me".to_owned(),
            score,
        };
        for (suffix, content, score) in [
            (".jsonl", r#"{"latent": 12, "label": "battery life"}"#, None),
            (
                ".csv",
                "latent,label,score\n12,battery life,0.5\n",
                Some(0.5),
            ),
        ] {
            let mut file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
            file.write_all(content.as_bytes()).unwrap();
            let labels = read_labels(file.path().to_str().unwrap(), None, "me").unwrap();
            assert_eq!(labels, [expected(score)]);
        }
    }

    #[test]
    fn a_record_that_is_no_label_is_named() {
        for content in [
            r#"{"latent": -1, "label": "x"}"#,
            r#"{"latent": 1}"#,
            r#"{"label": "x"}"#,
            r#"{"latent": 1, "label": "x", "score": "high"}"#,
        ] {
            let mut file = tempfile::Builder::new()
                .suffix(".jsonl")
                .tempfile()
                .unwrap();
            file.write_all(content.as_bytes()).unwrap();
            let error = read_labels(file.path().to_str().unwrap(), None, "").unwrap_err();
            assert!(format!("{error:#}").contains("line 1"), "{error:#}");
        }
    }
}
