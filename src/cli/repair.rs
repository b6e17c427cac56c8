//! `latentdb repair`: a catalog from the collections that it named.

use std::path::PathBuf;

use latentdb_index::repair;
use serde_json::json;

use super::{output, text};

/// What is repaired.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Data directory of a server that is stopped
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// Print JSON, errors included
    #[arg(long, help_heading = "Output")]
    json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let repaired = repair(&args.data)?;
    let mut page = format!(
        "the catalog names {} again: {}\n",
        text::counted(repaired.collections.len() as u64, "collection"),
        repaired.collections.join(", ")
    );
    for left in &repaired.left {
        page += &format!("no record in {}\n", left.display());
    }
    if let Some(former) = &repaired.former {
        page += &format!("the former catalog is {}\n", former.display());
    }
    page += if repaired.has_backup {
        "labels, saved sets, presets and families are those of the server's last start\n"
    } else {
        "labels, saved sets, presets and families were in the former catalog alone and are gone\n"
    };
    let value = json!({
        "collections": repaired.collections, "left": repaired.left, "former": repaired.former,
        "has_backup": repaired.has_backup,
    });
    output::emit(args.json, &value, &page)?;
    Ok(())
}
