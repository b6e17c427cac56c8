//! Checks a generation that nobody has open.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tantivy::{Index, ReloadPolicy};

use super::check::files;
use super::{Collection, open_index};
use crate::dense::Graph;
use crate::error::{Error, Result};
use crate::schema::Fields;
use crate::snapshot::{ComponentCache, Snapshot};
use crate::storage::{Damage, Storage, check_file};
use crate::text::Analyzer;

/// Checks every checksum of a generation and, where `deep`, what its files say of one another.
/// `dimension` and `n_latents` are the collection's. Each file goes to `report`, with its bytes or
/// what is wrong with it.
pub(crate) fn verify(
    directory: &Path,
    dimension: Option<usize>,
    n_latents: &[usize],
    deep: bool,
    report: &mut dyn FnMut(&Path, Result<u64>),
) {
    let index_directory = directory.join("index");
    let manifest = index_directory.join("meta.json");
    let (index, fields) = match open(directory, &index_directory) {
        Ok(opened) => opened,
        Err(error) => return report(&manifest, Err(error)),
    };
    let segments = match index.searchable_segment_metas() {
        Ok(segments) => segments,
        Err(error) => return report(&manifest, Err(error.into())),
    };
    let mut is_intact = true;
    for path in segments.iter().flat_map(files) {
        let path = index_directory.join(path);
        let checked = check_file(&path, &|| Ok(()));
        is_intact &= checked.is_ok();
        report(&path, checked.map(|()| bytes(&path)));
    }
    report(&manifest, Ok(bytes(&manifest)));
    if !is_intact {
        return;
    }
    // Nothing is read but what has passed its checksum.
    let snapshot = match snapshot_of(&index, fields) {
        Ok(snapshot) => snapshot,
        Err(error) => return report(&index_directory, Err(error)),
    };
    for segment in snapshot.segments() {
        let id = segment.reader.segment_id().uuid_string();
        let graph = directory.join("graphs").join(format!("{id}.graph"));
        if graph.exists() {
            let opened = Graph::open(&graph, segment.dense.n_rows());
            report(&graph, opened.map(|_| bytes(&graph)));
        }
    }
    if deep && let Err(error) = verify_contents(&snapshot, dimension, n_latents) {
        report(&index_directory, Err(error));
    }
}

fn open(directory: &Path, index_directory: &Path) -> Result<(Index, Fields)> {
    if !Collection::exists(directory) {
        return Err(Error::corrupted(format!(
            "{} is missing",
            directory.display()
        )));
    }
    // What is there has an analyzer of its own.
    let analyzer = Analyzer::default();
    open_index(
        index_directory,
        analyzer,
        &Storage::default(),
        &Damage::default(),
        &Arc::default(),
    )
}

fn snapshot_of(index: &Index, fields: Fields) -> Result<Snapshot> {
    let reader = index
        .reader_builder()
        .reload_policy(ReloadPolicy::Manual)
        .try_into()?;
    let mut cache = ComponentCache::default();
    Snapshot::new(reader.searcher(), fields, 0, &mut cache, &HashMap::new())
}

fn verify_contents(
    snapshot: &Snapshot,
    dimension: Option<usize>,
    n_latents: &[usize],
) -> Result<()> {
    for segment in snapshot.segments() {
        let id = segment.reader.segment_id().uuid_string();
        let within = |error: Error| Error::corrupted(format!("segment {id}: {error}"));
        for (place, space) in segment.spaces.iter().enumerate() {
            let n_latents = n_latents.get(place).copied().unwrap_or(0);
            space.latents.verify(n_latents).map_err(within)?;
        }
        if segment.dense.n_docs() != segment.reader.max_doc() {
            return Err(within(Error::corrupted("documents and vectors differ")));
        }
        segment.dense.verify(dimension).map_err(within)?;
    }
    for doc in snapshot.living() {
        let id = snapshot.id(doc)?;
        if snapshot.find(&id)? != Some(doc) {
            return Err(Error::corrupted(format!(
                "document {id:?} is not found by its id alone"
            )));
        }
    }
    Ok(())
}

fn bytes(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |data| data.len())
}
