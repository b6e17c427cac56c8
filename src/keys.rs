//! API keys of a server: names, roles and the hashes of secrets, in a file of the data directory
//! that the command line writes and a running server reads again.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono::{SecondsFormat, Utc};
use rand::TryRng as _;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::error::{Error, Result};
use crate::hex::hex;
use crate::stamp::{Stamp, stamp_of};

/// The file, in the data directory.
pub const FILE: &str = "keys.json";
/// What each secret begins with.
pub const SECRET_PREFIX: &str = "ldb_";
/// The file that is locked while keys change.
const LOCK: &str = "keys.lock";
/// Longest name of a key, in bytes.
const MAX_NAME: usize = 128;

/// What a key may do; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Search, count, read documents, run analyses.
    Read,
    /// Change documents, labels, sets, presets and families.
    Write,
    /// Create and drop collections, attach, train and upload SAEs, name models of the server.
    Admin,
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its name, once among the keys.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The collections that it is for; all where there are none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub collections: BTreeSet<String>,
    /// SHA-256 of its secret, which has 256 random bits.
    sha256: String,
    /// When it was made, as RFC 3339.
    pub created: String,
}

/// The keys of a data directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    keys: Vec<Key>,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        })
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        [Self::Read, Self::Write, Self::Admin]
            .into_iter()
            .find(|role| role.to_string() == name)
            .ok_or_else(|| {
                Error::invalid(
                    "role",
                    format!("is {name:?}; read, write or admin is accepted"),
                )
            })
    }
}

/// What somebody may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub name: String,
    /// What.
    pub role: Role,
    /// On which collections; on all where there are none.
    pub collections: BTreeSet<String>,
}

impl Grant {
    /// Whether it is for a collection.
    pub fn is_for(&self, collection: &str) -> bool {
        self.collections.is_empty() || self.collections.contains(collection)
    }
}

impl Key {
    /// What its holder may do.
    pub fn grant(&self) -> Grant {
        Grant {
            name: self.name.clone(),
            role: self.role,
            collections: self.collections.clone(),
        }
    }
}

impl Keys {
    /// The keys of a data directory; `None` where none was ever made.
    ///
    /// # Errors
    /// `Corrupted` where the file cannot be understood.
    pub fn load(data: &Path) -> Result<Option<Self>> {
        let path = data.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let keys = serde_json::from_str(&text).map_err(|error| {
            let message = format!("{} is no file of keys", path.display());
            Error::corrupted(message).with_source(error)
        })?;
        Ok(Some(Self { keys }))
    }

    /// Changes the keys of a data directory: no two changes at once.
    ///
    /// # Errors
    /// Those of [`Self::load`], of the change, and of [`Self::save`]; then nothing has changed.
    pub fn change<T>(data: &Path, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        fs::create_dir_all(data)?;
        let lock = File::create(data.join(LOCK))?;
        lock.lock()?;
        let mut keys = Self::load(data)?.unwrap_or_default();
        let changed = change(&mut keys)?;
        keys.save(data)?;
        Ok(changed)
    }

    /// Writes the keys, for their owner alone, in place of those that were there.
    ///
    /// # Errors
    /// `Internal` where the directory cannot be written.
    pub fn save(&self, data: &Path) -> Result<()> {
        fs::create_dir_all(data)?;
        let mut file = tempfile::NamedTempFile::new_in(data)?;
        serde_json::to_writer_pretty(&mut file, &self.keys)
            .map_err(|error| Error::internal("keys are not JSON").with_source(error))?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        file.persist(data.join(FILE)).map_err(|error| error.error)?;
        File::open(data)?.sync_all()?;
        Ok(())
    }

    /// Makes a key and returns its secret, which is kept nowhere.
    ///
    /// ```
    /// use latentdb::keys::{Keys, Role};
    ///
    /// let mut keys = Keys::default();
    /// let secret = keys.create("reports", Role::Read, ["demo".to_owned()])?;
    /// let found = keys.find(&secret).unwrap().grant();
    /// assert!(found.is_for("demo") && !found.is_for("other"));
    /// assert!(keys.find("ldb_guess").is_none());
    /// # Ok::<(), latentdb::error::Error>(())
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` for a malformed name, `AlreadyExists` for one that is taken.
    pub fn create(
        &mut self,
        name: &str,
        role: Role,
        collections: impl IntoIterator<Item = String>,
    ) -> Result<String> {
        let accepted = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(accepted) {
            return Err(Error::invalid(
                "name",
                format!("is {name:?}; letters, digits, _ - and . are accepted, at most {MAX_NAME}"),
            ));
        }
        if self.keys.iter().any(|key| key.name == name) {
            let message = format!("there is a key {name:?}; revoke it, or take another name");
            return Err(Error::new(crate::error::ErrorKind::AlreadyExists, message));
        }
        let mut random = [0; 32];
        SysRng.try_fill_bytes(&mut random).map_err(|error| {
            Error::internal("the system gives no random bytes").with_source(error)
        })?;
        let secret = format!("{SECRET_PREFIX}{}", hex(random));
        self.keys.push(Key {
            name: name.to_owned(),
            role,
            collections: collections.into_iter().collect(),
            sha256: hex(Sha256::digest(&secret)),
            created: Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true),
        });
        Ok(secret)
    }

    /// Takes a key away.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn revoke(&mut self, name: &str) -> Result<()> {
        let before = self.keys.len();
        self.keys.retain(|key| key.name != name);
        match self.keys.len() == before {
            true => Err(Error::not_found(format!("there is no key {name:?}"))),
            false => Ok(()),
        }
    }

    /// All keys, in the order in which they were made.
    pub fn all(&self) -> &[Key] {
        &self.keys
    }

    /// Whether a key is among them as it is.
    pub fn has(&self, key: &Key) -> bool {
        self.keys.contains(key)
    }

    /// The key of a secret. Every key is compared, each in the same time.
    pub fn find(&self, secret: &str) -> Option<&Key> {
        let hash = hex(Sha256::digest(secret));
        let mut found = None;
        for key in &self.keys {
            if bool::from(key.sha256.as_bytes().ct_eq(hash.as_bytes())) {
                found = Some(key);
            }
        }
        found
    }
}

/// The keys of a running server: read again when their file has changed.
#[derive(Debug)]
pub struct WatchedKeys {
    data: PathBuf,
    seen: parking_lot::Mutex<Seen>,
}

/// What a file of keys was when it was read.
#[derive(Debug, Default)]
struct Seen {
    stamp: Option<Stamp>,
    keys: Option<std::sync::Arc<Keys>>,
}

impl WatchedKeys {
    /// Those of a data directory.
    ///
    /// # Errors
    /// Those of [`Keys::load`].
    pub fn open(data: &Path) -> Result<Self> {
        let watched = Self {
            data: data.to_owned(),
            seen: parking_lot::Mutex::default(),
        };
        watched.current()?;
        Ok(watched)
    }

    /// The keys as they are now; `None` where none was ever made.
    ///
    /// # Errors
    /// `Corrupted` where the file cannot be understood: nobody is let in then.
    pub fn current(&self) -> Result<Option<std::sync::Arc<Keys>>> {
        let mut seen = self.seen.lock();
        let stamp = match fs::metadata(self.data.join(FILE)) {
            Ok(file) if !file.is_file() => {
                let message = format!("{FILE} of the data directory is no file");
                return Err(Error::corrupted(message));
            }
            Ok(file) => Some(stamp_of(&file)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        // Keys that were there once are not forgotten because their file has gone.
        if stamp.is_none() && seen.keys.is_some() {
            return Ok(seen.keys.clone());
        }
        if stamp != seen.stamp || (stamp.is_some() && seen.keys.is_none()) {
            seen.keys = Keys::load(&self.data)?.map(std::sync::Arc::new);
            seen.stamp = stamp;
        }
        Ok(seen.keys.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_as_hashes_and_read_again_when_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let watched = WatchedKeys::open(folder.path()).unwrap();
        assert_eq!(watched.current().unwrap(), None);
        let mut keys = Keys::default();
        let secret = keys.create("a", Role::Write, []).unwrap();
        keys.save(folder.path()).unwrap();
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!text.contains(&secret));
        assert_eq!(Keys::load(folder.path()).unwrap().unwrap(), keys);
        let found = watched.current().unwrap().unwrap();
        assert_eq!(found.find(&secret).unwrap().role, Role::Write);

        keys.create("b", Role::Read, ["c".to_owned()]).unwrap();
        keys.revoke("a").unwrap();
        keys.save(folder.path()).unwrap();
        assert!(watched.current().unwrap().unwrap().find(&secret).is_none());
        keys.revoke("b").unwrap();
        keys.save(folder.path()).unwrap();
        assert!(watched.current().unwrap().unwrap().all().is_empty());
        fs::remove_file(folder.path().join(FILE)).unwrap();
        assert!(watched.current().unwrap().is_some());
        fs::write(folder.path().join(FILE), "[{").unwrap();
        assert!(watched.current().is_err());
    }

    #[test]
    fn changes_at_once_are_all_made() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for at in 0..16 {
                let data = folder.path();
                scope.spawn(move || {
                    let create = |keys: &mut Keys| keys.create(&format!("k{at}"), Role::Read, []);
                    Keys::change(data, create).unwrap();
                });
            }
        });
        assert_eq!(Keys::load(folder.path()).unwrap().unwrap().all().len(), 16);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        Keys::default().save(folder.path()).unwrap();
        let file = fs::metadata(folder.path().join(FILE)).unwrap();
        assert_eq!(file.permissions().mode() & 0o077, 0);
    }

    #[test]
    fn names_are_unique_and_plain() {
        let mut keys = Keys::default();
        keys.create("a", Role::Read, []).unwrap();
        assert!(keys.create("a", Role::Read, []).is_err());
        for name in ["", "a b", "ä"] {
            assert!(keys.create(name, Role::Read, []).is_err());
        }
        assert!(keys.revoke("c").is_err());
        assert!("owner".parse::<Role>().is_err());
    }
}
