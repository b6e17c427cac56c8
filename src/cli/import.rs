//! `latentdb import`: a collection from the files that `export` wrote.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use latentdb_index::Document;
use latentdb_proto::v1::{
    self, DropCollectionRequest, RestoreCollectionRequest, RestoreRecordsRequest,
};
use serde_json::json;
use tokio::sync::mpsc;

use super::client::{Client, ClientArgs};
use super::export::sae_names;
use super::failure::{Interrupted, Usage};
use super::ingest::{Origin, failure, send};
use super::interrupt::Interrupt;
use super::{flags, output, progress, text};
use crate::client::ingest::{Batch, Target};
use crate::error::Result;
use crate::records::exported::{self, Manifest};
use crate::server::{wire_sae_codes, wire_value};

/// Documents that are written together, and about the bytes of them.
const BATCH: usize = 1_000;
const BATCH_BYTES: usize = 8 << 20;
/// Batches that are ready before they are sent.
const READY: usize = 3;
/// Bytes of records that are written together; a larger one goes alone.
const RECORD_BYTES: usize = 4 << 20;

/// What is imported, and what it becomes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder
    folder: PathBuf,
    /// The new collection's name; the exported one's
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Folder of an SAE that the server has not in its data directory: FOLDER for the one without a
    /// name, NAME=FOLDER for another. Its hash must be that of the exported one. Repeatable
    #[arg(long = "sae", value_name = "[NAME=]FOLDER", value_parser = flags::sae_folder)]
    saes: Vec<(String, PathBuf)>,
    /// The encoder, where it goes by another name or lies in another folder here
    #[arg(long, value_name = "MODEL")]
    encoder: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    let folder = args.folder.clone();
    let checked = tokio::task::spawn_blocking(move || {
        let manifest = Manifest::read(&folder)?;
        manifest.check_files(&folder).map(|()| manifest)
    });
    let manifest = interrupt.stops(async { Ok(checked.await??) }).await?;
    let name = args.name.unwrap_or_else(|| manifest.collection.clone());
    let mut saes = HashMap::new();
    let client = args.client.connect().await?;
    for (name, folder) in &args.saes {
        let sae = client.sae_name(folder).await?;
        if saes.insert(name.clone(), sae).is_some() {
            return Err(Usage(format!("--sae names the SAE {name:?} twice")).into());
        }
    }
    let encoder = match args.encoder {
        Some(model) if Path::new(&model).is_dir() => flags::absolute(Path::new(&model))?,
        encoder => encoder.unwrap_or_default(),
    };
    let request = RestoreCollectionRequest {
        name: name.clone(),
        definition: manifest.definition.to_string(),
        encoder,
        saes,
    };
    let mut collections = client.collections();
    let created = async { Ok(collections.restore_collection(request).await?) };
    interrupt.stops(created).await?;
    let filled = fill(&client, &name, &args.folder, &manifest, &interrupt).await;
    if let Err(error) = filled {
        let request = DropCollectionRequest { name: name.clone() };
        match client.collections().drop_collection(request).await {
            Ok(_) => eprintln!("note: the unfinished collection {name} was dropped"),
            Err(status) => eprintln!(
                "note: the unfinished collection {name} could not be dropped: {}",
                status.message()
            ),
        }
        return Err(error);
    }
    let (documents, records) = (manifest.documents.rows, manifest.records.rows);
    let summary = json!({"collection": name, "documents": documents, "records": records});
    let page = format!(
        "{name}: {}, {}",
        text::counted(documents, "document"),
        text::counted(records, "record")
    );
    output::emit(args.client.json, &summary, &page)
}

/// Writes documents and records into a new collection.
async fn fill(
    client: &Client,
    name: &str,
    folder: &Path,
    manifest: &Manifest,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let (sender, batches) = mpsc::channel(READY);
    let path = folder.join(&manifest.documents.file);
    let saes = sae_names(&manifest.definition);
    let reading = tokio::task::spawn_blocking(move || read(&path, saes, &sender));
    let bar = progress::bar(manifest.documents.rows, "documents");
    let target = Target {
        collection: name.to_owned(),
        as_given: true,
        ..Target::default()
    };
    let mut done = |written, _| bar.set_position(written);
    let outcome = send(client, target, batches, interrupt, None, &mut done).await;
    bar.finish_and_clear();
    let outcome = outcome?;
    if outcome.stopped {
        return Err(Interrupted::default().into());
    }
    if let Some(first) = outcome.failures.first() {
        bail!("{}", failure(first));
    }
    reading.await?;
    if outcome.written != manifest.documents.rows {
        bail!(
            "{} holds {}, and the manifest says {}",
            manifest.documents.file,
            text::counted(outcome.written, "document"),
            text::thousands(manifest.documents.rows)
        );
    }
    let path = folder.join(&manifest.records.file);
    let restored = records(client, name, &path, manifest.records.rows);
    interrupt.stops(restored).await
}

/// Reads the documents into batches, until nobody takes more.
fn read(path: &Path, saes: Vec<String>, batches: &mpsc::Sender<Result<Batch<Origin>>>) {
    let mut documents = Vec::new();
    let mut bytes = 0;
    let pass_on = |documents: &mut Vec<v1::Document>| {
        let batch = Batch {
            documents: std::mem::take(documents),
            context: Origin::default(),
        };
        batches.blocking_send(Ok(batch)).is_ok()
    };
    let all = match exported::documents(path, saes.clone()) {
        Ok(all) => all,
        Err(error) => {
            let _ = batches.blocking_send(Err(error));
            return;
        }
    };
    for document in all {
        let wire = match document {
            Ok(document) => wire_document(document, &saes),
            Err(error) => {
                let _ = batches.blocking_send(Err(error));
                return;
            }
        };
        bytes += prost::Message::encoded_len(&wire);
        documents.push(wire);
        if documents.len() == BATCH || bytes > BATCH_BYTES {
            bytes = 0;
            if !pass_on(&mut documents) {
                return;
            }
        }
    }
    if !documents.is_empty() {
        pass_on(&mut documents);
    }
}

fn wire_document(document: Document, saes: &[String]) -> v1::Document {
    let attributes = document.attributes.into_iter();
    let codes = document.codes.into_iter().zip(saes);
    v1::Document {
        id: document.id,
        text: document.text,
        attributes: attributes
            .map(|(name, value)| (name, wire_value(value)))
            .collect(),
        vector: document.vector.map(|values| v1::Vector { values }),
        codes: Some(v1::CodesBySae {
            saes: codes
                .map(|(codes, sae)| wire_sae_codes(sae.clone(), codes))
                .collect(),
        }),
        ..v1::Document::default()
    }
}

async fn records(client: &Client, name: &str, path: &Path, rows: u64) -> anyhow::Result<()> {
    let mut collections = client.collections();
    let mut lines = BufReader::new(File::open(path)?).lines();
    let mut written = 0;
    loop {
        let (mut records, mut bytes) = (Vec::new(), 0);
        for line in lines.by_ref() {
            let line = line?;
            bytes += line.len();
            records.push(line);
            if bytes > RECORD_BYTES {
                break;
            }
        }
        if records.is_empty() {
            break;
        }
        let request = RestoreRecordsRequest {
            collection: name.to_owned(),
            records,
        };
        written += collections
            .restore_records(request)
            .await?
            .into_inner()
            .written;
    }
    if written == rows {
        return Ok(());
    }
    Err(anyhow!(
        "{} holds {}, and the manifest says {}",
        path.display(),
        text::counted(written, "record"),
        text::thousands(rows)
    ))
}
