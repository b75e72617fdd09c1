//! One step of a rolling update: grow the new set, or shrink the old ones, within the budget.

use super::budget::Budget;
use super::sets::{Set, Sets};

/// Sizes the sets. Growing comes first; what is to shrink waits for the next pass, which the grown
/// set's status brings about.
pub(super) fn step(sets: &mut Sets<'_>, budget: &Budget) {
    if !size_new(sets, budget) {
        size_old(sets, budget);
    }
}

fn size_new(sets: &mut Sets<'_>, budget: &Budget) -> bool {
    let total = sets.total();
    let Some(new) = &mut sets.new else { return false };
    let wanted = if new.replicas() >= budget.replicas {
        budget.replicas
    } else {
        let room = (budget.most() - total).max(0);
        new.replicas() + room.min(budget.replicas - new.replicas())
    };
    new.scale(wanted)
}

fn size_old(sets: &mut Sets<'_>, budget: &Budget) {
    let new = sets.new.as_ref();
    let new_unavailable = new.map_or(0, |new| new.replicas() - new.status("availableReplicas"));
    // Pods of the new set that are not there yet must not be paid for by old ones.
    let spare = sets.total() - budget.least_available() - new_unavailable;
    if spare <= 0 {
        return;
    }
    drop_unavailable(&mut sets.old, spare);
    let available: i64 = sets.all().map(|set| set.status("availableReplicas")).sum();
    drop_available(&mut sets.old, available - budget.least_available());
}

/// Old pods that serve nobody go first: the budget is about available ones.
fn drop_unavailable(old: &mut [Set], mut spare: i64) {
    for set in old {
        let useless = set.replicas() - set.status("availableReplicas");
        let fewer = useless.clamp(0, spare.max(0));
        set.scale(set.replicas() - fewer);
        spare -= fewer;
    }
}

fn drop_available(old: &mut [Set], mut spare: i64) {
    for set in old {
        let fewer = set.replicas().clamp(0, spare.max(0));
        set.scale(set.replicas() - fewer);
        spare -= fewer;
    }
}
