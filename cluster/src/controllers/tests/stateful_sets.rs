use serde_json::{Value, json};

use super::{World, template};
use crate::controllers::object::Fields;
use crate::kinds::{CONTROLLER_REVISION, POD, STATEFUL_SET};
use crate::meta;

fn set(replicas: i64, policy: &str) -> Value {
    json!({
        "metadata": {"name": "db"},
        "spec": {
            "serviceName": "db",
            "replicas": replicas,
            "podManagementPolicy": policy,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template("db:1"),
        },
    })
}

fn images(world: &World) -> Vec<String> {
    let active = world.active();
    active.iter().map(|pod| pod.text("/spec/containers/0/image").to_owned()).collect()
}

#[test]
fn pods_have_names_of_their_own_and_come_one_after_another() {
    let mut world = World::new();
    world.create(&STATEFUL_SET, set(2, "OrderedReady"));
    world.settle();
    assert_eq!(world.names(), ["db-0"], "the second waits for the first");
    world.set_ready("db-0", true);
    world.settle();
    assert_eq!(world.names(), ["db-0", "db-1"]);
    world.come_to_rest();

    let revision = meta::name(&world.all(&CONTROLLER_REVISION)[0]).to_owned();
    let pod = world.get(&POD, "db-1");
    assert_eq!(
        pod["metadata"]["labels"],
        json!({
            "app": "web",
            "apps.kubernetes.io/pod-index": "1",
            "controller-revision-hash": revision,
            "statefulset.kubernetes.io/pod-name": "db-1",
        })
    );
    assert_eq!((pod.text("/spec/hostname"), pod.text("/spec/subdomain")), ("db-1", "db"));
    assert_eq!(
        world.get(&STATEFUL_SET, "db")["status"],
        json!({
            "observedGeneration": 1,
            "replicas": 2,
            "readyReplicas": 2,
            "currentReplicas": 2,
            "updatedReplicas": 2,
            "currentRevision": revision,
            "updateRevision": revision,
            "collisionCount": 0,
            "availableReplicas": 2,
        })
    );
}

#[test]
fn parallel_sets_do_not_wait() {
    let mut world = World::new();
    world.create(&STATEFUL_SET, set(3, "Parallel"));
    world.settle();
    assert_eq!(world.names(), ["db-0", "db-1", "db-2"]);
}

#[test]
fn a_lost_pod_comes_back_with_its_name_once_it_is_gone() {
    let mut world = World::new();
    world.create(&STATEFUL_SET, set(2, "OrderedReady"));
    world.come_to_rest();
    let before = meta::uid(&world.get(&POD, "db-0")).to_owned();
    let grace = crate::registry::DeleteOptions { grace: Some(30), ..Default::default() };
    world.registry.delete(&POD, Some("app"), "db-0", &grace, &super::options()).expect("deleted");
    world.settle();
    assert_eq!(world.names(), ["db-1"], "its name is still taken");
    world.end_pods();
    world.settle();
    assert_eq!(world.names(), ["db-0", "db-1"]);
    assert_ne!(meta::uid(&world.get(&POD, "db-0")), before);
}

#[test]
fn the_last_goes_first() {
    let mut world = World::new();
    world.create(&STATEFUL_SET, set(3, "OrderedReady"));
    world.come_to_rest();
    world.edit(&STATEFUL_SET, "db", |db| db["spec"]["replicas"] = 1.into());
    world.settle();
    assert_eq!(world.names(), ["db-0", "db-1"], "one at a time");
    world.come_to_rest();
    assert_eq!(world.names(), ["db-0"]);
}

#[test]
fn an_update_goes_from_the_last_to_the_first_and_stops_at_the_partition() {
    let mut world = World::new();
    world.create(&STATEFUL_SET, set(3, "OrderedReady"));
    world.come_to_rest();
    world.edit(&STATEFUL_SET, "db", |db| {
        db["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = 1.into();
        db["spec"]["template"]["spec"]["containers"][0]["image"] = "db:2".into();
    });
    world.settle();
    assert_eq!(world.names(), ["db-0", "db-1"], "the last is replaced first");
    world.come_to_rest();
    assert_eq!(images(&world), ["db:1", "db:2", "db:2"]);
    let status = world.get(&STATEFUL_SET, "db")["status"].clone();
    assert_ne!(status["currentRevision"], status["updateRevision"]);

    // Below the partition a lost pod comes back as it was.
    world.remove(&world.get(&POD, "db-0"));
    world.come_to_rest();
    assert_eq!(images(&world), ["db:1", "db:2", "db:2"]);

    world.edit(&STATEFUL_SET, "db", |db| {
        db["spec"]["updateStrategy"]["rollingUpdate"]["partition"] = 0.into();
    });
    world.come_to_rest();
    assert_eq!(images(&world), ["db:2", "db:2", "db:2"]);
    let status = world.get(&STATEFUL_SET, "db")["status"].clone();
    assert_eq!(status["currentRevision"], status["updateRevision"]);
}

#[test]
fn revisions_that_are_not_used_are_kept_up_to_the_limit() {
    let mut world = World::new();
    let mut db = set(1, "OrderedReady");
    db["spec"]["revisionHistoryLimit"] = 1.into();
    world.create(&STATEFUL_SET, db);
    for version in 1..=4 {
        world.edit(&STATEFUL_SET, "db", |db| {
            let image = format!("db:{version}");
            db["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
        });
        world.come_to_rest();
    }
    let mut numbers: Vec<_> = world
        .all(&CONTROLLER_REVISION)
        .iter()
        .map(|revision| revision.int("/revision").unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [3, 4]);
}
