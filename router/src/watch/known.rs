//! Which objects a watch has shown, so that a relist can tell what is gone.

use std::collections::HashMap;

use fairlead_router_core::Key;

/// The objects of one watch and their versions.
#[derive(Debug, Default)]
pub(crate) struct Known {
    objects: HashMap<Key, Entry>,
    listing: u64,
}

#[derive(Debug)]
struct Entry {
    version: Option<u64>,
    /// The list that showed the object last.
    listing: u64,
}

impl Known {
    /// A list begins.
    pub(crate) fn begin(&mut self) {
        self.listing += 1;
    }

    /// Notes that the object is there; whether this version of it is news.
    pub(crate) fn note(&mut self, key: &Key, version: Option<u64>) -> bool {
        let entry = Entry { version, listing: self.listing };
        match self.objects.get_mut(key) {
            Some(known) => {
                let same = version.is_some() && known.version == version;
                *known = entry;
                !same
            }
            None => {
                self.objects.insert(key.clone(), entry);
                true
            }
        }
    }

    /// Notes that the object is gone; whether it was there.
    pub(crate) fn remove(&mut self, key: &Key) -> bool {
        self.objects.remove(key).is_some()
    }

    /// The list is complete: takes out what it did not show.
    pub(crate) fn finish(&mut self) -> Vec<Key> {
        let listing = self.listing;
        self.objects.extract_if(|_, entry| entry.listing != listing).map(|(key, _)| key).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relist_ends_with_what_is_gone_and_repeats_nothing() {
        let key = |name: &str| Key::new("shop", name);
        let mut known = Known::default();
        known.begin();
        assert!(known.note(&key("a"), Some(1)) && known.note(&key("b"), Some(2)));
        assert!(known.finish().is_empty());
        assert!(known.note(&key("c"), Some(3)) && known.note(&key("a"), Some(4)));

        known.begin();
        assert!(!known.note(&key("a"), Some(4)), "nothing new about a");
        assert!(known.note(&key("b"), Some(5)));
        assert_eq!(known.finish(), [key("c")]);
        assert_eq!(known.len(), 2);

        assert!(known.remove(&key("a")) && !known.remove(&key("a")));
        assert!(known.note(&key("b"), None) && known.note(&key("b"), None), "no version: news");
    }
}
