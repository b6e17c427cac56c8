//! `latentdb serve`: the server in this process.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;

use super::chat::ChatArgs;
use super::flags;
use super::interrupt::Interrupt;
use crate::keys::Keys;
use crate::server::{KeyUse, Limits, Server, ServerOptions, TlsFiles};

/// Where a server listens that is told nothing else.
pub(super) const DEFAULT_ADDRESS: &str = "127.0.0.1:7700";
/// How long requests on their way may take after the user asked to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Where data lies and where to listen.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of the collections; created where it is missing
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Address to listen at; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = DEFAULT_ADDRESS)]
    listen: String,
    /// File that gets the address as host:port once the server serves
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// Whether calls take a key: once there are keys (latentdb key create), or never
    #[arg(long, value_enum, default_value_t = Auth::Keys)]
    auth: Auth,
    /// Certificate of the server and those between it and its authority, as PEM; read again when it
    /// changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its private key, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Authorities whose certificates clients must have, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_client_ca: Option<PathBuf>,
    /// Listen beyond this machine without keys or without TLS
    #[arg(long)]
    insecure: bool,
    /// Change nothing in the data directory, whose disk may be one that takes no writes; changes are
    /// refused. No other server may write to it meanwhile
    #[arg(long)]
    read_only: bool,
    /// Milliseconds from which on a search is listed (server information, the page) and logged with its
    /// plan; 0 lists none
    #[arg(long, value_name = "MS", default_value_t = 500)]
    slow_search: u64,
    /// Serve no browsers: neither the page nor gRPC-Web
    #[arg(long)]
    no_page: bool,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    chat: ChatArgs,
}

impl Args {
    fn tls(&self) -> Option<TlsFiles> {
        Some(TlsFiles {
            certificate: self.tls_cert.clone()?,
            key: self.tls_key.clone()?,
            client_authority: self.tls_client_ca.clone(),
        })
    }
}

/// Whether calls take a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Auth {
    Keys,
    None,
}

/// What the server takes on at once.
#[derive(Clone, Copy, Debug, clap::Args)]
struct LimitArgs {
    /// Maximum open connections; more are closed at once
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections, value_parser = flags::count::<u32>)]
    max_connections: u32,
    /// Maximum requests under way, streams included; more are answered RESOURCE_EXHAUSTED
    #[arg(long, value_name = "N", default_value_t = Limits::default().requests, value_parser = flags::count::<u32>)]
    max_requests: u32,
    /// Maximum requests under way of one client, by its address
    #[arg(long, value_name = "N", default_value_t = Limits::default().requests_per_client, value_parser = flags::count::<u32>)]
    max_requests_per_client: u32,
    /// MiB of the disk that stay free: with less, writes are answered RESOURCE_EXHAUSTED, while
    /// deletes and drops are taken
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().min_free_disk >> 20)]
    min_free_disk: u64,
}

impl LimitArgs {
    fn limits(self) -> Limits {
        Limits {
            connections: self.max_connections,
            requests: self.max_requests,
            requests_per_client: self.max_requests_per_client,
            min_free_disk: self.min_free_disk.saturating_mul(1 << 20),
        }
    }
}

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    let listener = listen(&args.listen).await?;
    let address = listener.local_addr()?;
    check_exposure(&args, address.ip())?;
    let tls = args.tls();
    let server = open(ServerOptions {
        data: args.data.clone(),
        chat: args.chat.config(),
        limits: args.limits.limits(),
        keys: match args.auth {
            Auth::Keys => KeyUse::Keys,
            Auth::None => KeyUse::None,
        },
        tls,
        no_page: args.no_page,
        read_only: args.read_only,
        slow_search: (args.slow_search > 0).then(|| Duration::from_millis(args.slow_search)),
    })
    .await?;
    if let Some(file) = &args.ready_file {
        write_ready_file(file, &address.to_string())
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    eprintln!(
        "latentdb serves {} at {address}; Ctrl-C stops it",
        args.data.display()
    );
    if !args.no_page {
        let scheme = if args.tls_cert.is_some() {
            "https"
        } else {
            "http"
        };
        eprintln!("the page is at {scheme}://{address}/");
    }
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

/// Refuses to serve everybody on a network by mistake.
fn check_exposure(args: &Args, address: IpAddr) -> anyhow::Result<()> {
    if address.is_loopback() || args.insecure {
        return Ok(());
    }
    let has_keys = args.auth == Auth::Keys && Keys::load(&args.data)?.is_some();
    if !has_keys {
        bail!(
            "--listen {} reaches beyond this machine and no call would take a key: make one with \
             `latentdb key create NAME --role admin --data {}`, or say --insecure",
            args.listen,
            args.data.display()
        );
    }
    if args.tls_cert.is_none() {
        bail!(
            "--listen {} reaches beyond this machine, and keys and documents would travel in the \
             clear: give --tls-cert and --tls-key, or say --insecure",
            args.listen
        );
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
pub(super) async fn open(options: ServerOptions) -> anyhow::Result<Server> {
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
