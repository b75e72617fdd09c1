//! Old ReplicaSets beyond `spec.revisionHistoryLimit` are deleted.

use super::sets::Sets;
use crate::controllers::object::Fields;
use crate::meta;

/// Marks the oldest sets that are no longer used for deletion.
pub(super) fn clean_up(sets: &mut Sets<'_>) {
    let limit = sets.deployment.int("/spec/revisionHistoryLimit").unwrap_or(10);
    let mut kept: Vec<_> =
        sets.old.iter_mut().filter(|set| !meta::is_deleting(set.object())).collect();
    kept.sort_by_key(|set| set.revision());
    let surplus = kept.len().saturating_sub(usize::try_from(limit).unwrap_or_default());
    for set in kept.into_iter().take(surplus) {
        let seen = set.status("observedGeneration") >= meta::generation(set.object());
        if seen && set.replicas() == 0 && set.status("replicas") == 0 {
            set.delete();
        }
    }
}
