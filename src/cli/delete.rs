//! `latentdb delete`.

use std::collections::HashMap;

use latentdb_proto::v1::DeleteRequest;

use super::client::ClientArgs;
use super::failure::Usage;
use super::{flags, output, search, text};

/// What is deleted.
#[derive(Debug, clap::Args)]
#[command(override_usage = "latentdb delete [OPTIONS] <NAME> <ID>...\n       \
                            latentdb delete [OPTIONS] <NAME> --filter <EXPR>")]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub(super) struct Args {
    /// The collection
    name: String,
    /// Ids of documents; those that do not exist are passed over
    #[arg(value_name = "ID", group = "what")]
    ids: Vec<String>,
    /// Delete the one document only if it has this version, which `get` shows
    #[arg(long, value_name = "VERSION", conflicts_with = "filter", value_parser = flags::version)]
    expect_version: Option<String>,
    /// Delete the documents of this filter
    #[arg(long, value_name = "EXPR", group = "what")]
    filter: Option<String>,
    /// Delete although the filter tests an attribute that no document has, or of another kind
    #[arg(long, requires = "filter")]
    ignore_warnings: bool,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let expected_versions = match (&args.expect_version, &args.ids[..]) {
        (None, _) => HashMap::new(),
        (Some(version), [id]) => [(id.clone(), version.clone())].into(),
        (Some(_), _) => {
            return Err(
                Usage("--expect-version is of one document: name one id".to_owned()).into(),
            );
        }
    };
    let request = DeleteRequest {
        collection: args.name,
        ids: args.ids,
        filter: args.filter.map(search::expression),
        ignore_warnings: args.ignore_warnings,
        expected_versions,
    };
    let client = args.client.connect().await?;
    let response = client.documents().delete(request).await?.into_inner();
    output::respond(args.client.json, &response, || {
        format!("deleted {}", text::counted(response.deleted, "document"))
    })
}
