//! `latentdb latents export`: the activations of a collection as a SciPy matrix.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::bail;
use latentdb_proto::v1::{Collection, Document, GetCollectionRequest, Projection, ScrollRequest};
use serde_json::json;

use crate::cli::client::{Client, ClientArgs};
use crate::cli::{output, progress, search, text};
use crate::records::csr::CsrWriter;
use crate::whole_file::WholeFile;

/// Documents a message of the stream holds.
const PAGE: u32 = 2_000;

/// What is exported, and where to.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The collection
    name: String,
    /// The matrix, for scipy.sparse.load_npz; the ids of its rows go to FILE.ids.txt next to it,
    /// FILE without .npz
    #[arg(long, value_name = "FILE.npz")]
    out: PathBuf,
    /// Only documents of this filter
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
}

pub(in crate::cli) async fn run(args: Args, client: ClientArgs) -> anyhow::Result<()> {
    let is_json = client.json;
    let client = client.connect().await?;
    let before = collection(&client, &args.name).await?;
    let ids_path = ids_path(&args.out);
    let mut matrix = CsrWriter::create(&args.out)?;
    let mut ids = WholeFile::create(&ids_path)?;
    let request = ScrollRequest {
        collection: args.name.clone(),
        filter: args.filter.map(search::expression),
        projection: Some(Projection {
            latents: true,
            ..Projection::default()
        }),
        batch_size: PAGE,
        ..ScrollRequest::default()
    };
    let bar = progress::counter("documents");
    let mut stream = client.documents().scroll(request).await?.into_inner();
    while let Some(page) = stream.message().await? {
        output::warn(&page.warnings);
        for document in &page.documents {
            matrix.push_row(&row(document))?;
            writeln!(ids, "{}", document.id)?;
        }
        bar.inc(page.documents.len() as u64);
    }
    bar.finish_and_clear();
    let after = collection(&client, &args.name).await?;
    if (&after.sae, after.n_latents) != (&before.sae, before.n_latents) {
        bail!(
            "another SAE was attached to {} meanwhile; run the export again",
            args.name
        );
    }
    let (rows, entries) = (matrix.rows(), matrix.entries());
    // The ids first: a matrix under its name has its ids next to it.
    ids.finish()?;
    matrix.finish(after.n_latents.into())?;
    let value = json!({
        "out": args.out, "ids": ids_path,
        "documents": rows, "latents": after.n_latents, "entries": entries,
    });
    let page = format!(
        "{}: {} documents x {} latents, {} activations; ids in {}\n",
        args.out.display(),
        text::thousands(rows),
        text::thousands(after.n_latents.into()),
        text::thousands(entries),
        ids_path.display()
    );
    output::emit(is_json, &value, &page)
}

async fn collection(client: &Client, name: &str) -> anyhow::Result<Collection> {
    let request = GetCollectionRequest {
        name: name.to_owned(),
    };
    let collection = client
        .collections()
        .get_collection(request)
        .await?
        .into_inner();
    if collection.n_latents == 0 {
        bail!(
            "collection {name:?} has no latents to export; train an SAE (latentdb sae train) and \
             attach it (latentdb collection attach)"
        );
    }
    Ok(collection)
}

fn row(document: &Document) -> Vec<(u32, f32)> {
    let latents = document.latents.iter().flat_map(|latents| &latents.values);
    latents
        .map(|entry| (entry.latent, entry.activation))
        .collect()
}

/// `x.npz` gives `x.ids.txt`; any other name has `.ids.txt` added.
fn ids_path(out: &Path) -> PathBuf {
    let is_npz = out.extension() == Some(OsStr::new("npz"));
    let stem = if is_npz {
        out.file_stem()
    } else {
        out.file_name()
    };
    let mut name = stem.unwrap_or_default().to_owned();
    name.push(".ids.txt");
    out.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_stand_next_to_the_matrix() {
        for (out, ids) in [
            ("x.npz", "x.ids.txt"),
            ("a.b/x.y.npz", "a.b/x.y.ids.txt"),
            ("matrix", "matrix.ids.txt"),
        ] {
            assert_eq!(ids_path(Path::new(out)), Path::new(ids));
        }
    }
}
