//! `latentdb preset`: steering presets of a collection.

use latentdb_proto::v1::{DropPresetRequest, ListPresetsRequest, Preset, SavePresetRequest};
use serde_json::{Value, json};

use super::client::ClientArgs;
use super::concepts::SteerArgs;
use super::failure::Usage;
use super::{concept_output, output, text};

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
            let line = format!(
                "saved {}: {}",
                saved.name,
                concept_output::edits_text(&saved.edits)
            );
            output::emit(is_json, &shown(&saved), &line)?;
        }
        Action::List { name } => {
            let request = ListPresetsRequest { collection: name };
            let listed = client.searches().list_presets(request).await?.into_inner();
            let values: Vec<Value> = listed.presets.iter().map(shown).collect();
            let rows: Vec<Vec<String>> = listed
                .presets
                .iter()
                .map(|preset| {
                    vec![
                        preset.name.clone(),
                        concept_output::edits_text(&preset.edits),
                    ]
                })
                .collect();
            let table = text::table(&["preset", "edits"], &rows);
            output::emit(is_json, &json!({"presets": values}), &table)?;
        }
        Action::Drop { name, called } => {
            let request = DropPresetRequest {
                collection: name,
                name: called.clone(),
            };
            client.searches().drop_preset(request).await?;
            output::emit(
                is_json,
                &json!({"dropped": called}),
                &format!("dropped {called}"),
            )?;
        }
    }
    Ok(())
}

fn shown(preset: &Preset) -> Value {
    json!({"name": preset.name, "edits": concept_output::edits_json(&preset.edits)})
}
