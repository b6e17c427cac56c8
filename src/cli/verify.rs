//! `latentdb verify`: whether the files of a data directory are as they were written.

use std::path::PathBuf;

use anyhow::bail;
use latentdb_index::Damaged;
use serde_json::{Value, json};

use super::{output, text};
use crate::report::Table;
use crate::verify::verify;

/// What is checked.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Data directory of a server that is stopped
    #[arg(value_name = "DIR")]
    data: PathBuf,
    /// Also hold postings against rows and vectors against their codes, and look up every document
    #[arg(long)]
    deep: bool,
    /// Print JSON, errors included
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Ends with an error where anything is damaged.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let found = verify(&args.data, args.deep)?;
    let row = |one: &Damaged| -> Value {
        json!({"collection": one.collection, "path": one.path, "problem": one.problem})
    };
    let value = json!({
        "collections": found.collections, "files": found.files, "bytes": found.bytes,
        "damage": found.damage.iter().map(row).collect::<Vec<_>>(),
    });
    let mut page = format!(
        "{}: {}, {}, {}\n",
        args.data.display(),
        text::counted(found.collections, "collection"),
        text::counted(found.files, "file"),
        text::bytes(found.bytes)
    );
    if found.damage.is_empty() {
        page += "nothing is damaged\n";
    } else {
        let table = Table::of(&found.damage)
            .text("collection", |one| one.collection.clone())
            .text("problem", |one| one.problem.clone())
            .text("path", |one| one.path.display().to_string());
        page += &table.build().page(output::table_columns());
    }
    output::emit(args.json, &value, &page)?;
    match found.damage.len() {
        0 => Ok(()),
        1 => bail!("1 file is damaged"),
        count => bail!("{count} files are damaged"),
    }
}
