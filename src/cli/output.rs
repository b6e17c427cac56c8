//! Writing to standard output, and tables to files.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

use crate::client::ToJson;
use crate::report::Table;

/// Columns that text is cut to if the terminal does not tell.
const COLUMNS: usize = 100;

/// Flags of commands whose result is a table.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct FileArgs {
    /// Write the rows to this file as CSV
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write the rows to this file as Parquet
    #[arg(long, value_name = "FILE")]
    parquet: Option<PathBuf>,
}

impl FileArgs {
    /// True when a file is asked for.
    pub(super) fn any(&self) -> bool {
        self.csv.is_some() || self.parquet.is_some()
    }

    /// Writes the files that are asked for.
    pub(super) fn write(&self, table: &Table) -> anyhow::Result<()> {
        if let Some(path) = &self.csv {
            let written = || anyhow::Ok(table.csv(File::create(path)?)?);
            written().with_context(|| unwritten(path))?;
        }
        if let Some(path) = &self.parquet {
            let written = || anyhow::Ok(table.parquet(File::create(path)?)?);
            written().with_context(|| unwritten(path))?;
        }
        Ok(())
    }
}

fn unwritten(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

/// Writes text as it is. The error of a reader that went away is passed on, not a panic.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') && !text.is_empty() {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Writes one JSON value on one line.
pub(super) fn print_json(value: &Value) -> io::Result<()> {
    print(&value.to_string())
}

/// Writes either form, as `--json` says.
pub(super) fn emit(json: bool, value: &Value, text: &str) -> anyhow::Result<()> {
    Ok(if json { print_json(value) } else { print(text) }?)
}

/// Writes a response of the server: the message itself or, for people, the page.
pub(super) fn respond(
    json: bool,
    response: &impl ToJson,
    page: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    match json {
        true => print_json(&response.to_json())?,
        false => print(&page())?,
    }
    Ok(())
}

/// Writes what makes an answer doubtful, next to it.
pub(super) fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {warning}");
    }
}

/// Columns that a table has: those of the terminal; as many as it takes where the output goes
/// elsewhere.
pub(super) fn table_columns() -> Option<usize> {
    io::stdout().is_terminal().then(columns)
}

/// Columns of the terminal.
pub(super) fn columns() -> usize {
    terminal_size::terminal_size().map_or(COLUMNS, |(width, _)| usize::from(width.0).max(40))
}
