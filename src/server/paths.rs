//! Messages without the places of the server's files: clients are told which file of the data directory
//! something is about, not where the directory lies (issue 15).

use std::path::Path;

use parking_lot::RwLock;

/// Directories of the servers of this process, each with what clients are told in place of it.
static PRIVATE: RwLock<Vec<(String, &str)>> = RwLock::new(Vec::new());

/// Keeps the place of a directory from clients, as it is given and as it lies; `told` stands for it.
pub(super) fn keep_private(directory: &Path, told: &'static str) {
    let whole = directory.canonicalize().ok();
    let absolute = std::path::absolute(directory).ok();
    let mut private = PRIVATE.write();
    for path in [whole, absolute].into_iter().flatten() {
        let path = path.to_string_lossy().into_owned();
        let is_root = path.len() <= 1;
        if !is_root && !private.iter().any(|(known, _)| *known == path) {
            private.push((path, told));
        }
    }
    // Those inside others first.
    private.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
}

/// A message as clients are told it.
pub(super) fn without_places(mut message: String) -> String {
    for (path, told) in PRIVATE.read().iter() {
        if message.contains(path.as_str()) {
            message = message.replace(&format!("{path}/"), "");
            message = message.replace(path.as_str(), told);
        }
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_without_their_directory() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        keep_private(&data, "the data directory");
        let told = |text: &str| without_places(text.replace("DATA", &data.to_string_lossy()));
        assert_eq!(
            told("DATA/collections/a is damaged"),
            "collections/a is damaged"
        );
        assert_eq!(
            told("the disk of DATA is full"),
            "the disk of the data directory is full"
        );
    }
}
