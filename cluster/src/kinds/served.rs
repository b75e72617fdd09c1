//! The kinds that are served: those of the table, and those that were defined at run time.

use super::{KINDS, Kind};
use crate::custom::Version;

/// The kinds that are served, and those that objects are kept as.
#[derive(Debug)]
pub struct Served {
    kinds: Vec<&'static Kind>,
    stored: Vec<&'static Kind>,
}

impl Served {
    /// The kinds of the table, and versions of custom kinds.
    pub(crate) fn with(versions: impl IntoIterator<Item = Version>) -> Self {
        let kept = KINDS.iter().copied().filter(|kind| kind.stored && kind.alias.is_none());
        let mut served = Self { kinds: KINDS.to_vec(), stored: kept.collect() };
        for version in versions {
            served.kinds.extend(version.served.then_some(version.kind));
            served.stored.extend(version.storage.then_some(version.kind));
        }
        // The best version of a group comes first.
        served.kinds[KINDS.len()..].sort_by(|a, b| {
            let order = |kind: &Kind| (kind.group, priority(kind.version), kind.plural);
            order(a).cmp(&order(b))
        });
        served
    }

    /// Whether the same is served, down to the definitions.
    pub(crate) fn is(&self, other: &Self) -> bool {
        let same = |ours: &[&'static Kind], theirs: &[&'static Kind]| {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| a.is(b))
        };
        same(&self.kinds, &other.kinds) && same(&self.stored, &other.stored)
    }

    /// Every kind and version that clients see.
    pub fn kinds(&self) -> impl Iterator<Item = &'static Kind> + use<'_> {
        self.kinds.iter().copied()
    }

    /// Every kind that objects are kept as: one for each resource.
    pub fn stored(&self) -> impl Iterator<Item = &'static Kind> + use<'_> {
        self.stored.iter().copied()
    }

    /// The kind that `apiVersion` and `kind` of an object name.
    pub fn of(&self, api_version: &str, kind: &str) -> Option<&'static Kind> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        self.kinds().find(|k| k.group == group && k.version == version && k.kind == kind)
    }

    /// The kind that a path names.
    pub fn by_path(&self, group: &str, version: &str, plural: &str) -> Option<&'static Kind> {
        self.kinds().find(|k| k.group == group && k.version == version && k.plural == plural)
    }
}

/// Orders versions as Kubernetes does: `v2`, `v1`, `v1beta2`, `v1beta1`, `v1alpha1`, then all others.
fn priority(version: &str) -> impl Ord + use<> {
    use std::cmp::Reverse;
    let parsed = version.strip_prefix('v').and_then(|rest| {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (major, stage) = rest.split_at(digits);
        let (level, minor) = if stage.is_empty() {
            (0, "0")
        } else if let Some(minor) = stage.strip_prefix("beta") {
            (1, minor)
        } else {
            (2, stage.strip_prefix("alpha")?)
        };
        Some((level, Reverse(major.parse::<u32>().ok()?), Reverse(minor.parse::<u32>().ok()?)))
    });
    (parsed.is_none(), parsed, version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_version_comes_first() {
        let mut versions =
            ["foo10", "v1alpha1", "v1", "v3beta1", "v2", "v10", "v1beta2", "foo1", "v1beta10"];
        versions.sort_by_key(|version| priority(version));
        assert_eq!(
            versions,
            ["v10", "v2", "v1", "v3beta1", "v1beta10", "v1beta2", "v1alpha1", "foo1", "foo10"]
        );
    }
}
