//! Writing to standard output.

use std::io::{self, Write as _};

use serde_json::Value;

/// Columns that text is cut to where the terminal does not tell.
const COLUMNS: usize = 100;

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
pub(super) fn emit(json: bool, value: &Value, text: &str) -> io::Result<()> {
    if json { print_json(value) } else { print(text) }
}

/// Columns of the terminal.
pub(super) fn columns() -> usize {
    terminal_size::terminal_size().map_or(COLUMNS, |(width, _)| usize::from(width.0).max(40))
}
