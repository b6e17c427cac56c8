//! `latentdb count`.

use latentdb_proto::v1::CountRequest;

use super::client::ClientArgs;
use super::{output, search};

/// What is counted.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
    /// Only documents of this filter, for example: latent(812) and sentiment < -1
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let request = CountRequest {
        collection: args.name,
        filter: args.filter.map(search::expression),
    };
    let client = args.client.connect().await?;
    let response = client.searches().count(request).await?.into_inner();
    output::warn(&response.warnings);
    output::respond(args.client.json, &response, || response.count.to_string())
}
