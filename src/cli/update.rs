//! `latentdb update`.

use std::collections::HashMap;

use latentdb_proto::v1::{
    DocumentUpdate, GetCollectionRequest, MatchingUpdate, UpdateRequest, Value,
};

use super::client::{Client, ClientArgs};
use super::failure::Usage;
use super::ingest::cut_warning;
use super::{flags, output, search, text};
use crate::records::assignment::Assignment;
use crate::server::wire_value;

/// What is changed.
#[derive(Debug, clap::Args)]
#[command(override_usage = "latentdb update [OPTIONS] <NAME> --id <ID>\n       \
                            latentdb update [OPTIONS] <NAME> --where <EXPR>")]
#[command(group = clap::ArgGroup::new("what").required(true))]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub(super) struct Args {
    /// The collection
    name: String,
    /// Id of the document
    #[arg(long, value_name = "ID", group = "what")]
    id: Option<String>,
    /// Change all documents of this filter, in one commit
    #[arg(
        long = "where",
        visible_alias = "filter",
        value_name = "EXPR",
        group = "what"
    )]
    filter: Option<String>,
    /// Attribute to set: NAME=VALUE or NAME:KIND=VALUE. VALUE is a number, true, false, a JSON array
    /// of scalars, or text; of the kind that the documents have of it, unless KIND says otherwise:
    /// string, int, float, bool, timestamp or a form of it, as `ingest --attribute` has them.
    /// Repeatable
    #[arg(long, value_name = "NAME=VALUE", group = "change", value_parser = flags::assignment)]
    set: Vec<Assignment>,
    /// Attribute to remove. Repeatable
    #[arg(long, value_name = "NAME", group = "change")]
    remove: Vec<String>,
    /// A new text; the server makes the vector and latents of it
    #[arg(long, value_name = "TEXT", group = "change", conflicts_with = "filter")]
    text: Option<String>,
    /// Change the document only if it has this version, which `get` shows
    #[arg(long, value_name = "VERSION", conflicts_with = "filter", value_parser = flags::version)]
    expect_version: Option<String>,
    /// Update although the filter tests an attribute that no document has, or of another kind, or no
    /// document has an attribute that is removed
    #[arg(long, requires = "filter")]
    ignore_warnings: bool,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let client = args.client.connect().await?;
    let set_attributes = values(&client, &args.name, &args.set).await?;
    let mut request = UpdateRequest {
        collection: args.name,
        ..UpdateRequest::default()
    };
    match (args.id, args.filter) {
        (Some(id), _) => {
            let expected = args.expect_version.map(|version| (id.clone(), version));
            request.expected_versions = expected.into_iter().collect();
            request.updates = vec![DocumentUpdate {
                id,
                text: args.text,
                set_attributes,
                remove_attributes: args.remove,
                ..DocumentUpdate::default()
            }];
        }
        (None, filter) => {
            request.matching = Some(MatchingUpdate {
                filter: filter.map(search::expression),
                set_attributes,
                remove_attributes: args.remove,
                ignore_warnings: args.ignore_warnings,
            });
        }
    }
    let response = client.documents().update(request).await?.into_inner();
    output::warn(&cut_warning(response.cut_texts));
    output::respond(args.client.json, &response, || {
        format!("updated {}", text::counted(response.upserted, "document"))
    })
}

/// The values to set, of the kinds that the collection has them in.
async fn values(
    client: &Client,
    collection: &str,
    set: &[Assignment],
) -> anyhow::Result<HashMap<String, Value>> {
    let mut values = HashMap::new();
    if set.is_empty() {
        return Ok(values);
    }
    let request = GetCollectionRequest {
        name: collection.to_owned(),
    };
    let found = client.collections().get_collection(request).await?;
    let attributes = found.into_inner().attributes;
    for assignment in set {
        let name = &assignment.name;
        let known = attributes.iter().find(|own| own.name == *name);
        let kinds = known.map_or(&[][..], |known| &known.kinds);
        let value = wire_value(assignment.value(kinds)?);
        if values.insert(name.clone(), value).is_some() {
            return Err(Usage(format!("--set gives the attribute {name:?} twice")).into());
        }
    }
    Ok(values)
}
