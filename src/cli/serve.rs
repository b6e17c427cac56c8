//! `latentdb serve`: the server in this process.

use std::io::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{ArgMatches, FromArgMatches as _};
use tokio::net::TcpListener;

use super::chat::ChatArgs;
use super::failure::Usage;
use super::flags;
use super::interrupt::Interrupt;
use crate::keys::Keys;
use crate::server::{KeyUse, Limits, ModelPlaces, Server, ServerOptions, TlsFiles};
use crate::telemetry::Telemetry;
use crate::tokens::{TokenRules, WatchedTokens};

/// Where a server listens that is told nothing else.
pub(super) const DEFAULT_ADDRESS: &str = "127.0.0.1:7700";
/// How long requests on their way may take after the user asked to stop.
const GRACE: Duration = Duration::from_secs(10);

/// Data directory and listen address.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// File of settings, as TOML: every other flag by its name (latentdb config reference). Variables
    /// LATENTDB_NAME go before the file, flags before both
    #[arg(long, value_name = "FILE", env = "LATENTDB_CONFIG")]
    config: Option<PathBuf>,
    /// Folder of the collections; created where it is missing
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Address to listen at; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = DEFAULT_ADDRESS)]
    listen: String,
    /// File that gets the address as host:port once the server serves
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
    /// What calls take: a key once there are keys (latentdb key create), a token of an issuer (JWT) or a
    /// key, or nothing
    #[arg(long, value_enum, default_value_t = Auth::Keys)]
    auth: Auth,
    /// Issuer of tokens, their claim `iss`
    #[arg(long, value_name = "ISSUER", required_if_eq("auth", "jwt"))]
    jwt_issuer: Option<String>,
    /// Audience of tokens, their claim `aud` or one of its entries
    #[arg(long, value_name = "AUDIENCE", required_if_eq("auth", "jwt"))]
    jwt_audience: Option<String>,
    /// Public keys of the issuer, as JWKS; read again when the file changes
    #[arg(long, value_name = "FILE", required_if_eq("auth", "jwt"))]
    jwt_keys: Option<PathBuf>,
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
    /// Folder of models and SAEs that clients may name, by their path in it; repeat it for several. Without,
    /// they name pinned models, ids of the hub and SAEs that the server holds
    #[arg(long, value_name = "DIR")]
    models: Vec<PathBuf>,
    /// Fetch pinned models and those of the Hugging Face hub that are not on this machine
    #[arg(long)]
    allow_downloads: bool,
    /// Change nothing in the data directory, whose disk may be one that takes no writes; changes are
    /// refused. No other server may write to it meanwhile
    #[arg(long)]
    read_only: bool,
    /// Milliseconds from which on a search is listed (server information, the page) and logged with its
    /// plan; 0 lists none
    #[arg(long, value_name = "MS", default_value_t = 500)]
    slow_search: u64,
    /// How lines of the log read
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// Address of a collector that takes traces as OTLP over gRPC, as http://127.0.0.1:4317
    #[arg(long, value_name = "URL")]
    otlp: Option<String>,
    /// Store of snapshots: a folder, or s3://BUCKET/PREFIX, with AWS_ENDPOINT, AWS_REGION and the secrets
    /// from the environment
    #[arg(long, value_name = "STORE")]
    snapshots: Option<String>,
    /// Address that answers GET /metrics for Prometheus, without keys or TLS
    #[arg(long, value_name = "HOST:PORT")]
    metrics: Option<String>,
    /// Serve no browsers: neither the page nor gRPC-Web
    #[arg(long)]
    no_page: bool,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    chat: ChatArgs,
}

impl Args {
    /// Where the server says what.
    pub(super) fn telemetry(&self) -> Telemetry {
        Telemetry {
            json: self.log_format == LogFormat::Json,
            otlp: self.otlp.clone(),
        }
    }

    /// Refuses settings that go together and do not come together: the parser knows this of flags alone.
    fn check(&self) -> anyhow::Result<()> {
        let needs =
            |name: &str, is_set: bool, other: &str, has_other: bool| match is_set && !has_other {
                true => Err(Usage(format!("{name} takes {other} with it"))),
                false => Ok(()),
            };
        let (cert, key) = (self.tls_cert.is_some(), self.tls_key.is_some());
        needs("--tls-cert", cert, "--tls-key", key)?;
        needs("--tls-key", key, "--tls-cert", cert)?;
        needs(
            "--tls-client-ca",
            self.tls_client_ca.is_some(),
            "--tls-cert",
            cert,
        )?;
        let is_jwt = self.auth == Auth::Jwt;
        for (name, is_set) in [
            ("--jwt-issuer", self.jwt_issuer.is_some()),
            ("--jwt-audience", self.jwt_audience.is_some()),
            ("--jwt-keys", self.jwt_keys.is_some()),
        ] {
            needs("--auth jwt", is_jwt, name, is_set)?;
            needs(name, is_set, "--auth jwt", is_jwt)?;
        }
        let (url, model) = self.chat.names();
        needs("--chat-url", url, "--chat-model", model)?;
        for root in &self.models {
            if !root.is_dir() {
                bail!("--models {}: a folder is accepted", root.display());
            }
        }
        if let Some(file) = &self.config {
            tracing::info!(file = %file.display(), "settings are read");
        }
        Ok(())
    }

    /// Whose tokens are taken.
    fn tokens(&self) -> Option<TokenRules> {
        if self.auth != Auth::Jwt {
            return None;
        }
        Some(TokenRules {
            issuer: self.jwt_issuer.clone()?,
            audience: self.jwt_audience.clone()?,
            keys: self.jwt_keys.clone()?,
        })
    }

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
    Jwt,
    None,
}

/// How lines of the log read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LogFormat {
    /// Text for people
    Text,
    /// A JSON object a line
    Json,
}

/// What the server takes on at once.
#[derive(Clone, Copy, Debug, clap::Args)]
struct LimitArgs {
    /// Maximum open connections; more are closed at once
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections, value_parser = flags::count::<u32>)]
    max_connections: u32,
    /// Maximum open connections of one client, by its address
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections_per_client, value_parser = flags::count::<u32>)]
    max_connections_per_client: u32,
    /// Maximum requests under way, streams included; more are answered RESOURCE_EXHAUSTED
    #[arg(long, value_name = "N", default_value_t = Limits::default().requests, value_parser = flags::count::<u32>)]
    max_requests: u32,
    /// Maximum requests under way of one client, by its address
    #[arg(long, value_name = "N", default_value_t = Limits::default().requests_per_client, value_parser = flags::count::<u32>)]
    max_requests_per_client: u32,
    /// Maximum searches, counts and reads that are worked on at once [default: twice the cores]; others
    /// wait, and while there is always somebody waiting, most of them are answered RESOURCE_EXHAUSTED
    #[arg(long, value_name = "N", default_value_t = Limits::default().searches, hide_default_value = true, value_parser = flags::count::<u32>)]
    max_searches: u32,
    /// Maximum analyses under way [default: twice the cores]; others wait for half a minute
    #[arg(long, value_name = "N", default_value_t = Limits::default().analyses, hide_default_value = true, value_parser = flags::count::<u32>)]
    max_analyses: u32,
    /// Maximum threads that build graphs of vectors, at a lower priority than everything else [default: the cores]
    #[arg(long, value_name = "N", default_value_t = cores(), hide_default_value = true, value_parser = flags::count::<u32>)]
    graph_threads: u32,
    /// MiB of memory of the server itself, mapped files aside, over which requests are answered
    /// RESOURCE_EXHAUSTED [default: three quarters of the machine's]
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().memory >> 20, hide_default_value = true, value_parser = flags::count::<u64>)]
    memory_budget: u64,
    /// Seconds after which connections without a request, answers that nobody reads and ingest streams
    /// without a batch are ended
    #[arg(long, value_name = "S", default_value_t = Limits::default().idle.as_secs(), value_parser = flags::count::<u64>)]
    idle_timeout: u64,
    /// MiB of the disk that stay free: with less, writes are answered RESOURCE_EXHAUSTED, while
    /// deletes and drops are taken
    #[arg(long, value_name = "MIB", default_value_t = Limits::default().min_free_disk >> 20)]
    min_free_disk: u64,
}

impl LimitArgs {
    fn limits(self) -> Limits {
        Limits {
            connections: self.max_connections,
            connections_per_client: self.max_connections_per_client,
            requests: self.max_requests,
            requests_per_client: self.max_requests_per_client,
            searches: self.max_searches,
            analyses: self.max_analyses,
            memory: self.memory_budget.saturating_mul(1 << 20),
            idle: Duration::from_secs(self.idle_timeout),
            min_free_disk: self.min_free_disk.saturating_mul(1 << 20),
        }
    }
}

fn cores() -> u32 {
    let cores = std::thread::available_parallelism();
    cores.map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1))
}

/// Whether a server would take these settings, as far as that can be said without starting it.
///
/// # Errors
/// What contradicts, and files that cannot be used.
pub(super) fn check(matches: &ArgMatches) -> anyhow::Result<()> {
    let args = Args::from_arg_matches(matches)?;
    args.check()?;
    if let Some(files) = args.tls() {
        files.check()?;
    }
    if let Some(rules) = args.tokens() {
        WatchedTokens::open(rules)?;
    }
    Ok(())
}

pub(super) async fn run(args: Args, interrupt: Interrupt) -> anyhow::Result<()> {
    args.check()?;
    latentdb_index::set_graph_threads(args.limits.graph_threads as usize);
    let listener = listen(&args.listen).await?;
    let address = listener.local_addr()?;
    let metrics = match &args.metrics {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    check_exposure(&args, address.ip())?;
    let (tls, tokens) = (args.tls(), args.tokens());
    let options = ServerOptions {
        data: args.data.clone(),
        chat: args.chat.config(),
        models: ModelPlaces {
            roots: args.models.clone(),
            downloads: args.allow_downloads,
        },
        limits: args.limits.limits(),
        keys: match args.auth {
            Auth::Keys | Auth::Jwt => KeyUse::Keys,
            Auth::None => KeyUse::None,
        },
        tokens,
        snapshots: args.snapshots.clone(),
        tls,
        no_page: args.no_page,
        read_only: args.read_only,
        slow_search: (args.slow_search > 0).then(|| Duration::from_millis(args.slow_search)),
    };
    let server = Server::open_at(options, &listener).await?;
    let server = match metrics {
        Some(listener) => {
            eprintln!("metrics are at http://{}/metrics", listener.local_addr()?);
            server.with_metrics(listener)
        }
        None => server,
    };
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
    let is_guarded = match args.auth {
        Auth::Keys => Keys::load(&args.data)?.is_some(),
        Auth::Jwt => true,
        Auth::None => false,
    };
    if !is_guarded {
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
