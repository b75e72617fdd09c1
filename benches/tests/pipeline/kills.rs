//! `kill -9` while logs are rotated.

use std::collections::BTreeSet;
use std::time::Duration;

use fairlead_benches::logs::{
    Rotation, Truth,
    checker::{GapFault, Verdict},
};
use fairlead_test_support::{figure, soaking};
use tokio::time::sleep;

use super::world::{Following, World};

#[derive(Clone, Copy)]
enum Victim {
    Shipper,
    Logd,
}

/// How long one is away, and what happens meanwhile. Files go when they are rotated the fifth time
/// after they were begun.
#[derive(Clone, Copy)]
struct Absence {
    seconds: u64,
    /// At least.
    rotations: u64,
    rotation: Rotation,
    /// Lines a second.
    rate: u64,
    /// It begins when all that was written is shown, and the shipper keeps no deleted files open. What a
    /// logd has acknowledged and not yet shown is gone with it where files no longer have it, and is no
    /// gap in them.
    quiet: bool,
}

impl Absence {
    const fn new(seconds: u64, rotations: u64, rotation: Rotation, rate: u64) -> Self {
        Self { seconds, rotations, rotation, rate, quiet: false }
    }

    /// Files reach back.
    fn short() -> Self {
        if soaking() {
            Self::new(2, 1, Rotation::every(1, 1), 20_000)
        } else {
            Self::new(2, 1, Rotation::at(512, Duration::from_secs(2)), 5_000)
        }
    }

    /// Files reach back.
    fn long() -> Self {
        if soaking() {
            Self::new(15, 2, Rotation::every(8, 6), 20_000)
        } else {
            Self::new(6, 2, Rotation::at(256, Duration::from_secs(3)), 2_000)
        }
    }

    /// Files do not reach back.
    fn too_long() -> Self {
        if soaking() {
            Self::new(15, 6, Rotation::every(1, 1), 20_000)
        } else {
            Self::new(0, 6, Rotation::at(256, Duration::from_secs(1)), 4_000)
        }
    }
}

/// Kills a process, waits, starts it again, and lets the rest go on. In the end logd has what the node's
/// files hold.
async fn killed(test: &str, victim: Victim, absence: Absence) -> (Verdict, String) {
    let flags: &[_] = if absence.quiet { &["--held", "0"] } else { &[] };
    let (mut world, following) = World::running(absence.rotation, 2, flags).await;
    world.node.rate(absence.rate);
    world.rotations(0, 1).await;
    let before = world.node.rotations(0);
    if absence.quiet {
        world.shown(&following).await;
    }
    match victim {
        Victim::Shipper => world.kill_shipper(),
        Victim::Logd => world.kill_logd(0),
    }
    world.node.rate(absence.rate);
    sleep(Duration::from_secs(absence.seconds)).await;
    world.rotations(0, before + absence.rotations).await;
    let meanwhile = world.node.rotations(0) - before;
    match victim {
        Victim::Shipper => world.start_shipper(),
        Victim::Logd => world.start_logd(0),
    }
    world.rotations(0, before + meanwhile + 1).await;
    let truth = world.node.stop().unwrap();
    let (verdict, told) = verdict(&world, &truth, &following).await;
    let ring = world.ring(&truth).await.len();
    figure(test, &format!("{meanwhile} rotations while it was down, {verdict}; logd holds {ring}"));
    (verdict, told)
}

/// Once everything has come; and what is to be told where it is not as it should be.
async fn verdict(world: &World, truth: &Truth, following: &Following) -> (Verdict, String) {
    let verdict = world.verdict(truth, following).await;
    let told = format!("{verdict}\n{}\n{}", following.told(), world.told());
    (verdict, told)
}

#[tokio::test]
async fn row_t8_a_shipper_killed_for_2_s_loses_nothing() {
    let test = "row_t8_a_shipper_killed_for_2_s_loses_nothing";
    let (verdict, told) = killed(test, Victim::Shipper, Absence::short()).await;
    assert!(verdict.complete(), "{told}");
}

#[tokio::test]
async fn row_t8_a_shipper_killed_for_15_s_loses_nothing_that_files_still_have() {
    let test = "row_t8_a_shipper_killed_for_15_s_loses_nothing_that_files_still_have";
    let (verdict, told) = killed(test, Victim::Shipper, Absence::long()).await;
    assert!(verdict.complete(), "{told}");
}

#[tokio::test]
async fn row_t8_a_shipper_killed_for_too_long_tells_exactly_what_is_missing() {
    let test = "row_t8_a_shipper_killed_for_too_long_tells_exactly_what_is_missing";
    let (verdict, told) = killed(test, Victim::Shipper, Absence::too_long()).await;
    assert!(verdict.accounted(0) && verdict.missing > 0, "{told}");
}

#[tokio::test]
async fn row_t8_a_logd_killed_for_2_s_loses_nothing() {
    let test = "row_t8_a_logd_killed_for_2_s_loses_nothing";
    let (verdict, told) = killed(test, Victim::Logd, Absence::short()).await;
    assert!(verdict.complete(), "{told}");
}

#[tokio::test]
async fn row_t8_a_logd_killed_for_15_s_loses_nothing_that_files_still_have() {
    let test = "row_t8_a_logd_killed_for_15_s_loses_nothing_that_files_still_have";
    let (verdict, told) = killed(test, Victim::Logd, Absence::long()).await;
    assert!(verdict.complete(), "{told}");
}

#[tokio::test]
async fn row_t8_a_logd_killed_for_too_long_tells_exactly_what_is_missing() {
    let test = "row_t8_a_logd_killed_for_too_long_tells_exactly_what_is_missing";
    let absence = Absence { quiet: true, ..Absence::too_long() };
    let (verdict, told) = killed(test, Victim::Logd, absence).await;
    assert!(verdict.accounted(0) && verdict.missing > 0, "{told}");
}

/// Kills logd between rotations, and with it perhaps the shipper. What the new one has is what the files
/// still hold, of before and of meanwhile; a follower that comes back is shown none of it twice.
async fn refilled(test: &str, shipper: bool) {
    let Absence { rotation, rate, .. } = Absence::too_long();
    let (mut world, following) = World::running(rotation, 2, &["--held", "0"]).await;
    world.node.rate(rate);
    world.rotations(0, 3).await;
    world.kill_logd(0);
    let before = world.node.truth().held();
    if shipper {
        world.kill_shipper();
    }
    world.rotations(0, 6).await;
    let truth = world.node.stop().unwrap();
    world.start_logd(0);
    if shipper {
        world.start_shipper();
    }
    let (mut verdict, told) = verdict(&world, &truth, &following).await;
    if shipper {
        // What was acknowledged since the last checkpoint nobody knows of any more: where its file is gone
        // that is told as a gap, though it was shown.
        verdict.faults.retain(|fault| !matches!(fault, GapFault::Empty(_)));
    }
    assert!(verdict.complete(), "{told}");

    let held: BTreeSet<_> = truth.held().into_keys().collect();
    assert!((held.len() as u64) < truth.lines(), "some files are gone");
    let ring = world.ring(&truth).await;
    // A shipper that lives has files open that were deleted meanwhile.
    let more = ring.difference(&held).filter(|line| shipper || !before.contains_key(line));
    assert_eq!(more.count(), 0, "{told}");
    figure(test, &format!("{} of {} lines are held", held.len(), truth.lines()));
}

#[tokio::test]
async fn a_logd_that_was_killed_has_what_the_files_still_hold() {
    refilled("a_logd_that_was_killed_has_what_the_files_still_hold", false).await;
}

#[tokio::test]
async fn after_both_were_killed_logd_has_exactly_what_the_files_still_hold() {
    refilled("after_both_were_killed_logd_has_exactly_what_the_files_still_hold", true).await;
}
