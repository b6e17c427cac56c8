//! Labels in and out of the server, and which of their versions is current.

use std::fs::File;
use std::io::{self, Write};

use anyhow::Context as _;
use clap::ValueEnum;
use latentdb_proto::v1::{
    GetCollectionRequest, Label, LabelEntry, LatentLabel, ListLabelsRequest, SetLabelsRequest,
    SetLabelsResponse, UseLabelRequest,
};
use prost_types::Timestamp;
use serde_json::json;

use crate::cli::client::ClientArgs;
use crate::cli::{flags, output, text};
use crate::client::timestamp;
use crate::records::latents::{self, LabelRecord};
use crate::records::{Format, Source};
use crate::report::Table;

/// Labels sent in one request.
const LABELS_A_REQUEST: usize = 5_000;

/// What is done with labels.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Take labels from records with the fields latent (or feature, as tables of latentsae have it) and label (also
    /// source, score, created, and sae: those of another SAE are refused)
    Import {
        /// The collection
        name: String,
        /// File of records, or - for standard input
        file: String,
        #[command(flatten)]
        records: Records,
    },
    /// Write labels as records, in a form that import reads
    Export {
        /// The collection
        name: String,
        /// File to write; standard output when left out
        file: Option<String>,
        /// Form of the records; by the file's ending, else JSON Lines
        #[arg(long, value_enum)]
        format: Option<ExportFormat>,
        /// Former versions too, the current one of each latent last
        #[arg(long)]
        all_versions: bool,
    },
    /// Make a former version of a latent's label the current one
    Use {
        /// The collection
        name: String,
        /// The latent's number
        latent: u32,
        /// The version, as `latents show` lists it
        version: u32,
    },
}

/// How records of labels are read.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Records {
    /// Format of the records: jsonl, csv, tsv or parquet
    #[arg(long, value_parser = flags::format)]
    format: Option<Format>,
    /// Who made the labels, where the records do not say
    #[arg(long, default_value = "")]
    source: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    Jsonl,
    Csv,
}

pub(super) async fn run(args: Args, client: &ClientArgs) -> anyhow::Result<()> {
    match args.action {
        Action::Import {
            name,
            file,
            records,
        } => import(&name, &file, &records, client).await,
        Action::Export {
            name,
            file,
            format,
            all_versions,
        } => export(name, file, format, all_versions, client).await,
        Action::Use {
            name,
            latent,
            version,
        } => {
            let request = UseLabelRequest {
                collection: name,
                latent,
                version,
            };
            let connection = client.connect().await?;
            let label = connection.latents().use_label(request).await?.into_inner();
            output::respond(client.json, &label, || {
                format!("latent {latent} is {:?} now", text::label(Some(&label)))
            })
        }
    }
}

/// Sends the labels of a file.
pub(super) async fn import(
    name: &str,
    file: &str,
    records: &Records,
    client: &ClientArgs,
) -> anyhow::Result<()> {
    let (labels, sae) = latents::labels(&Source::from(file), records.format)?;
    anyhow::ensure!(!labels.is_empty(), "{file} holds no labels");
    let labels: Vec<LabelEntry> = labels
        .into_iter()
        .map(|label| entry(label, &records.source))
        .collect();
    let connection = client.connect().await?;
    let mut sent = SetLabelsResponse::default();
    for chunk in labels.chunks(LABELS_A_REQUEST) {
        let request = SetLabelsRequest {
            collection: name.to_owned(),
            labels: chunk.to_vec(),
            sae_sha256: sae.clone().unwrap_or_default(),
        };
        let response = connection.latents().set_labels(request).await?;
        sent.written += response.into_inner().written;
    }
    output::respond(client.json, &sent, || {
        format!("{} written", text::counted(sent.written.into(), "label"))
    })
}

fn entry(label: LabelRecord, source: &str) -> LabelEntry {
    LabelEntry {
        latent: label.latent,
        text: label.text,
        source: label.source.unwrap_or_else(|| source.to_owned()),
        score: label.score,
        created: label.created.map(|at| Timestamp {
            seconds: at.timestamp(),
            // Below 2^31 even in a leap second.
            nanos: at.timestamp_subsec_nanos() as i32,
        }),
    }
}

async fn export(
    collection: String,
    file: Option<String>,
    format: Option<ExportFormat>,
    all_versions: bool,
    client: &ClientArgs,
) -> anyhow::Result<()> {
    let format = format.unwrap_or_else(|| match &file {
        Some(file) if file.ends_with(".csv") => ExportFormat::Csv,
        _ => ExportFormat::Jsonl,
    });
    let connection = client.connect().await?;
    let request = GetCollectionRequest {
        name: collection.clone(),
    };
    let info = connection.collections().get_collection(request).await?;
    let sae = info.into_inner().sae.map(|sae| sae.sha256);
    let request = ListLabelsRequest {
        collection,
        all_versions,
    };
    let labels = connection.list_labels(request).await?;
    let Some(file) = file.filter(|file| file != "-") else {
        return write_labels(&labels, sae.as_deref(), format, &mut io::stdout().lock());
    };
    let mut out =
        io::BufWriter::new(File::create(&file).with_context(|| format!("cannot write {file}"))?);
    write_labels(&labels, sae.as_deref(), format, &mut out)?;
    let value = json!({"exported": labels.len()});
    let line = format!("{} in {file}", text::counted(labels.len() as u64, "label"));
    output::emit(client.json, &value, &line)
}

fn write_labels(
    labels: &[LatentLabel],
    sae: Option<&str>,
    format: ExportFormat,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let of = |entry: &LatentLabel| entry.label.clone().unwrap_or_default();
    let created = |label: &Label| label.created.as_ref().map(|at| text::plain(&timestamp(at)));
    let table = Table::of(labels)
        .value("latent", |entry| entry.latent)
        .value("label", |entry| of(entry).text)
        .value("source", |entry| of(entry).source)
        .value("score", |entry| of(entry).score)
        .value("created", |entry| created(&of(entry)))
        .value("version", |entry| of(entry).version)
        .value("sae", |_| sae)
        .build();
    match format {
        ExportFormat::Csv => table.csv(&mut *out)?,
        ExportFormat::Jsonl => {
            for record in table.records() {
                writeln!(out, "{record}")?;
            }
        }
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exported_is_what_is_imported() {
        let created = Timestamp {
            seconds: 1_740_830_400,
            nanos: 250_000_000,
        };
        let labels: Vec<LatentLabel> = [
            (3, "battery, \"life\"", Some(0.25)),
            (3, "äöü", None),
            (4_000_000, "late", Some(-1.0)),
        ]
        .into_iter()
        .map(|(latent, text, score)| LatentLabel {
            latent,
            label: Some(Label {
                text: text.to_owned(),
                source: "person".to_owned(),
                score,
                created: Some(created),
                ..Label::default()
            }),
        })
        .collect();
        for (suffix, format) in [(".jsonl", ExportFormat::Jsonl), (".csv", ExportFormat::Csv)] {
            let mut file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
            write_labels(&labels, Some("abc"), format, &mut file).unwrap();
            let source = Source::Path(file.path().to_owned());
            let (read, sae) = latents::labels(&source, None).unwrap();
            assert_eq!(sae.as_deref(), Some("abc"));
            assert_eq!(read.len(), labels.len());
            for (read, label) in read.into_iter().zip(&labels) {
                let expected = label.label.as_ref().unwrap();
                let entry = entry(read, "");
                assert_eq!(entry.latent, label.latent);
                assert_eq!(entry.text, expected.text);
                assert_eq!(entry.source, "person");
                assert_eq!(entry.score, expected.score);
                assert_eq!(entry.created, Some(created));
            }
        }
    }
}
