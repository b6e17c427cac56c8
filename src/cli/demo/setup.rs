//! The demo collection: fetched, written, given an SAE; each step only where it is missing.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use latentdb_proto::v1::{
    Collection, CreateCollectionRequest, Document, LabelLatentsRequest, ListLatentsRequest,
    TrainSaeRequest, Value, value::Kind,
};
use tokio::sync::mpsc;

use crate::cli::client::Client;
use crate::cli::failure::Interrupted;
use crate::cli::ingest::{self, Origin};
use crate::cli::interrupt::Interrupt;
use crate::cli::{collection, eval, progress, sae, text};
use crate::client::ingest::{Batch, Target};
use crate::inputs::{self, Cache, DemoDocument};

/// The name of the collection.
pub(super) const COLLECTION: &str = "demo";
/// The encoder of the collection.
const ENCODER: &str = "all-MiniLM-L6-v2";
/// Latents of the SAE, and how many are active at once.
const N_LATENTS: u32 = 1024;
const K: u32 = 16;
/// Documents of a batch: small enough that the bar moves, large enough to encode well.
const BATCH: usize = 256;

/// Fetches the encoder and the corpus where they are not in the cache.
pub(in crate::cli) async fn fetch(interrupt: &Interrupt) -> anyhow::Result<Vec<DemoDocument>> {
    let interrupt = interrupt.clone();
    // Not dropped when the user asks to stop: fetching stops by itself and cleans up.
    let fetching = tokio::task::spawn_blocking(move || {
        let bar = progress::spinner("looking for the encoder and the corpus");
        let mut step = |package: &'static inputs::package::Package, step| {
            progress::show_step(&bar, package, step);
        };
        let stopped = interrupt.progress();
        Cache::of_user().minilm(&stopped, &mut step)?;
        let corpus = Cache::of_user().demo_corpus(&stopped, &mut step);
        bar.finish_and_clear();
        corpus
    });
    Ok(fetching.await??)
}

/// Brings the collection to its full state.
pub(super) async fn build(
    client: &Client,
    corpus: &[DemoDocument],
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let found = match collection::find(client, COLLECTION).await? {
        Some(found) => found,
        None => create(client).await?,
    };
    if found.documents < corpus.len() as u64 {
        write(client, corpus, interrupt).await?;
    }
    if found.sae.is_none() {
        let sae = train(client).await?;
        collection::attach(client, COLLECTION, Path::new(&sae)).await?;
    }
    label(client).await
}

/// Labels the latents with keyphrases, unless they have labels.
async fn label(client: &Client) -> anyhow::Result<()> {
    let request = ListLatentsRequest {
        collection: COLLECTION.to_owned(),
        limit: 20,
        ..ListLatentsRequest::default()
    };
    let listed = client.latents().list_latents(request).await?.into_inner();
    if listed.latents.iter().all(|latent| latent.label.is_none()) {
        let bar = progress::spinner("labelling the latents with keyphrases");
        let request = LabelLatentsRequest {
            collection: COLLECTION.to_owned(),
            ..LabelLatentsRequest::default()
        };
        client.label_latents(request, |_| ()).await?;
        bar.finish_and_clear();
    }
    Ok(())
}

async fn create(client: &Client) -> anyhow::Result<Collection> {
    let request = CreateCollectionRequest {
        name: COLLECTION.to_owned(),
        encoder: ENCODER.to_owned(),
        ..CreateCollectionRequest::default()
    };
    let response = client.collections().create_collection(request).await?;
    Ok(response.into_inner())
}

/// Writes the documents that are not there yet.
async fn write(
    client: &Client,
    corpus: &[DemoDocument],
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let known: HashSet<String> = eval::ids(client, COLLECTION, None)
        .await?
        .into_iter()
        .collect();
    let missing: Vec<&DemoDocument> = corpus
        .iter()
        .filter(|document| !known.contains(&document.id))
        .collect();
    let already = (corpus.len() - missing.len()) as u64;
    let bar = progress::bar(corpus.len() as u64, "documents");
    bar.set_message("encoding and writing");
    bar.set_position(already);
    bar.reset_eta();
    let batches: Vec<Batch<_>> = missing
        .chunks(BATCH)
        .map(|chunk| Batch {
            documents: chunk.iter().map(|document| to_wire(document)).collect(),
            context: Origin::default(),
        })
        .collect();
    let (sender, receiver) = mpsc::channel(1);
    let feeding = tokio::spawn(async move {
        for batch in batches {
            if sender.send(Ok(batch)).await.is_err() {
                break;
            }
        }
    });
    let target = Target {
        collection: COLLECTION.to_owned(),
        // What is missing is asked for, so batches differ from run to run.
        stream_id: String::new(),
        ..Target::default()
    };
    let outcome = ingest::send(
        client,
        target,
        receiver,
        interrupt,
        None,
        &mut |written, _| {
            bar.set_position(already + written);
        },
    )
    .await?;
    bar.finish_and_clear();
    if outcome.stopped {
        return Err(Interrupted::default().into());
    }
    if let Some(failure) = outcome.failures.first() {
        anyhow::bail!("{}", ingest::failure(failure));
    }
    feeding.await?;
    eprintln!("{} written", text::counted(outcome.written, "document"));
    Ok(())
}

fn to_wire(document: &DemoDocument) -> Document {
    let words = document.text.split_whitespace().count();
    // The rating as it is written in the corpus, not as its single-precision neighbour.
    let sentiment = document.sentiment.to_string().parse().unwrap_or_default();
    let attributes: HashMap<String, Value> = [
        ("source", Kind::String(document.source.to_owned())),
        ("sentiment", Kind::Float(sentiment)),
        (
            "words",
            Kind::Integer(i64::try_from(words).unwrap_or(i64::MAX)),
        ),
    ]
    .into_iter()
    .map(|(name, kind)| (name.to_owned(), Value { kind: Some(kind) }))
    .collect();
    Document {
        id: document.id.clone(),
        text: Some(document.text.clone()),
        attributes,
        ..Document::default()
    }
}

/// Trains the SAE; its hash.
async fn train(client: &Client) -> anyhow::Result<String> {
    let request = TrainSaeRequest {
        collection: COLLECTION.to_owned(),
        n_latents: N_LATENTS,
        k: K,
        ..TrainSaeRequest::default()
    };
    let last = sae::train_in_server(client, request).await?;
    if let Some(quality) = &last.quality {
        eprint!("SAE trained: {}", sae::server_quality_line(quality));
    }
    Ok(last.sae.unwrap_or_default().sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_its_source_sentiment_and_length() {
        let document = to_wire(&DemoDocument {
            id: "tweets/1".to_owned(),
            source: "tweets",
            sentiment: -0.15,
            text: "three short words".to_owned(),
        });
        let kind = |name: &str| document.attributes[name].kind.clone().unwrap();
        assert_eq!(kind("source"), Kind::String("tweets".to_owned()));
        assert_eq!(kind("sentiment"), Kind::Float(-0.15));
        assert_eq!(kind("words"), Kind::Integer(3));
    }
}
