//! `latentdb health`: whether a server serves, for those who start and watch it.

use anyhow::bail;
use latentdb_proto::v1::GetCollectionRequest;
use serde_json::json;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;

use super::client::ClientArgs;
use super::output;

/// Which server, and what of it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Ask after this collection instead of the whole server
    #[arg(long, value_name = "NAME")]
    collection: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.client.connect().await?;
    let collection = args.collection.as_deref();
    let service = collection.map(|name| format!("latentdb.collection/{name}"));
    let request = HealthCheckRequest {
        service: service.unwrap_or_default(),
    };
    let status = match client.health().check(request).await {
        Ok(answer) => answer.into_inner().status(),
        Err(status) => match args.collection {
            // What is not damaged has no entry, and neither has what does not exist.
            Some(name) if status.code() == tonic::Code::NotFound => {
                let request = GetCollectionRequest { name };
                client.collections().get_collection(request).await?;
                ServingStatus::Serving
            }
            _ => return Err(status.into()),
        },
    };
    if status != ServingStatus::Serving {
        bail!("{}", status.as_str_name());
    }
    let value = json!({"status": status.as_str_name()});
    output::emit(args.client.json, &value, "serving\n")
}
