//! Who leads, by a Lease: what the control service does with several replicas.

mod real;
mod target;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{Api, ObjectMeta, PostParams};
use target::{Target, on_both};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

on_both! {
    one_of_two_leads_and_the_other_takes_over,
    a_leader_that_was_replaced_cannot_renew,
}

/// How long who leads may be silent.
const TERM: SignedDuration = SignedDuration::from_secs(4);

/// How often a candidate looks.
const LOOK: Duration = Duration::from_millis(50);

/// Someone who wants to lead.
#[derive(Clone)]
struct Candidate {
    name: &'static str,
    leases: Api<Lease>,
}

impl Candidate {
    fn of(target: &Target, name: &'static str) -> Self {
        Self { name, leases: target.api() }
    }

    fn claim(&self, before: Option<&LeaseSpec>) -> LeaseSpec {
        let mine = before.and_then(|spec| spec.holder_identity.as_deref()) == Some(self.name);
        let taken = before.and_then(|spec| spec.lease_transitions).unwrap_or_default();
        LeaseSpec {
            holder_identity: Some(self.name.to_owned()),
            lease_duration_seconds: i32::try_from(TERM.as_secs()).ok(),
            renew_time: Some(MicroTime(Timestamp::now())),
            lease_transitions: Some(if before.is_some() && !mine { taken + 1 } else { taken }),
            ..LeaseSpec::default()
        }
    }

    /// Takes or renews the lease where that is allowed; tells whether this candidate leads.
    async fn try_lead(&self) -> bool {
        let Some(mut lease) = self.leases.get_opt("leader").await.expect("an answer") else {
            let metadata = ObjectMeta { name: Some("leader".to_owned()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(self.claim(None)) };
            return lost_no_race(self.leases.create(&PostParams::default(), &lease).await);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let silent = spec.renew_time.is_none_or(|time| Timestamp::now() > time.0 + TERM);
        if spec.holder_identity.as_deref() != Some(self.name) && !silent {
            return false;
        }
        lease.spec = Some(self.claim(lease.spec.as_ref()));
        lost_no_race(self.leases.replace("leader", &PostParams::default(), &lease).await)
    }

    async fn until_it_leads(&self) {
        while !self.try_lead().await {
            sleep(LOOK).await;
        }
    }

    async fn lead(self) {
        loop {
            assert!(self.try_lead().await, "{} renews in time", self.name);
            sleep(LOOK).await;
        }
    }
}

/// Of writes that meet, the server takes one.
fn lost_no_race(written: kube::Result<Lease>) -> bool {
    match written {
        Ok(_) => true,
        Err(kube::Error::Api(status)) if status.code == 409 => false,
        Err(error) => panic!("{error}"),
    }
}

async fn one_of_two_leads_and_the_other_takes_over(target: &Target) {
    let (a, b) = (Candidate::of(target, "a"), Candidate::of(target, "b"));
    let leads = tokio::join!(a.try_lead(), b.try_lead());
    let (first, second) = match leads {
        (true, false) => (a, b),
        (false, true) => (b, a),
        other => panic!("one leads: {other:?}"),
    };
    let mut leader = JoinSet::new();
    leader.spawn(first.clone().lead());
    // While the first renews, the second stays behind for longer than a term.
    for _ in 0..(TERM.as_millis() + 500) / i128::try_from(LOOK.as_millis()).expect("small") {
        assert!(!second.try_lead().await, "{} leads", first.name);
        sleep(LOOK).await;
    }
    leader.shutdown().await;
    timeout(Duration::from_secs(30), second.until_it_leads()).await.expect("in time");
    let lease = second.leases.get("leader").await.expect("the lease");
    let spec = lease.spec.expect("a spec");
    assert_eq!(
        (spec.holder_identity.as_deref(), spec.lease_transitions),
        (Some(second.name), Some(1))
    );
}

async fn a_leader_that_was_replaced_cannot_renew(target: &Target) {
    let (a, b) = (Candidate::of(target, "a"), Candidate::of(target, "b"));
    assert!(a.try_lead().await);
    // What the leader read before it stalled.
    let mut stale = a.leases.get("leader").await.expect("the lease");
    timeout(Duration::from_secs(30), b.until_it_leads()).await.expect("in time");
    stale.spec = Some(a.claim(stale.spec.as_ref()));
    let renewed = a.leases.replace("leader", &PostParams::default(), &stale).await;
    assert!(
        matches!(renewed, Err(kube::Error::Api(status)) if status.code == 409 && status.reason == "Conflict")
    );
}
