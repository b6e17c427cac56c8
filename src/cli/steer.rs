//! `latentdb steer`.

use crate::cli::flags;
use latentdb_proto::v1::{NearestQuery, SteerRequest, SteerSweepRequest, nearest_query::To};

use super::client::ClientArgs;
use super::concepts::SteerArgs;
use super::names::Names;
use super::search::expression;
use super::{output, response};

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
    /// Without an edit, the latents of the text are shown
    #[command(flatten)]
    steer: SteerArgs,
    /// Search at these strengths of the edits, and show how the hits change
    #[arg(long, value_name = "S,S,..", value_delimiter = ',')]
    sweep: Vec<f32>,
    /// Hits at each strength
    #[arg(long, value_name = "N", default_value_t = 10, requires = "sweep", value_parser = flags::count::<u32>)]
    limit: u32,
    /// Only documents of this filter
    #[arg(long, value_name = "EXPR", requires = "sweep")]
    filter: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let to = match (args.text, args.like) {
        (Some(text), _) => Some(To::Text(text)),
        (None, like) => like.map(To::Document),
    };
    let mut nearest = NearestQuery {
        to,
        ..NearestQuery::default()
    };
    args.steer.apply(&mut nearest);
    let client = args.client.connect().await?;
    if !args.sweep.is_empty() {
        let request = SteerSweepRequest {
            collection: args.name,
            nearest: Some(nearest),
            filter: args.filter.map(expression),
            strengths: args.sweep,
            limit: args.limit,
        };
        let response = client.searches().steer_sweep(request).await?.into_inner();
        output::warn(&response.warnings);
        return output::respond(args.client.json, &response, || response::sweep(&response));
    }
    let request = SteerRequest {
        collection: args.name.clone(),
        nearest: Some(nearest),
    };
    let response = client.searches().steer(request).await?.into_inner();
    let names = match args.client.json {
        true => Names::default(),
        false => Names::read(&client, &args.name).await?,
    };
    let name = |latent: u32, label: &str| names.of(latent, label);
    output::respond(args.client.json, &response, || {
        let steering = response.steering.clone().unwrap_or_default();
        response::steering(&steering, &name, output::columns())
    })
}
