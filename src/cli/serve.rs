//! `latentdb serve`: the server in this process.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;

use super::chat::ChatArgs;
use super::interrupt::Interrupt;
use crate::label::ChatConfig;
use crate::server::{Server, ServerOptions};

/// How long requests on their way may take after the user asked to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Where data lies and where to listen.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of the collections; created where it is missing
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Address to listen at; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7700")]
    listen: String,
    /// File that gets the address as host:port once the server serves
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    #[command(flatten)]
    chat: ChatArgs,
}

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    let listener = listen(&args.listen).await?;
    let address = listener.local_addr()?;
    let server = open(args.data.clone(), args.chat.config()).await?;
    if let Some(file) = &args.ready_file {
        write_ready_file(file, &address.to_string())
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    eprintln!(
        "latentdb serves {} at {address}; Ctrl-C stops it",
        args.data.display()
    );
    let shutdown = {
        let interrupt = interrupt.clone();
        async move { interrupt.asked().await }
    };
    tokio::select! {
        served = server.serve(listener, shutdown) => served?,
        () = grace(&interrupt) => eprintln!("clients that stayed were cut off"),
    }
    if let Some(file) = &args.ready_file {
        // Nobody serves there any more; a file that is gone already is as good.
        let _ = std::fs::remove_file(file);
    }
    Ok(())
}

/// Returns some time after the user asked to stop: a client that keeps a stream open must not keep
/// the server. What was acknowledged is on disk.
pub(super) async fn grace(interrupt: &Interrupt) {
    interrupt.asked().await;
    tokio::time::sleep(GRACE).await;
}

/// Binds before the data is opened, so that a taken port is told at once.
pub(super) async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen at {address}"))
}

/// Opens the data off the async threads.
pub(super) async fn open(data: PathBuf, chat: Option<ChatConfig>) -> anyhow::Result<Server> {
    let options = ServerOptions { data, chat };
    Ok(tokio::task::spawn_blocking(move || Server::open(options)).await??)
}

/// The file appears with its content: readers poll for it.
fn write_ready_file(path: &Path, address: &str) -> anyhow::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(address.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ready");
        for address in ["127.0.0.1:1", "[::1]:7700"] {
            write_ready_file(&file, address).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), address);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
