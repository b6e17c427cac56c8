//! TLS on the connections of a server. Certificates are read again when their files change; those
//! that cannot be read leave the former ones in use.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, rustls};

use crate::error::{Error, Result};

/// How often the files are looked at, at most.
const LOOKS: Duration = Duration::from_secs(1);

/// The files of TLS, as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Authorities of clients: who has no certificate of theirs is turned away. Anybody without.
    pub client_authority: Option<PathBuf>,
}

/// What handshakes are made with.
pub(super) struct Tls {
    files: TlsFiles,
    browsers: bool,
    current: Mutex<Current>,
}

struct Current {
    config: Arc<ServerConfig>,
    stamps: Vec<Option<SystemTime>>,
    looked: Instant,
}

impl TlsFiles {
    /// Whether TLS can be served with the files as they are.
    ///
    /// # Errors
    /// `InvalidArgument` naming the one that cannot be used.
    pub fn check(&self) -> Result<()> {
        self.read(false).map(drop)
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let own = [self.certificate.as_path(), self.key.as_path()].into_iter();
        own.chain(self.client_authority.as_deref())
    }

    fn stamps(&self) -> Vec<Option<SystemTime>> {
        let modified = |path| fs::metadata(path).and_then(|file| file.modified()).ok();
        self.paths().map(modified).collect()
    }

    fn read(&self, browsers: bool) -> Result<ServerConfig> {
        let provider = Arc::new(crypto::ring::default_provider());
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| unread("tls-key", &self.key, "a private key", error))?;
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("TLS has no protocol").with_source(error))?;
        let builder = match &self.client_authority {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates("tls-client-ca", path)? {
                    roots
                        .add(certificate)
                        .map_err(|error| unread("tls-client-ca", path, "an authority", error))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| unread("tls-client-ca", path, "an authority", error))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain = certificates("tls-cert", &self.certificate)?;
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error: rustls::Error| {
                unread(
                    "tls-cert",
                    &self.certificate,
                    "the certificate of the key",
                    error,
                )
            })?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        if browsers {
            config.alpn_protocols.push(b"http/1.1".to_vec());
        }
        Ok(config)
    }
}

fn certificates(flag: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = |error| unread(flag, path, "certificates", error);
    let found: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(read)?
        .collect::<std::result::Result<_, _>>()
        .map_err(read)?;
    if found.is_empty() {
        let message = format!("{} holds no certificate; PEM is accepted", path.display());
        return Err(Error::invalid(flag, message));
    }
    Ok(found)
}

fn unread(
    flag: &str,
    path: &Path,
    what: &str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    let message = format!("{} is not {what} that can be read: {error}", path.display());
    Error::invalid(flag, message).with_source(error)
}

impl Tls {
    /// With `browsers`, HTTP/1.1 is spoken too.
    ///
    /// # Errors
    /// `InvalidArgument` naming the file that cannot be used.
    pub fn open(files: TlsFiles, browsers: bool) -> Result<Self> {
        let current = Current {
            stamps: files.stamps(),
            config: Arc::new(files.read(browsers)?),
            looked: Instant::now(),
        };
        Ok(Self {
            files,
            browsers,
            current: Mutex::new(current),
        })
    }

    fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock();
        if current.looked.elapsed() >= LOOKS {
            current.looked = Instant::now();
            let stamps = self.files.stamps();
            if stamps != current.stamps {
                match self.files.read(self.browsers) {
                    Ok(config) => {
                        current.config = Arc::new(config);
                        current.stamps = stamps;
                        tracing::info!("the certificates were read again");
                    }
                    Err(error) => {
                        tracing::error!(%error, "the certificates changed; the former stay in use");
                    }
                }
            }
        }
        current.config.clone()
    }

    /// The handshake of a connection.
    pub async fn accept(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(self.config()).accept(stream).await
    }
}
