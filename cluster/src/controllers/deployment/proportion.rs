//! Scaling a Deployment: in the middle of a rollout each set gets its share, so that a bad new
//! version does not grow faster than the good old one.

use std::cmp::Reverse;

use super::budget::Budget;
use super::sets::{DESIRED, MAX, Set, Sets};

/// Sizes the sets to `spec.replicas`.
pub(super) fn scale(sets: &mut Sets<'_>, budget: &Budget) {
    let active = sets.all().filter(|set| set.replicas() > 0).count();
    if active <= 1 {
        if let Some(set) = only(sets) {
            set.scale(budget.replicas);
        }
        return;
    }
    if sets.new.as_ref().is_some_and(|new| saturated(new, budget)) {
        for set in &mut sets.old {
            set.scale(0);
        }
        return;
    }
    if !budget.recreate {
        share(sets, budget);
    }
}

/// The one active set; where there is none, the new one, else the latest.
fn only<'s>(sets: &'s mut Sets<'_>) -> Option<&'s mut Set> {
    if sets.old.iter().any(|set| set.replicas() > 0) {
        return sets.old.iter_mut().find(|set| set.replicas() > 0);
    }
    if sets.new.is_some() { sets.new.as_mut() } else { sets.old.last_mut() }
}

fn saturated(new: &Set, budget: &Budget) -> bool {
    new.replicas() == budget.replicas
        && new.number(DESIRED) == Some(budget.replicas)
        && new.status("availableReplicas") == budget.replicas
}

fn share(sets: &mut Sets<'_>, budget: &Budget) {
    let known = sets.deployment["status"]["replicas"].as_i64().unwrap_or_default();
    let allowed = if budget.replicas > 0 { budget.most() } else { 0 };
    let change = allowed - sets.total();
    let mut active: Vec<&mut Set> = sets.all_mut().filter(|set| set.replicas() > 0).collect();
    // Old sets come before the new one. The largest goes first; among equals the newest when
    // growing, the oldest when shrinking.
    if change > 0 {
        active.reverse();
    }
    active.sort_by_key(|set| Reverse(set.replicas()));

    let mut given = 0;
    let mut sizes = Vec::with_capacity(active.len());
    for set in &active {
        let fair = fraction(set, budget, known);
        let part = if change > 0 {
            fair.min(change - given).max(0)
        } else {
            fair.max(change - given).min(0)
        };
        given += part;
        sizes.push(set.replicas() + part);
    }
    if let Some(first) = sizes.first_mut() {
        *first = (*first + change - given).max(0);
    }
    for (set, size) in active.into_iter().zip(sizes) {
        set.scale(size);
    }
}

/// By how much a set would change if it kept its share of the whole.
fn fraction(set: &Set, budget: &Budget, known: i64) -> i64 {
    if budget.replicas == 0 {
        return -set.replicas();
    }
    let before = set.number(MAX).filter(|max| *max > 0).unwrap_or(known);
    if before <= 0 {
        return 0;
    }
    let scaled = set.replicas().saturating_mul(budget.most());
    // Rounded to nearest, halves up.
    (scaled.saturating_mul(2) + before) / (before * 2) - set.replicas()
}
