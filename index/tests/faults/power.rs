//! What a power cut leaves of a data directory: the contents that were synced, the names that their
//! directories' syncs made durable, and of everything since then any part, in any order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use latentdb_index::Step;
use rand::RngExt;
use rand::rngs::StdRng;

/// Bytes that reach a disk as one.
const PAGE: usize = 4096;

/// A name in a directory: what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    inode: u64,
    is_directory: bool,
}

type Entries = BTreeMap<OsString, Entry>;

/// What of a data directory is durable.
#[derive(Default)]
pub struct Power {
    /// Contents by inode. The file stays open, so that no other gets its number.
    synced: HashMap<u64, (File, Vec<u8>)>,
    entries: HashMap<PathBuf, Entries>,
}

fn list(directory: &Path) -> Entries {
    // A directory that was removed has no names.
    let Ok(read) = fs::read_dir(directory) else {
        return Entries::new();
    };
    let entries = read.filter_map(|entry| {
        let entry = entry.unwrap();
        // So may an entry be by now.
        let metadata = fs::symlink_metadata(entry.path()).ok()?;
        let known = Entry {
            inode: metadata.ino(),
            is_directory: metadata.is_dir(),
        };
        Some((entry.file_name(), known))
    });
    entries.collect()
}

impl Power {
    /// All of a directory is durable.
    pub fn of(directory: &Path) -> Self {
        let mut power = Self::default();
        power.sync_all(directory);
        power
    }

    fn sync_all(&mut self, directory: &Path) {
        let entries = list(directory);
        for (name, entry) in &entries {
            let path = directory.join(name);
            match entry.is_directory {
                true => self.sync_all(&path),
                false => self.sync(&path),
            }
        }
        self.entries.insert(directory.to_owned(), entries);
    }

    fn sync(&mut self, path: &Path) {
        let mut file = File::open(path).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        file.rewind().unwrap();
        let inode = file.metadata().unwrap().ino();
        self.synced.insert(inode, (file, bytes));
    }

    /// A step that is about to be taken.
    pub fn note(&mut self, step: Step, path: &Path) {
        match step {
            Step::Sync => {
                // Of a file that is replaced it is the draft.
                let draft = draft_of(path);
                self.sync(draft.as_deref().unwrap_or(path));
            }
            Step::SyncDirectory => {
                self.entries.insert(path.to_owned(), list(path));
            }
            _ => {}
        }
    }

    /// Writes to `target` what a cut leaves of `directory`.
    pub fn cut(&self, directory: &Path, target: &Path, random: &mut StdRng) {
        let none = Entries::new();
        let durable = self.entries.get(directory).unwrap_or(&none);
        let current = list(directory);
        let names: BTreeSet<&OsString> = durable.keys().chain(current.keys()).collect();
        for name in names {
            let (old, new) = (durable.get(name), current.get(name));
            let Some(entry) = (if random.random() { old } else { new }) else {
                continue;
            };
            let (from, to) = (directory.join(name), target.join(name));
            if entry.is_directory {
                fs::create_dir(&to).unwrap();
                self.cut(&from, &to, random);
            } else {
                let now = (new == Some(entry)).then(|| fs::read(&from).unwrap());
                fs::write(to, self.content(entry.inode, now, random)).unwrap();
            }
        }
    }

    /// What is left of a file: of the pages that were written since it was synced, any.
    fn content(&self, inode: u64, now: Option<Vec<u8>>, random: &mut StdRng) -> Vec<u8> {
        let synced = self.synced.get(&inode).map(|(_, bytes)| bytes.as_slice());
        let synced = synced.unwrap_or_default();
        let Some(now) = now.filter(|now| now != synced) else {
            return synced.to_vec();
        };
        let length = if random.random() {
            synced.len()
        } else {
            now.len()
        };
        let mut left = vec![0; length];
        for at in (0..length).step_by(PAGE) {
            let from = if random.random() { synced } else { &now };
            let end = length.min(at + PAGE).min(from.len());
            if at < end {
                left[at..end].copy_from_slice(&from[at..end]);
            }
        }
        left
    }
}

/// The latest draft of a file that is being replaced.
fn draft_of(path: &Path) -> Option<PathBuf> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let entries = fs::read_dir(path.parent()?).ok()?.flatten();
    let number = |entry: &fs::DirEntry| -> Option<u64> {
        let own = entry.file_name().to_string_lossy().into_owned();
        let rest = own.strip_prefix(&name)?.strip_prefix('.')?;
        rest.strip_suffix(".draft")?.parse().ok()
    };
    let drafts = entries.filter_map(|entry| Some((number(&entry)?, entry.path())));
    drafts.max().map(|(_, path)| path)
}
