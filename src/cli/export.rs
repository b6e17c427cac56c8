//! `latentdb export`: a whole collection as files. The files are [`crate::records::exported`]'s.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use chrono::{SecondsFormat, Utc};
use latentdb_index::Document;
use latentdb_proto::v1::{self, ExportRecordsRequest, Projection, ScrollRequest};
use serde_json::{Value as Json, json};

use super::client::{Client, ClientArgs};
use super::{flags, output, progress, text};
use crate::error::Within as _;
use crate::records::Format;
use crate::records::exported::{DocumentWriter, Manifest, RecordWriter, Shape};
use crate::server::{sae_codes, value};

/// Documents a message of the stream holds.
const PAGE: u32 = 1_000;

/// What is exported, and where to.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
    /// The folder, created where it does not exist
    folder: PathBuf,
    /// Format of the documents: jsonl or parquet
    #[arg(long, value_name = "FORMAT", default_value = "jsonl", value_parser = flags::export_format)]
    format: Format,
    /// Replace the export in a folder that is not empty; other files in it stay
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let folder = args.folder.as_path();
    let client = args.client.connect().await?;
    let mut records = Vec::new();
    let definition = definition(&client, &args.name, Some(&mut records)).await?;
    prepare(folder, args.overwrite)?;
    let mut record_writer = RecordWriter::create(folder)?;
    for record in &records {
        record_writer.write(record)?;
    }
    drop(records);
    let saes = sae_names(&definition);
    let shape = Shape {
        vectors: !definition["dimension"].is_null(),
        saes: saes.clone(),
    };
    let mut writer = DocumentWriter::create(folder, args.format, shape)?;
    documents(&client, &args.name, &saes, &mut writer).await?;
    let after = self::definition(&client, &args.name, None).await?;
    if after != definition {
        bail!(
            "the SAEs of {} were changed meanwhile; run the export again",
            args.name
        );
    }
    let entry = tokio::task::spawn_blocking(move || writer.finish()).await??;
    let records = record_writer.finish()?;
    remove_other_format(folder, &entry.file)?;
    let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    let manifest = Manifest::new(args.name, now, definition, entry, records);
    manifest.write(folder)?;
    let summary = json!({
        "folder": folder,
        "documents": manifest.documents.rows, "bytes": manifest.documents.bytes,
        "records": manifest.records.rows,
    });
    let page = format!(
        "{}: {} in {}, {} in {}",
        folder.display(),
        text::counted(manifest.documents.rows, "document"),
        manifest.documents.file,
        text::counted(manifest.records.rows, "record"),
        manifest.records.file,
    );
    output::emit(args.client.json, &summary, &page)
}

/// Makes the folder ready: no manifest in it is true from now on.
fn prepare(folder: &Path, overwrite: bool) -> anyhow::Result<()> {
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    if fs::read_dir(folder)?.next().is_some() && !overwrite {
        bail!(
            "{} is not empty; --overwrite replaces the export in it",
            folder.display()
        );
    }
    Ok(Manifest::remove(folder)?)
}

/// The documents of an earlier export in the other format are no part of this one.
fn remove_other_format(folder: &Path, own: &str) -> anyhow::Result<()> {
    for format in [Format::JsonLines, Format::Parquet] {
        let name = format!("documents.{format}");
        let path = folder.join(&name);
        if name != own && path.exists() {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// A collection's definition, and its records where they are asked for.
async fn definition(
    client: &Client,
    collection: &str,
    mut records: Option<&mut Vec<String>>,
) -> anyhow::Result<Json> {
    let request = ExportRecordsRequest {
        collection: collection.to_owned(),
        definition_only: records.is_none(),
    };
    let stream = client.collections().export_records(request).await?;
    let mut stream = stream.into_inner();
    let mut definition = String::new();
    while let Some(message) = stream.message().await? {
        definition.push_str(&message.definition);
        if let Some(records) = &mut records {
            records.extend(message.records);
        }
    }
    serde_json::from_str(&definition).context("the server's definition cannot be read")
}

/// The names of the SAEs of a definition, in their order.
pub(super) fn sae_names(definition: &Json) -> Vec<String> {
    let saes = definition["saes"].as_array().into_iter().flatten();
    let name = |sae: &Json| sae["name"].as_str().unwrap_or_default().to_owned();
    saes.map(name).collect()
}

async fn documents(
    client: &Client,
    collection: &str,
    saes: &[String],
    writer: &mut DocumentWriter,
) -> anyhow::Result<()> {
    let request = ScrollRequest {
        collection: collection.to_owned(),
        projection: Some(Projection {
            text: true,
            attributes: true,
            vector: true,
            ..Projection::default()
        }),
        batch_size: PAGE,
        codes: true,
        ..ScrollRequest::default()
    };
    let bar = progress::counter("documents");
    let mut stream = client.documents().scroll(request).await?.into_inner();
    while let Some(page) = stream.message().await? {
        bar.inc(page.documents.len() as u64);
        for wire in page.documents {
            writer.write(&document(wire, saes)?)?;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

fn document(wire: v1::Document, saes: &[String]) -> anyhow::Result<Document> {
    let mut document = Document::new(wire.id);
    document.text = wire.text;
    for (name, own) in wire.attributes {
        let value = value(own).within(&name)?;
        document.attributes.insert(name, value);
    }
    document.vector = wire.vector.map(|vector| vector.values);
    let codes = wire.codes.map_or_else(Vec::new, |codes| codes.saes);
    for codes in codes.into_iter().map(sae_codes) {
        let place = saes.iter().position(|sae| *sae == codes.sae);
        let place = place.with_context(|| {
            format!(
                "the SAE {:?} was attached meanwhile; run the export again",
                codes.sae
            )
        })?;
        *document.codes_mut(place) = codes.codes;
    }
    Ok(document)
}
