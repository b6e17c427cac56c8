//! Where records come from, and how reading them fails.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, Read, Seek as _};
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Result};

/// The largest record that is read, in bytes: what keeps memory bounded on broken input (a file
/// without line ends, a quote that never closes). Unit tests of the limit have a smaller one.
pub const MAX_RECORD_BYTES: usize = if cfg!(test) { 1 << 20 } else { 256 << 20 };

/// A source of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    Path(PathBuf),
    /// Standard input, written `-` on the command line.
    Stdin,
}

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        Self::from(Path::new(text))
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        if path == Path::new("-") {
            Self::Stdin
        } else {
            Self::Path(path.to_owned())
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// Opens a file for reading, with errors that name it.
pub(super) fn open_file(path: &Path) -> Result<File> {
    let file = File::open(path).map_err(|error| {
        let shown = path.display();
        match error.kind() {
            io::ErrorKind::NotFound => Error::not_found(format!("there is no file {shown}")),
            _ => Error::new(
                ErrorKind::FailedPrecondition,
                format!("cannot open {shown}"),
            )
            .with_source(error),
        }
    })?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Error::invalid(
            "source",
            format!("{} is a folder; wanted is a file", path.display()),
        ));
    }
    Ok(file)
}

/// The error of a source that stopped being readable.
pub(super) fn read_error(name: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Corrupted, format!("cannot read {name}")).with_source(error)
}

/// The input of the text formats.
pub(super) type TextReader = Box<dyn BufRead + Send>;

/// The source as a file that is read from its end: `direct` where that is a plain file, else a
/// temporary copy of `content`.
pub(super) fn seekable(direct: Option<File>, mut content: impl Read, name: &str) -> Result<File> {
    // A named pipe opens like a file and has no end to read from.
    let is_seekable = |file: &File| file.metadata().is_ok_and(|metadata| metadata.is_file());
    if let Some(file) = direct.filter(is_seekable) {
        return Ok(file);
    }
    let mut copy = tempfile::tempfile()?;
    io::copy(&mut content, &mut copy).map_err(|error| read_error(name, error))?;
    copy.rewind()?;
    Ok(copy)
}
