//! SAEs between this machine and a server.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use latentdb_proto::v1::{DownloadSaeRequest, SaeInfo, UploadSaeRequest};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::Client;

/// Bytes of a piece.
const PIECE: usize = 1 << 20;

impl Client {
    /// Uploads the files of an SAE's folder, not those of folders in it. The server names the SAE by its
    /// hash, wherever a folder of it is accepted.
    ///
    /// # Errors
    /// `InvalidArgument` for a folder that cannot be read, and the server's status.
    pub async fn upload_sae(&self, folder: &Path) -> Result<SaeInfo, Status> {
        let files = files_of(folder)?;
        let (sender, receiver) = mpsc::channel(4);
        let reading = tokio::task::spawn_blocking(move || {
            files.iter().try_for_each(|file| send(file, &sender))
        });
        let answer = self
            .models()
            .upload_sae(ReceiverStream::new(receiver))
            .await;
        // A file that could not be read ends the stream: that is what went wrong, not the server's answer.
        match reading.await {
            Ok(Err(unread)) => Err(unread),
            Ok(Ok(())) => Ok(answer?.into_inner()),
            Err(_) => Err(Status::internal("reading the files of the SAE failed")),
        }
    }

    /// What a server is to be told for an SAE that a user names: the hash of a folder of this machine, which
    /// is uploaded, or the name as it stands.
    ///
    /// # Errors
    /// Those of [`Self::upload_sae`].
    pub async fn sae_name(&self, sae: &Path) -> Result<String, Status> {
        match sae.is_dir() {
            true => Ok(self.upload_sae(sae).await?.sha256),
            false => Ok(sae.to_string_lossy().into_owned()),
        }
    }

    /// Writes the files of an SAE that the server holds, by its hash, to a folder, which exists.
    ///
    /// # Errors
    /// `NotFound` for a hash that the server has not, and what writing gives.
    pub async fn download_sae(&self, hash: &str, folder: &Path) -> Result<(), Status> {
        let request = DownloadSaeRequest {
            sae: hash.to_owned(),
        };
        let answer = self.models().download_sae(request).await?;
        let mut pieces = answer.into_inner();
        let mut file = None;
        while let Some(piece) = pieces.message().await? {
            if !piece.file.is_empty() {
                let name = Path::new(&piece.file).file_name().unwrap_or_default();
                let path = folder.join(name);
                let created = tokio::fs::File::create(&path).await;
                file = Some((created.map_err(|error| unwritten(&path, &error))?, path));
            }
            let Some((file, path)) = &mut file else {
                return Err(Status::internal("the first piece of an SAE names no file"));
            };
            let written = file.write_all(&piece.content).await;
            let written = written.and(file.flush().await);
            written.map_err(|error| unwritten(path, &error))?;
        }
        Ok(())
    }
}

fn unwritten(path: &Path, error: &std::io::Error) -> Status {
    Status::failed_precondition(format!("{} cannot be written: {error}", path.display()))
}

fn files_of(folder: &Path) -> Result<Vec<PathBuf>, Status> {
    let read = || {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let is_hidden = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if path.is_file() && !is_hidden {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    };
    read().map_err(|error| unreadable(folder, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Status {
    Status::invalid_argument(format!("{} cannot be read: {error}", path.display()))
}

/// Sends a file in pieces; ends early, without an error, where nobody reads them any more.
fn send(path: &Path, sender: &mpsc::Sender<UploadSaeRequest>) -> Result<(), Status> {
    let unreadable = |error| unreadable(path, &error);
    let mut file = File::open(path).map_err(unreadable)?;
    let name = path.file_name().unwrap_or_default();
    let mut name = name.to_string_lossy().into_owned();
    loop {
        let mut content = Vec::new();
        let mut piece = file.by_ref().take(PIECE as u64);
        let read = piece.read_to_end(&mut content).map_err(unreadable)?;
        if read == 0 && name.is_empty() {
            return Ok(());
        }
        let request = UploadSaeRequest {
            file: std::mem::take(&mut name),
            content,
        };
        if sender.blocking_send(request).is_err() {
            return Ok(());
        }
    }
}
