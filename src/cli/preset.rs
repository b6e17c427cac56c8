//! `latentdb preset`: steering presets of a collection.

use latentdb_proto::v1::{DropPresetRequest, ListPresetsRequest, Preset, SavePresetRequest};

use super::client::ClientArgs;
use super::concepts::SteerArgs;
use super::failure::Usage;
use super::{output, response};
use crate::report::Table;

/// What is done with presets.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    client: ClientArgs,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Save edits under a name, replacing those of that name
    Save {
        /// The collection
        name: String,
        /// The preset's name
        called: String,
        #[command(flatten)]
        steer: SteerArgs,
    },
    /// List presets
    List {
        /// The collection
        name: String,
    },
    /// Remove a preset
    Drop {
        /// The collection
        name: String,
        /// The preset's name
        called: String,
    },
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let is_json = args.client.json;
    let client = args.client.connect().await?;
    match args.action {
        Action::Save {
            name,
            called,
            steer,
        } => {
            if steer.is_more_than_edits() {
                return Err(Usage(
                    "a preset holds edits: --preset and --consistent belong to a query".to_owned(),
                )
                .into());
            }
            let request = SavePresetRequest {
                collection: name,
                preset: Some(Preset {
                    name: called,
                    edits: steer.edits(),
                }),
            };
            let saved = client.searches().save_preset(request).await?.into_inner();
            output::respond(is_json, &saved, || {
                format!("saved {}: {}", saved.name, response::edits(&saved.edits))
            })
        }
        Action::List { name } => {
            let request = ListPresetsRequest { collection: name };
            let listed = client.searches().list_presets(request).await?.into_inner();
            output::respond(is_json, &listed, || {
                Table::of(&listed.presets)
                    .text("preset", |preset| preset.name.clone())
                    .text("edits", |preset| response::edits(&preset.edits))
                    .build()
                    .page(output::table_columns())
            })
        }
        Action::Drop { name, called } => {
            let request = DropPresetRequest {
                collection: name,
                name: called.clone(),
            };
            let dropped = client.searches().drop_preset(request).await?.into_inner();
            output::respond(is_json, &dropped, || format!("dropped {called}"))
        }
    }
}
