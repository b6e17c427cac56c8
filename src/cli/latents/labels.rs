//! Labels in and out of the server, and which of their versions is current.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};

use anyhow::{Context as _, bail};
use chrono::DateTime;
use clap::ValueEnum;
use latentdb_proto::v1::{
    GetCollectionRequest, LabelEntry, LatentLabel, ListLabelsRequest, SetLabelsRequest,
    UseLabelRequest,
};
use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::cli::client::ClientArgs;
use crate::cli::{flags, json, output, text};
use crate::records::{self, Format, Record, Source};

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
    /// Take labels from records with the fields latent and label (also source, score, created, and
    /// sae: those of another SAE are refused)
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
            let line = format!(
                "latent {latent} is {:?} now",
                text::shown_label(Some(&label))
            );
            Ok(output::emit(
                client.json,
                &json::label(&label).into(),
                &line,
            )?)
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
    let (labels, sae) = read_labels(file, records.format, &records.source)?;
    let connection = client.connect().await?;
    let mut written = 0;
    for chunk in labels.chunks(LABELS_A_REQUEST) {
        let request = SetLabelsRequest {
            collection: name.to_owned(),
            labels: chunk.to_vec(),
            sae_sha256: sae.clone().unwrap_or_default(),
        };
        let response = connection.latents().set_labels(request).await?;
        written += response.into_inner().written;
    }
    let value = json!({"written": written});
    Ok(output::emit(
        client.json,
        &value,
        &format!("{written} labels written"),
    )?)
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
    let mut stream = connection
        .latents()
        .list_labels(request)
        .await?
        .into_inner();
    let mut labels = Vec::new();
    while let Some(message) = stream.message().await? {
        labels.extend(message.labels);
    }
    let Some(file) = file.filter(|file| file != "-") else {
        return write_labels(&labels, sae.as_deref(), format, &mut io::stdout().lock());
    };
    let mut out =
        io::BufWriter::new(File::create(&file).with_context(|| format!("cannot write {file}"))?);
    write_labels(&labels, sae.as_deref(), format, &mut out)?;
    let value = json!({"exported": labels.len()});
    let line = format!("{} labels in {file}", text::thousands(labels.len() as u64));
    Ok(output::emit(client.json, &value, &line)?)
}

fn write_labels(
    labels: &[LatentLabel],
    sae: Option<&str>,
    format: ExportFormat,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    /// Columns of CSV, and what JSON Lines hold.
    const FIELDS: [&str; 7] = [
        "latent", "label", "source", "score", "created", "version", "sae",
    ];
    let record = |entry: &LatentLabel| -> BTreeMap<&str, Value> {
        let label = entry.label.clone().unwrap_or_default();
        BTreeMap::from([
            ("latent", entry.latent.into()),
            ("label", label.text.into()),
            ("source", label.source.into()),
            ("score", label.score.map(json::number).into()),
            (
                "created",
                label.created.as_ref().map(json::timestamp).into(),
            ),
            ("version", label.version.into()),
            ("sae", sae.into()),
        ])
    };
    match format {
        ExportFormat::Jsonl => {
            for entry in labels {
                let record = record(entry);
                let fields = FIELDS.map(|name| format!("{name:?}: {}", record[name]));
                writeln!(out, "{{{}}}", fields.join(", "))?;
            }
        }
        ExportFormat::Csv => {
            let mut writer = csv::Writer::from_writer(&mut *out);
            writer.write_record(FIELDS)?;
            for entry in labels {
                let record = record(entry);
                writer.write_record(FIELDS.map(|name| match &record[name] {
                    Value::Null => String::new(),
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                }))?;
            }
            writer.flush()?;
        }
    }
    Ok(out.flush()?)
}

/// The labels of a file, and the SAE that it says they are of.
fn read_labels(
    file: &str,
    format: Option<Format>,
    source: &str,
) -> anyhow::Result<(Vec<LabelEntry>, Option<String>)> {
    let mut labels = Vec::new();
    let mut of_sae: Option<String> = None;
    for record in records::open(&Source::from(file), format)? {
        let record = record?;
        let sae = record.get("sae").and_then(Value::as_str);
        if let Some(sae) = sae.filter(|sae| !sae.is_empty()) {
            let known = of_sae.get_or_insert_with(|| sae.to_owned());
            if known != sae {
                bail!(
                    "{} is of another SAE than the labels before it: import the labels of one SAE \
                     at a time",
                    record.position()
                );
            }
        }
        let label = label_entry(&record, source)
            .with_context(|| format!("{} is not a label", record.position()))?;
        labels.push(label);
    }
    if labels.is_empty() {
        bail!("{file} holds no labels");
    }
    Ok((labels, of_sae))
}

/// A label of a record: `latent` (a number), `label` or `text`, `source`, `score`, `created`.
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
    let created = match record.get("created") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(value) => Some(
            value
                .as_str()
                .and_then(point_in_time)
                .with_context(|| format!("{value} is not a point in time of RFC 3339"))?,
        ),
    };
    Ok(LabelEntry {
        latent,
        text: text.to_owned(),
        source: source.to_owned(),
        score,
        created,
    })
}

fn point_in_time(text: &str) -> Option<Timestamp> {
    let at = DateTime::parse_from_rfc3339(text.trim()).ok()?;
    Some(Timestamp {
        seconds: at.timestamp(),
        nanos: i32::try_from(at.timestamp_subsec_nanos()).ok()?,
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
            created: None,
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
            let (labels, sae) = read_labels(file.path().to_str().unwrap(), None, "me").unwrap();
            assert_eq!((labels, sae), (vec![expected(score)], None));
        }
    }

    #[test]
    fn a_record_that_is_no_label_is_named() {
        for content in [
            r#"{"latent": -1, "label": "x"}"#,
            r#"{"latent": 1}"#,
            r#"{"label": "x"}"#,
            r#"{"latent": 1, "label": "x", "score": "high"}"#,
            r#"{"latent": 1, "label": "x", "created": "yesterday"}"#,
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
            label: Some(latentdb_proto::v1::Label {
                text: text.to_owned(),
                source: "person".to_owned(),
                score,
                created: Some(created),
                ..latentdb_proto::v1::Label::default()
            }),
        })
        .collect();
        for (suffix, format) in [(".jsonl", ExportFormat::Jsonl), (".csv", ExportFormat::Csv)] {
            let mut file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
            write_labels(&labels, Some("abc"), format, &mut file).unwrap();
            let (read, sae) = read_labels(file.path().to_str().unwrap(), None, "").unwrap();
            assert_eq!(sae.as_deref(), Some("abc"));
            assert_eq!(read.len(), labels.len());
            for (entry, label) in read.iter().zip(&labels) {
                let expected = label.label.as_ref().unwrap();
                assert_eq!(entry.latent, label.latent);
                assert_eq!(entry.text, expected.text);
                assert_eq!(entry.source, "person");
                assert_eq!(entry.score, expected.score);
                assert_eq!(entry.created, Some(created));
            }
        }
    }
}
