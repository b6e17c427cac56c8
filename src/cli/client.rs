//! The flags of commands that talk to a server.

use clap::Args;

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
    /// Print JSON, errors included
    #[arg(long, global = true, help_heading = "Output")]
    pub(super) json: bool,
}

impl ClientArgs {
    /// Connects to the server.
    pub(super) async fn connect(&self) -> anyhow::Result<Client> {
        Ok(Client::connect_with(&self.server, self.api_key.as_deref()).await?)
    }
}
