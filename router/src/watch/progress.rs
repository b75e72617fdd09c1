//! How far the changes of one kind are in effect.

use std::collections::{BTreeSet, HashMap};

use fairlead_router_core::Key;

/// An object's resourceVersion, where it could be read as a number.
pub(crate) type Version = Option<u64>;

/// Versions come in order; some wait for something while later ones go on.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    latest: Version,
    pending: BTreeSet<(Version, Key)>,
    versions: HashMap<Key, Version>,
}

impl Progress {
    /// A version came.
    pub(crate) fn take(&mut self, version: Version) {
        self.latest = self.latest.max(version);
    }

    /// What came for `key` in `version` is not in effect yet; it replaces what came before.
    pub(crate) fn hold(&mut self, key: &Key, version: Version) {
        self.release(key);
        self.versions.insert(key.clone(), version);
        self.pending.insert((version, key.clone()));
    }

    /// What came for `key` is in effect, or nobody wants it any more.
    pub(crate) fn release(&mut self, key: &Key) {
        if let Some((key, version)) = self.versions.remove_entry(key) {
            self.pending.remove(&(version, key));
        }
    }

    /// The version up to which everything is in effect.
    pub(crate) fn settled(&self) -> Version {
        match self.pending.first() {
            Some((version, _)) => version.map(|version| version.saturating_sub(1)),
            None => self.latest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_holds_back_the_count_and_not_the_others() {
        let key = |name: &str| Key::new("shop", name);
        let mut progress = Progress::default();
        assert_eq!(progress.settled(), None);
        for version in [3, 5, 7, 9] {
            progress.take(Some(version));
        }
        assert_eq!(progress.settled(), Some(9));
        progress.hold(&key("a"), Some(5));
        progress.hold(&key("b"), Some(7));
        assert_eq!(progress.settled(), Some(4));
        progress.hold(&key("a"), Some(9));
        assert_eq!(progress.settled(), Some(6), "only the newest of a matters");
        progress.release(&key("b"));
        assert_eq!(progress.settled(), Some(8));
        progress.release(&key("a"));
        progress.release(&key("a"));
        assert_eq!(progress.settled(), Some(9));
    }
}
