//! Values that take long to open, each opened once.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::Result;

/// Open values by key. Opening one keeps those waiting that want the same, and nobody else.
pub(super) struct Opened<K, V>(Mutex<HashMap<K, Slot<V>>>);

type Slot<V> = Arc<Mutex<Option<V>>>;

impl<K, V> Default for Opened<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Opened<K, V> {
    /// The value of a key, opened where it is not open. Blocks meanwhile.
    pub fn get_or_open(&self, key: &K, open: impl FnOnce() -> Result<V>) -> Result<V> {
        let slot = self.0.lock().entry(key.clone()).or_default().clone();
        let mut value = slot.lock();
        if let Some(value) = &*value {
            return Ok(value.clone());
        }
        match open() {
            Ok(opened) => Ok(value.insert(opened).clone()),
            Err(error) => {
                drop(value);
                // Names that open nothing are not kept.
                self.retain(|other| other != key);
                Err(error)
            }
        }
    }

    /// Keeps an open value under a further key.
    pub fn insert(&self, key: K, value: V) {
        self.0.lock().insert(key, Arc::new(Mutex::new(Some(value))));
    }

    /// The value of a key, if it is open.
    pub fn get(&self, key: &K) -> Option<V> {
        let slot = self.0.lock().get(key).cloned()?;
        // Locked is being opened.
        slot.try_lock().and_then(|value| value.clone())
    }

    /// The values that are open.
    pub fn all(&self) -> Vec<V> {
        let slots = self.0.lock();
        let open = slots.values().filter_map(|slot| slot.try_lock()?.clone());
        open.collect()
    }

    /// Closes the values whose keys are not to be kept.
    pub fn retain(&self, keep: impl Fn(&K) -> bool) {
        self.0.lock().retain(|key, _| keep(key));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::error::Error;

    #[test]
    fn opening_one_keeps_no_other_waiting() {
        let opened = Arc::new(Opened::<&str, u32>::default());
        let (begun, is_begun) = channel();
        let (go, may_go) = channel::<()>();
        let slow = std::thread::spawn({
            let opened = opened.clone();
            move || {
                opened.get_or_open(&"slow", || {
                    begun.send(()).unwrap();
                    may_go.recv().unwrap();
                    Ok(1)
                })
            }
        });
        is_begun.recv().unwrap();
        assert_eq!(opened.get_or_open(&"other", || Ok(2)).unwrap(), 2);
        assert_eq!(opened.get(&"slow"), None);
        go.send(()).unwrap();
        assert_eq!(slow.join().unwrap().unwrap(), 1);
        assert_eq!(opened.get_or_open(&"slow", || Ok(3)).unwrap(), 1);

        let failing = || Err(Error::not_found("nothing"));
        opened.get_or_open(&"none", failing).unwrap_err();
        assert_eq!(
            opened.0.lock().len(),
            2,
            "a name that opens nothing is not kept"
        );
    }
}
