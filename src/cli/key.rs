//! `latentdb key`: API keys of a data directory; a running server reads them again.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::output;
use crate::keys::{Keys, Role};

/// What is done to keys.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
    /// Print JSON, errors included
    #[arg(long, global = true, help_heading = "Output")]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key and print its secret, once
    Create {
        /// Name of the key
        name: String,
        /// What it may do: read, write or admin
        #[arg(long, value_name = "ROLE")]
        role: Role,
        /// Only for this collection; repeat for more
        #[arg(long = "collection", value_name = "NAME")]
        collections: Vec<String>,
        #[command(flatten)]
        place: Place,
    },
    /// List the keys, without their secrets
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Take a key away
    Revoke {
        /// Name of the key
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, clap::Args)]
struct Place {
    /// Data directory of the server, which may be running
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Create {
            name,
            role,
            collections,
            place,
        } => {
            let secret = Keys::change(&place.data, |keys| {
                keys.create(name, *role, collections.iter().cloned())
            })?;
            let value =
                json!({"name": name, "role": role, "collections": collections, "secret": secret});
            let page = format!(
                "{secret}\nthe secret of the key {name:?} is shown this once; with a key there, every \
                 call takes one\n"
            );
            output::emit(args.json, &value, &page)?;
        }
        Command::List { place } => {
            let keys = Keys::load(&place.data)?.unwrap_or_default();
            let mut page = String::new();
            for key in keys.all() {
                let collections: Vec<&str> = key.collections.iter().map(String::as_str).collect();
                let of = match collections.is_empty() {
                    true => "all collections".to_owned(),
                    false => collections.join(", "),
                };
                page += &format!("{}  {}  {of}  {}\n", key.name, key.role, key.created);
            }
            let keys: Vec<_> = keys
                .all()
                .iter()
                .map(|key| {
                    json!({
                        "name": key.name, "role": key.role, "collections": key.collections,
                        "created": key.created,
                    })
                })
                .collect();
            output::emit(args.json, &json!({"keys": keys}), &page)?;
        }
        Command::Revoke { name, place } => {
            Keys::change(&place.data, |keys| keys.revoke(name))?;
            output::emit(
                args.json,
                &json!({"revoked": name}),
                &format!("revoked {name}\n"),
            )?;
        }
    }
    Ok(())
}
