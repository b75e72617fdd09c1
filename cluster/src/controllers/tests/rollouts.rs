use proptest::prelude::*;
use serde_json::{Value, json};

use super::{World, template};
use crate::controllers::object::{Fields, pod_ready};
use crate::kinds::{DEPLOYMENT, EVENT, REPLICA_SET};
use crate::meta;

fn deployment(replicas: i64, strategy: &Value) -> Value {
    json!({
        "metadata": {"name": "web", "annotations": {"team": "blue"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": strategy,
            "template": template("web:1"),
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
        },
    })
}

fn rolling(surge: i64, unavailable: i64) -> Value {
    json!({
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
    })
}

fn set_image(world: &World, image: &str) {
    world.edit(&DEPLOYMENT, "web", |web| {
        web["spec"]["template"]["spec"]["containers"][0]["image"] = image.into();
    });
}

fn images(world: &World) -> Vec<String> {
    let active = world.active();
    active.iter().map(|pod| pod.text("/spec/containers/0/image").to_owned()).collect()
}

/// Name, size and revision of the ReplicaSets, by revision.
fn sets(world: &World) -> Vec<(i64, String)> {
    let mut sets: Vec<_> = world
        .all(&REPLICA_SET)
        .iter()
        .map(|set| {
            let revision = meta::annotation(set, "deployment.kubernetes.io/revision");
            (set.int("/spec/replicas").unwrap(), revision.unwrap().to_owned())
        })
        .collect();
    sets.sort_by(|a, b| a.1.cmp(&b.1));
    sets
}

fn condition(world: &World, kind: &str) -> (String, String) {
    let web = world.get(&DEPLOYMENT, "web");
    let condition = web.condition(kind).expect("the condition");
    (condition.text("/status").to_owned(), condition.text("/reason").to_owned())
}

#[test]
fn a_new_deployment_makes_a_set_and_its_pods() {
    let mut world = World::new();
    world.create(&DEPLOYMENT, deployment(3, &rolling(1, 0)));
    world.settle();

    let sets = world.all(&REPLICA_SET);
    assert_eq!(sets.len(), 1);
    let set = &sets[0];
    let hash = meta::label(set, "pod-template-hash").expect("a hash");
    assert_eq!(meta::name(set), format!("web-{hash}"));
    assert_eq!(set["spec"]["selector"]["matchLabels"]["pod-template-hash"], hash);
    assert_eq!(meta::annotation(set, "deployment.kubernetes.io/revision"), Some("1"));
    assert_eq!(meta::annotation(set, "deployment.kubernetes.io/desired-replicas"), Some("3"));
    assert_eq!(meta::annotation(set, "deployment.kubernetes.io/max-replicas"), Some("4"));
    assert_eq!(meta::annotation(set, "team"), Some("blue"));

    let pods = world.active();
    assert_eq!(pods.len(), 3);
    for pod in &pods {
        assert_eq!(meta::controller(pod).expect("an owner")["name"], meta::name(set));
        assert_eq!(meta::label(pod, "pod-template-hash"), Some(hash));
        assert_eq!(pod.text("/spec/nodeName"), "local");
    }
    let web = world.get(&DEPLOYMENT, "web");
    assert_eq!(web["status"]["unavailableReplicas"], 3);
    assert_eq!(condition(&world, "Available").1, "MinimumReplicasUnavailable");
    assert_eq!(condition(&world, "Progressing").0, "True");
    let events = world.all(&EVENT);
    let message = format!("Scaled up replica set {} from 0 to 3", meta::name(set));
    assert!(events.iter().any(|event| event["message"] == *message), "{events:?}");
}

#[test]
fn a_finished_rollout_reads_as_kubectl_rollout_status_expects() {
    let mut world = World::new();
    world.create(&DEPLOYMENT, deployment(2, &rolling(1, 0)));
    world.come_to_rest();
    let web = world.get(&DEPLOYMENT, "web");
    let mut status = web["status"].clone();
    status.as_object_mut().unwrap().remove("conditions");
    assert_eq!(
        status,
        json!({
            "observedGeneration": 1,
            "replicas": 2,
            "updatedReplicas": 2,
            "readyReplicas": 2,
            "availableReplicas": 2,
            "terminatingReplicas": 0,
        })
    );
    assert_eq!(meta::annotation(&web, "deployment.kubernetes.io/revision"), Some("1"));
    let name = meta::name(&world.all(&REPLICA_SET)[0]).to_owned();
    let progressing = web.condition("Progressing").unwrap();
    assert_eq!(progressing["reason"], "NewReplicaSetAvailable");
    assert_eq!(
        progressing["message"],
        format!("ReplicaSet \"{name}\" has successfully progressed.")
    );
    assert_eq!(web.condition("Available").unwrap()["reason"], "MinimumReplicasAvailable");
}

#[test]
fn with_no_unavailability_an_old_pod_goes_only_after_a_new_one_is_ready() {
    let mut world = World::new();
    world.create(&DEPLOYMENT, deployment(2, &rolling(1, 0)));
    world.come_to_rest();
    set_image(&world, "web:2");
    world.settle();
    assert_eq!(images(&world).iter().filter(|image| *image == "web:1").count(), 2);
    assert_eq!(images(&world).iter().filter(|image| *image == "web:2").count(), 1);

    let new = world.active().into_iter().find(|pod| !pod_ready(pod)).expect("the new pod");
    world.set_ready(meta::name(&new), true);
    world.settle();
    assert_eq!(images(&world).iter().filter(|image| *image == "web:1").count(), 1);

    world.come_to_rest();
    assert_eq!(images(&world), ["web:2", "web:2"]);
    assert_eq!(sets(&world), [(0, "1".to_owned()), (2, "2".to_owned())]);
}

#[test]
fn going_back_reuses_the_old_set_with_a_new_revision() {
    let mut world = World::new();
    world.create(&DEPLOYMENT, deployment(1, &rolling(1, 0)));
    world.come_to_rest();
    set_image(&world, "web:2");
    world.come_to_rest();
    set_image(&world, "web:1");
    world.come_to_rest();
    assert_eq!(images(&world), ["web:1"]);
    assert_eq!(sets(&world), [(0, "2".to_owned()), (1, "3".to_owned())]);
    let web = world.get(&DEPLOYMENT, "web");
    assert_eq!(meta::annotation(&web, "deployment.kubernetes.io/revision"), Some("3"));
}

#[test]
fn recreate_waits_until_the_old_pods_are_gone() {
    let mut world = World::new();
    world.create(&DEPLOYMENT, deployment(2, &json!({"type": "Recreate"})));
    world.come_to_rest();
    set_image(&world, "web:2");
    world.settle();
    assert_eq!(images(&world), Vec::<String>::new(), "old pods are ending, new ones wait");
    world.end_pods();
    world.settle();
    assert_eq!(images(&world), ["web:2", "web:2"]);
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll() {
    let mut world = World::new();
    world.create(&DEPLOYMENT, deployment(1, &rolling(1, 0)));
    world.come_to_rest();
    world.edit(&DEPLOYMENT, "web", |web| {
        web["spec"]["paused"] = true.into();
        web["spec"]["replicas"] = 3.into();
    });
    set_image(&world, "web:2");
    world.come_to_rest();
    assert_eq!(images(&world), ["web:1", "web:1", "web:1"]);
    assert_eq!(condition(&world, "Progressing").1, "DeploymentPaused");
    world.edit(&DEPLOYMENT, "web", |web| web["spec"]["paused"] = false.into());
    world.come_to_rest();
    assert_eq!(images(&world), ["web:2", "web:2", "web:2"]);
}

#[test]
fn old_sets_beyond_the_limit_are_deleted() {
    let mut world = World::new();
    let mut web = deployment(1, &rolling(1, 0));
    web["spec"]["revisionHistoryLimit"] = 1.into();
    world.create(&DEPLOYMENT, web);
    for image in ["web:1", "web:2", "web:3", "web:4"] {
        set_image(&world, image);
        world.come_to_rest();
    }
    assert_eq!(sets(&world), [(0, "3".to_owned()), (1, "4".to_owned())]);
}

#[test]
fn scaling_in_the_middle_of_a_rollout_shares_the_new_pods() {
    let mut world = World::new();
    world.create(&DEPLOYMENT, deployment(10, &rolling(3, 2)));
    world.come_to_rest();
    set_image(&world, "web:2");
    world.settle();
    assert_eq!(sets(&world), [(8, "1".to_owned()), (5, "2".to_owned())]);
    world.edit(&DEPLOYMENT, "web", |web| web["spec"]["replicas"] = 15.into());
    world.settle();
    // The example of Kubernetes' documentation: 18 pods may exist; 3 of the 5 more go to the old set.
    assert_eq!(sets(&world), [(11, "1".to_owned()), (7, "2".to_owned())]);
}

#[derive(Debug, Clone)]
enum Step {
    Image(u8),
    Replicas(u8),
    Ready(prop::sample::Index),
    Unready(prop::sample::Index),
    Lost(prop::sample::Index),
    Ended,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..4u8).prop_map(Step::Image),
        1 => (0..6u8).prop_map(Step::Replicas),
        6 => any::<prop::sample::Index>().prop_map(Step::Ready),
        1 => any::<prop::sample::Index>().prop_map(Step::Unready),
        1 => any::<prop::sample::Index>().prop_map(Step::Lost),
        3 => Just(Step::Ended),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happens in whatever order: never more pods than the budget allows, the controllers
    /// never take availability below it, and in the end the wanted pods are there and no others.
    #[test]
    fn any_course_of_events_keeps_the_budget_and_ends_in_the_wanted_state(
        surge in 0..3i64,
        unavailable in 0..3i64,
        steps in prop::collection::vec(step(), 1..30),
    ) {
        // The API refuses both to be 0.
        let unavailable = if surge == 0 { unavailable.max(1) } else { unavailable };
        let mut world = World::new();
        let mut replicas = 3;
        let mut image = "web:1".to_owned();
        world.create(&DEPLOYMENT, deployment(replicas, &rolling(surge, unavailable)));
        world.come_to_rest();
        let available =
            |world: &World| world.active().iter().filter(|pod| pod_ready(pod)).count();

        for step in steps {
            let active = world.active();
            let pick = |index: prop::sample::Index| {
                (!active.is_empty()).then(|| active[index.index(active.len())].clone())
            };
            let mut resized = false;
            match step {
                Step::Image(version) => {
                    image = format!("web:{version}");
                    set_image(&world, &image);
                }
                Step::Replicas(number) => {
                    replicas = number.into();
                    resized = true;
                    world.edit(&DEPLOYMENT, "web", |web| {
                        web["spec"]["replicas"] = replicas.into();
                    });
                }
                Step::Ready(index) => {
                    if let Some(pod) = pick(index) {
                        world.set_ready(meta::name(&pod), true);
                    }
                }
                Step::Unready(index) => {
                    if let Some(pod) = pick(index) {
                        world.set_ready(meta::name(&pod), false);
                    }
                }
                Step::Lost(index) => {
                    if let Some(pod) = pick(index) {
                        world.remove(&pod);
                    }
                }
                Step::Ended => world.end_pods(),
            }
            let before = available(&world);
            world.settle();
            prop_assert!(world.active().len() as i64 <= replicas + surge);
            let least = usize::try_from((replicas - unavailable).max(0)).unwrap();
            if !resized {
                prop_assert!(available(&world) >= before.min(least));
            }
        }
        world.come_to_rest();
        prop_assert_eq!(images(&world), vec![image; usize::try_from(replicas).unwrap()]);
        let web = world.get(&DEPLOYMENT, "web");
        prop_assert_eq!(web["status"]["availableReplicas"].as_i64().unwrap_or_default(), replicas);
        prop_assert_eq!(condition(&world, "Available").0, "True");
    }
}
