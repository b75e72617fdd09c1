use serde_json::{Value, json};

use super::{World, template};
use crate::controllers::object::Fields;
use crate::kinds::{EVENT, POD, REPLICA_SET};
use crate::meta;

fn replica_set(replicas: i64) -> Value {
    json!({
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template("web:1"),
        },
    })
}

fn names(world: &World) -> Vec<String> {
    world.active().iter().map(|pod| meta::name(pod).to_owned()).collect()
}

#[test]
fn lost_pods_are_replaced_and_surplus_ones_deleted() {
    let mut world = World::new();
    world.create(&REPLICA_SET, replica_set(2));
    world.come_to_rest();
    let first = names(&world);
    assert_eq!(first.len(), 2);
    world.remove(&world.get(&POD, &first[0]));
    world.come_to_rest();
    assert_eq!(names(&world).len(), 2);
    assert!(names(&world).contains(&first[1]));
    world.edit(&REPLICA_SET, "web", |set| set["spec"]["replicas"] = 0.into());
    world.settle();
    assert_eq!(names(&world), Vec::<String>::new());
    assert_eq!(world.get(&REPLICA_SET, "web")["status"]["terminatingReplicas"], 2);
    world.end_pods();
    world.settle();
    assert_eq!(
        world.get(&REPLICA_SET, "web")["status"],
        json!({"replicas": 0, "terminatingReplicas": 0, "observedGeneration": 2})
    );
}

#[test]
fn pods_that_are_not_ready_go_first() {
    let mut world = World::new();
    world.create(&REPLICA_SET, replica_set(3));
    world.come_to_rest();
    let unready = names(&world)[1].clone();
    world.set_ready(&unready, false);
    world.edit(&REPLICA_SET, "web", |set| set["spec"]["replicas"] = 2.into());
    world.settle();
    let left = names(&world);
    assert_eq!(left.len(), 2);
    assert!(!left.contains(&unready));
    let events = world.all(&EVENT);
    let message = format!("Deleted pod: {unready}");
    assert!(events.iter().any(|event| event["message"] == *message));
}

#[test]
fn cheap_pods_go_before_dear_ones() {
    let mut world = World::new();
    world.create(&REPLICA_SET, replica_set(3));
    world.come_to_rest();
    let cheap = names(&world)[2].clone();
    world.edit(&POD, &cheap, |pod| {
        pod["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"] = "-1".into();
    });
    world.edit(&REPLICA_SET, "web", |set| set["spec"]["replicas"] = 2.into());
    world.settle();
    assert!(!names(&world).contains(&cheap));
}

#[test]
fn a_pod_that_leaves_the_selector_is_let_go_and_one_that_enters_is_taken() {
    let mut world = World::new();
    world.create(&REPLICA_SET, replica_set(1));
    world.come_to_rest();
    let pod = names(&world)[0].clone();
    world.edit(&POD, &pod, |pod| pod["metadata"]["labels"]["app"] = "debug".into());
    world.settle();
    assert!(meta::controller(&world.get(&POD, &pod)).is_none(), "let go");
    assert_eq!(names(&world).len(), 2, "and replaced");

    world.edit(&POD, &pod, |pod| pod["metadata"]["labels"]["app"] = "web".into());
    world.settle();
    assert!(meta::controller(&world.get(&POD, &pod)).is_some(), "taken");
    assert_eq!(names(&world).len(), 1, "one is enough");
}

#[test]
fn a_new_pod_is_available_only_after_min_ready_seconds() {
    let mut world = World::new();
    let mut set = replica_set(1);
    set["spec"]["minReadySeconds"] = 3600.into();
    world.create(&REPLICA_SET, set);
    world.come_to_rest();
    let status = world.get(&REPLICA_SET, "web")["status"].clone();
    assert_eq!((&status["readyReplicas"], status.int("/availableReplicas")), (&json!(1), None));
}
