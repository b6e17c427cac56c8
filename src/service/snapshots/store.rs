//! Where snapshots are kept: a folder, or a bucket of an S3-compatible store, by the `object_store` crate.
//!
//! ```text
//! snapshots/NAME.json      the manifest of a snapshot
//! objects/ab/abcd..        a file by its SHA-256
//! ```

use std::collections::HashSet;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use futures::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, WriteMultipart};
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::manifest::{FileEntry, Manifest};
use crate::error::{Error, ErrorKind, Result};
use crate::hex::hex;
use crate::progress::Progress;
use crate::service::blocking;

/// Bytes that are read or written at once; S3 takes parts of 5 MiB and more.
const PIECE: usize = 8 << 20;
/// Parts of a file that are on their way at once.
const PARTS: usize = 4;

/// A store of snapshots.
#[derive(Clone, Debug)]
pub(in crate::service) struct Store {
    objects: Arc<dyn ObjectStore>,
}

impl Store {
    /// The store of an address: a folder, which is created, or `s3://BUCKET/PREFIX`, whose endpoint, region and
    /// secrets are those of the environment (`AWS_ENDPOINT`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`,
    /// `AWS_SECRET_ACCESS_KEY`, `AWS_ALLOW_HTTP`). Blocks.
    ///
    /// # Errors
    /// `InvalidArgument` for an address that is neither.
    pub fn open(address: &str) -> Result<Self> {
        let wrong = |error: object_store::Error| {
            Error::invalid(
                "snapshots",
                format!("is {address:?}, which cannot be opened"),
            )
            .with_source(error)
        };
        let Some((scheme, rest)) = address.split_once("://") else {
            std::fs::create_dir_all(address)?;
            let folder = LocalFileSystem::new_with_prefix(address).map_err(wrong)?;
            return Ok(Self {
                objects: Arc::new(folder.with_fsync(true)),
            });
        };
        if scheme != "s3" {
            return Err(Error::invalid(
                "snapshots",
                format!("is {address:?}; a folder and s3://BUCKET/PREFIX are accepted"),
            ));
        }
        // Another part of the process may have said so before, to the same effect.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let bucket = AmazonS3Builder::from_env().with_bucket_name(bucket);
        let bucket = bucket.build().map_err(wrong)?;
        Ok(Self {
            objects: match prefix.trim_matches('/') {
                "" => Arc::new(bucket),
                prefix => Arc::new(PrefixStore::new(bucket, prefix)),
            },
        })
    }

    /// All manifests, the latest first.
    pub async fn manifests(&self) -> Result<Vec<Manifest>> {
        let folder = Key::from("snapshots");
        let listed = self.objects.list(Some(&folder));
        let listed: Vec<_> = listed.try_collect().await.map_err(failed)?;
        let mut manifests = Vec::new();
        for found in listed {
            let name = found.location.filename().unwrap_or_default();
            if let Some(name) = name.strip_suffix(".json") {
                manifests.push(self.manifest(name).await?);
            }
        }
        manifests.sort_by_key(|own| std::cmp::Reverse(own.created));
        Ok(manifests)
    }

    /// The manifest of a snapshot.
    pub async fn manifest(&self, name: &str) -> Result<Manifest> {
        let got = match self.objects.get(&manifest_key(name)).await {
            Err(object_store::Error::NotFound { .. }) => return Err(missing(name)),
            got => got.map_err(failed)?,
        };
        Manifest::parse(name, &got.bytes().await.map_err(failed)?)
    }

    /// Writes a manifest, whose name nobody else has taken.
    pub async fn put_manifest(&self, manifest: &Manifest) -> Result<()> {
        let text = serde_json::to_vec(manifest)
            .map_err(|error| Error::internal("a manifest is no JSON").with_source(error))?;
        let key = manifest_key(&manifest.name);
        let put = self
            .objects
            .put_opts(&key, text.into(), PutMode::Create.into());
        match put.await {
            Err(object_store::Error::AlreadyExists { .. }) => Err(taken(&manifest.name)),
            put => put.map(drop).map_err(failed),
        }
    }

    /// Whether there is a snapshot of a name.
    pub async fn has_manifest(&self, name: &str) -> Result<bool> {
        self.has(&manifest_key(name))
            .await
            .map(|found| found.is_some())
    }

    pub async fn remove_manifest(&self, name: &str) -> Result<()> {
        if !self.has_manifest(name).await? {
            return Err(missing(name));
        }
        self.objects
            .delete(&manifest_key(name))
            .await
            .map_err(failed)
    }

    /// Removes objects that no manifest names.
    pub async fn remove_unnamed(&self) -> Result<()> {
        let manifests = self.manifests().await?;
        let named: HashSet<Key> = manifests
            .iter()
            .flat_map(Manifest::files)
            .map(|file| object_key(&file.sha256))
            .collect();
        let listed = self.objects.list(Some(&Key::from("objects")));
        let listed: Vec<_> = listed.try_collect().await.map_err(failed)?;
        for object in listed {
            if !named.contains(&object.location) {
                self.objects
                    .delete(&object.location)
                    .await
                    .map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Brings a file to the store, unless it has it; counts its bytes in `progress`. Whether it was brought.
    pub async fn put_file(
        &self,
        path: &Path,
        entry: &FileEntry,
        progress: &Progress,
    ) -> Result<bool> {
        let key = object_key(&entry.sha256);
        if self.has(&key).await? == Some(entry.bytes) {
            progress.advance(entry.bytes)?;
            return Ok(false);
        }
        if entry.bytes <= PIECE as u64 {
            let bytes = tokio::fs::read(path).await?;
            progress.advance(entry.bytes)?;
            self.objects
                .put(&key, PutPayload::from(bytes))
                .await
                .map_err(failed)?;
            return Ok(true);
        }
        let mut file = tokio::fs::File::open(path).await?;
        let upload = self.objects.put_multipart(&key).await.map_err(failed)?;
        let mut writer = WriteMultipart::new_with_chunk_size(upload, PIECE);
        let copied = async {
            let mut piece = vec![0; PIECE];
            loop {
                let read = tokio::io::AsyncReadExt::read(&mut file, &mut piece).await?;
                if read == 0 {
                    return Ok(());
                }
                writer.wait_for_capacity(PARTS).await.map_err(failed)?;
                writer.write(&piece[..read]);
                progress.advance(read as u64)?;
            }
        };
        let copied: Result<()> = copied.await;
        match copied {
            // Where the end fails, it gives up what was sent by itself.
            Ok(()) => writer.finish().await.map(|_| true).map_err(failed),
            Err(error) => {
                // What was sent is given up; a store that cannot say so forgets it by itself.
                let _ = writer.abort().await;
                Err(error)
            }
        }
    }

    /// Writes a file of the store to `path` and makes it durable, compared with its hash on the way.
    ///
    /// # Errors
    /// `Corrupted` where the store lacks it or has another content.
    pub async fn get_file(
        &self,
        entry: &FileEntry,
        path: &Path,
        progress: &Progress,
    ) -> Result<()> {
        let lost = |what: &str| {
            Error::corrupted(format!(
                "the store {what} {} ({}) of the snapshot; nothing was restored",
                entry.path, entry.sha256
            ))
        };
        let got = match self.objects.get(&object_key(&entry.sha256)).await {
            Err(object_store::Error::NotFound { .. }) => return Err(lost("lacks")),
            got => got.map_err(failed)?,
        };
        let mut content = got.into_stream();
        let mut file = tokio::fs::File::create(path).await?;
        let mut hash = Sha256::new();
        let mut bytes = 0;
        while let Some(piece) = content.try_next().await.map_err(failed)? {
            hash.update(&piece);
            bytes += piece.len() as u64;
            file.write_all(&piece).await?;
            progress.advance(piece.len() as u64)?;
        }
        file.sync_all().await?;
        match bytes == entry.bytes && hex(hash.finalize()) == entry.sha256 {
            true => Ok(()),
            false => Err(lost("has a damaged")),
        }
    }

    /// Bytes of an existing object.
    async fn has(&self, key: &Key) -> Result<Option<u64>> {
        match self.objects.head(key).await {
            Ok(found) => Ok(Some(found.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

/// The entry of a file at `path`, which a snapshot knows as `name`.
pub(super) async fn entry_of(path: &Path, name: String) -> Result<FileEntry> {
    let path = path.to_owned();
    blocking(move || {
        let mut file = std::fs::File::open(&path)?;
        let mut hash = Sha256::new();
        let mut piece = vec![0; PIECE];
        let mut bytes = 0;
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            hash.update(&piece[..read]);
            bytes += read as u64;
        }
        Ok(FileEntry {
            path: name,
            bytes,
            sha256: hex(hash.finalize()),
        })
    })
    .await
}

fn manifest_key(name: &str) -> Key {
    Key::from(format!("snapshots/{name}.json"))
}

fn object_key(sha256: &str) -> Key {
    Key::from(format!(
        "objects/{}/{sha256}",
        sha256.get(..2).unwrap_or_default()
    ))
}

fn missing(name: &str) -> Error {
    Error::not_found(format!("there is no snapshot {name:?}"))
}

pub(super) fn taken(name: &str) -> Error {
    Error::new(
        ErrorKind::AlreadyExists,
        format!("there is a snapshot {name:?}; delete it, or take another name"),
    )
}

fn failed(error: object_store::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "the store of snapshots does not do what it is asked",
    )
    .with_source(error)
}
