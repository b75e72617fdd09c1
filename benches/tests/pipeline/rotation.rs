//! Rotation as fast as a kubelet can be.

use std::time::Duration;

use fairlead_benches::logs::Rotation;
use fairlead_test_support::{figure, soaking};

use super::world::World;

/// Containers write while their logs are rotated; one is restarted, one comes and goes.
async fn every_line_once(test: &str, rate: u64, rotation: Rotation, rotations: u64) {
    let (mut world, following) = World::running(rotation, 2, &[]).await;
    world.node.rate(rate);
    world.rotations(0, rotations / 3).await;
    world.node.restart(1).unwrap();
    let short = world.pod("short");
    world.rotations(0, rotations * 2 / 3).await;
    world.remove(short);
    world.rotations(0, rotations).await;
    let count = (0..3).map(|container| world.node.rotations(container)).sum::<u64>();

    let truth = world.node.stop().unwrap();
    let verdict = world.verdict(&truth, &following).await;
    assert!(verdict.complete(), "{verdict}\n{}\n{}", following.told(), world.told());
    figure(test, &format!("{count} rotations, {verdict}"));
}

#[tokio::test]
async fn row_t7_rotation_every_second_loses_nothing() {
    let test = "row_t7_rotation_every_second_loses_nothing";
    let rotations = if soaking() { 60 } else { 6 };
    every_line_once(test, 20_000, Rotation::every(1, 1), rotations).await;
}

#[tokio::test]
async fn row_t7_rotation_every_three_seconds_loses_nothing() {
    let test = "row_t7_rotation_every_three_seconds_loses_nothing";
    if soaking() {
        every_line_once(test, 40_000, Rotation::every(4, 3), 30).await;
    } else {
        every_line_once(test, 4_000, Rotation::at(512, Duration::from_secs(3)), 3).await;
    }
}

#[tokio::test]
async fn row_t7_rotation_of_a_default_kubelet_loses_nothing() {
    let test = "row_t7_rotation_of_a_default_kubelet_loses_nothing";
    if soaking() {
        every_line_once(test, 20_000, Rotation::DEFAULT, 9).await;
    } else {
        every_line_once(test, 2_000, Rotation::at(128, Duration::from_secs(2)), 5).await;
    }
}
