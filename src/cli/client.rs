//! The flags of commands that talk to a server.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use crate::client::Access;
pub(super) use crate::client::Client;

/// Flags of every command that talks to a server.
#[derive(Clone, Debug, Args)]
pub(super) struct ClientArgs {
    /// Address of the server
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "LATENTDB_SERVER",
        default_value = "127.0.0.1:7700",
        global = true,
        help_heading = "Connection"
    )]
    pub(super) server: String,
    /// The key that calls carry, where the server takes keys
    #[arg(
        long,
        value_name = "KEY",
        env = "LATENTDB_API_KEY",
        hide_env_values = true,
        global = true,
        help_heading = "Connection"
    )]
    api_key: Option<String>,
    /// Authority that the server's certificate is held to, as PEM; without, one that is publicly known
    /// for an address that begins with https://
    #[arg(
        long,
        value_name = "FILE",
        env = "LATENTDB_TLS_CA",
        global = true,
        help_heading = "Connection"
    )]
    tls_ca: Option<PathBuf>,
    /// Certificate and key of this client, as PEM in one file, where the server asks for one
    #[arg(
        long,
        value_name = "FILE",
        env = "LATENTDB_TLS_IDENTITY",
        global = true,
        help_heading = "Connection"
    )]
    tls_identity: Option<PathBuf>,
    /// Print JSON, errors included
    #[arg(long, global = true, help_heading = "Output")]
    pub(super) json: bool,
}

impl ClientArgs {
    /// Connects to the server.
    pub(super) async fn connect(&self) -> anyhow::Result<Client> {
        let read = |path: &Option<PathBuf>| {
            let path = path.as_ref()?;
            let shown = || format!("cannot read {}", path.display());
            Some(std::fs::read(path).with_context(shown))
        };
        let access = Access {
            api_key: self.api_key.clone(),
            authority: read(&self.tls_ca).transpose()?,
            identity: read(&self.tls_identity).transpose()?,
        };
        Ok(Client::connect_with(&self.server, access).await?)
    }
}
