//! `latentdb steer`.

use latentdb_proto::v1::{NearestQuery, SteerEdit, SteerRequest, nearest_query::To};

use super::client::ClientArgs;
use super::{flags, json, output, text};

/// What is steered, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The collection
    name: String,
    /// The text whose vector is steered
    #[arg(required_unless_present = "like")]
    text: Option<String>,
    /// Steer the vector of this stored document instead
    #[arg(long, value_name = "ID", conflicts_with = "text")]
    like: Option<String>,
    /// The edits: ID=+A or ID=-A adds the latent's direction, ID*F scales, ID:=V sets, ID=0 or
    /// ID:zero zeroes its activation. Without one, the latents of the text are shown
    #[arg(long, value_name = "EDIT", value_parser = flags::steer_edit)]
    steer: Vec<SteerEdit>,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let to = match (args.text, args.like) {
        (Some(text), _) => Some(To::Text(text)),
        (None, like) => like.map(To::Document),
    };
    let request = SteerRequest {
        collection: args.name,
        nearest: Some(NearestQuery {
            to,
            steer: args.steer,
            ..NearestQuery::default()
        }),
    };
    let client = args.client.connect().await?;
    let response = client.searches().steer(request).await?.into_inner();
    let steering = response.steering.unwrap_or_default();
    output::emit(
        args.client.json,
        &json::steering(&steering),
        &text::steering(&steering, &text::label, output::columns()),
    )?;
    Ok(())
}
