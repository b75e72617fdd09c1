//! Deployment → ReplicaSets: rolls a new pod template out, keeps old ones for a way back.
//!
//! Follows `pkg/controller/deployment` of Kubernetes step by step, because `kubectl rollout` reads
//! what it leaves behind: revision annotations, conditions, counts.

mod budget;
mod history;
mod proportion;
mod rolling;
mod sets;
mod status;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::action::Outcome;
use super::claim::claim;
use super::object::{Fields, pod_finished, workload_selector};
use crate::kinds::{DEPLOYMENT, REPLICA_SET};
use crate::meta;
use budget::Budget;
use sets::Sets;

/// What a Deployment is decided from.
pub(super) struct Input<'a> {
    /// The Deployment.
    pub(super) deployment: &'a Value,
    /// All ReplicaSets of its namespace.
    pub(super) replica_sets: &'a [Arc<Value>],
    /// All pods of its namespace.
    pub(super) pods: &'a [Arc<Value>],
    /// The time.
    pub(super) now: Timestamp,
}

/// Decides what to do for a Deployment.
pub(super) fn reconcile(input: &Input<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let deployment = input.deployment;
    if workload_selector(deployment).is_none() {
        return outcome;
    }
    let owned =
        claim(&DEPLOYMENT, deployment, &REPLICA_SET, input.replica_sets, &mut outcome.actions);
    let mut sets = Sets::new(deployment, &owned);
    let budget = Budget::of(deployment);
    let mut conditions = status::Conditions::of(deployment, input.now);

    if !meta::is_deleting(deployment) {
        conditions.note_pause(deployment);
        let paused = deployment["spec"]["paused"] == true;
        let scaled = sets.scaled_since_last_pass();
        sets.sync_revision(&mut conditions);
        if paused || scaled {
            proportion::scale(&mut sets, &budget);
            if paused {
                history::clean_up(&mut sets);
            }
        } else if budget.recreate {
            recreate(&mut sets, &budget, &mut conditions, input);
        } else {
            sets.ensure_new(&budget, &mut conditions);
            rolling::step(&mut sets, &budget);
        }
    }
    let status = status::compute(&sets, &budget, conditions, input.now, &mut outcome);
    if status.complete && !meta::is_deleting(deployment) {
        history::clean_up(&mut sets);
    }
    sets.finish(status.status, &mut outcome);
    outcome
}

/// Old pods end before new ones start.
fn recreate(
    sets: &mut Sets<'_>,
    budget: &Budget,
    conditions: &mut status::Conditions,
    input: &Input<'_>,
) {
    let mut scaled_down = false;
    for set in &mut sets.old {
        scaled_down |= set.scale(0);
    }
    if scaled_down || old_pods_remain(sets, input.pods) {
        return;
    }
    sets.ensure_new(budget, conditions);
    if let Some(new) = &mut sets.new {
        new.scale(budget.replicas);
    }
}

fn old_pods_remain(sets: &Sets<'_>, pods: &[Arc<Value>]) -> bool {
    sets.old.iter().any(|set| set.status("replicas") > 0)
        || pods.iter().any(|pod| {
            let owner = meta::controller(pod).map_or("", |owner| owner.text("/uid"));
            !pod_finished(pod) && sets.old.iter().any(|set| set.uid() == owner)
        })
}
