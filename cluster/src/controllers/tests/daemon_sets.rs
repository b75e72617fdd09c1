use serde_json::{Value, json};

use super::{World, template};
use crate::controllers::object::Fields;
use crate::kinds::{CONTROLLER_REVISION, DAEMON_SET};
use crate::meta;

fn set() -> Value {
    json!({
        "metadata": {"name": "agent"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": template("agent:1")},
    })
}

fn images(world: &World) -> Vec<String> {
    let active = world.active();
    active.iter().map(|pod| pod.text("/spec/containers/0/image").to_owned()).collect()
}

fn set_image(world: &World, image: &str) {
    world.edit(&DAEMON_SET, "agent", |agent| {
        agent["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
    });
}

#[test]
fn one_pod_runs_on_the_node() {
    let mut world = World::new();
    world.create(&DAEMON_SET, set());
    world.come_to_rest();
    let pods = world.active();
    assert_eq!(pods.len(), 1);
    assert_eq!(pods[0].text("/spec/nodeName"), "local");
    let revision = &world.all(&CONTROLLER_REVISION)[0];
    let hash = meta::label(revision, "controller-revision-hash").expect("a hash");
    assert_eq!(meta::name(revision), format!("agent-{hash}"));
    assert_eq!(meta::label(&pods[0], "controller-revision-hash"), Some(hash));
    assert_eq!(meta::label(&pods[0], "pod-template-generation"), Some("1"));
    assert_eq!(
        world.get(&DAEMON_SET, "agent")["status"],
        json!({
            "currentNumberScheduled": 1,
            "numberMisscheduled": 0,
            "desiredNumberScheduled": 1,
            "numberReady": 1,
            "observedGeneration": 1,
            "updatedNumberScheduled": 1,
            "numberAvailable": 1,
        })
    );
}

#[test]
fn an_update_ends_the_old_pod_before_the_new_one_starts() {
    let mut world = World::new();
    world.create(&DAEMON_SET, set());
    world.come_to_rest();
    set_image(&world, "agent:2");
    world.settle();
    assert_eq!(images(&world), Vec::<String>::new());
    world.come_to_rest();
    assert_eq!(images(&world), ["agent:2"]);
}

#[test]
fn with_surge_the_new_pod_is_ready_before_the_old_one_ends() {
    let mut world = World::new();
    let mut agent = set();
    agent["spec"]["updateStrategy"] =
        json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
    world.create(&DAEMON_SET, agent);
    world.come_to_rest();
    set_image(&world, "agent:2");
    world.settle();
    let mut both = images(&world);
    both.sort();
    assert_eq!(both, ["agent:1", "agent:2"]);
    world.come_to_rest();
    assert_eq!(images(&world), ["agent:2"]);
}

#[test]
fn a_node_selector_that_the_node_does_not_match_runs_nothing() {
    let mut world = World::new();
    let mut agent = set();
    agent["spec"]["template"]["spec"]["nodeSelector"] = json!({"kubernetes.io/os": "windows"});
    world.create(&DAEMON_SET, agent);
    world.come_to_rest();
    assert_eq!(world.active().len(), 0);
    assert_eq!(world.get(&DAEMON_SET, "agent")["status"]["desiredNumberScheduled"], 0);
}
