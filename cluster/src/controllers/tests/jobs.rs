use serde_json::{Value, json};

use super::World;
use crate::controllers::object::Fields;
use crate::kinds::{EVENT, JOB, POD};
use crate::meta;

fn job(extra: &Value) -> Value {
    let mut job = json!({
        "metadata": {"name": "once"},
        "spec": {"template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "web", "image": "job:1"}],
        }}},
    });
    for (field, value) in extra.as_object().expect("fields of the spec") {
        job["spec"][field] = value.clone();
    }
    job
}

/// Types of the conditions that hold, with their reasons.
fn conditions(world: &World) -> Vec<(String, String)> {
    let job = world.get(&JOB, "once");
    let conditions = job.list("/status/conditions").iter();
    let holding = conditions.filter(|condition| condition["status"] == "True");
    holding.map(|c| (c.text("/type").to_owned(), c.text("/reason").to_owned())).collect()
}

/// Names of pods that have not ended.
fn running(world: &World) -> Vec<String> {
    let active = world.active();
    let running = active.iter().filter(|pod| pod["status"]["phase"] == "Pending");
    running.map(|pod| meta::name(pod).to_owned()).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn a_job_is_complete_when_its_pod_has_succeeded() {
    let mut world = World::new();
    let created = world.create(&JOB, job(&json!({"backoffLimit": 0})));
    world.settle();
    let pods = world.active();
    assert_eq!(pods.len(), 1);
    let uid = meta::uid(&created);
    assert_eq!(meta::label(&pods[0], "batch.kubernetes.io/controller-uid"), Some(uid));
    assert_eq!(meta::label(&pods[0], "job-name"), Some("once"));
    let now = world.get(&JOB, "once");
    assert_eq!(
        (now["status"]["active"].clone(), now["status"]["ready"].clone()),
        (json!(1), json!(0))
    );

    world.finish(meta::name(&pods[0]), 0);
    world.settle();
    let reached = "CompletionsReached";
    assert_eq!(
        conditions(&world),
        pairs(&[("SuccessCriteriaMet", reached), ("Complete", reached)])
    );
    let status = &world.get(&JOB, "once")["status"];
    assert_eq!((&status["succeeded"], &status["active"]), (&json!(1), &Value::Null));
    assert!(status["completionTime"].is_string());
    assert!(world.all(&EVENT).iter().any(|event| event["reason"] == "Completed"));
    assert_eq!(world.active().len(), 1, "its pod stays to be read");
}

#[test]
fn a_job_fails_when_more_pods_fail_than_the_limit_allows() {
    let mut world = World::new();
    world.create(&JOB, job(&json!({"backoffLimit": 1})));
    for _ in 0..2 {
        world.settle();
        world.finish(&running(&world)[0], 3);
    }
    world.settle();
    let exceeded = "BackoffLimitExceeded";
    assert_eq!(conditions(&world), pairs(&[("FailureTarget", exceeded), ("Failed", exceeded)]));
    assert_eq!(world.get(&JOB, "once")["status"]["failed"], 2);
    assert_eq!(running(&world), Vec::<String>::new());
}

#[test]
fn several_completions_run_side_by_side_up_to_the_parallelism() {
    let mut world = World::new();
    world.create(&JOB, job(&json!({"completions": 3, "parallelism": 2})));
    world.settle();
    assert_eq!(running(&world).len(), 2);
    world.finish(&running(&world)[0], 0);
    world.settle();
    assert_eq!(running(&world).len(), 2);
    for name in running(&world) {
        world.finish(&name, 0);
        world.settle();
    }
    assert_eq!(conditions(&world)[1].0, "Complete");
    assert_eq!(world.get(&JOB, "once")["status"]["succeeded"], 3);
}

#[test]
fn indexed_pods_have_numbers_and_each_number_must_succeed() {
    let mut world = World::new();
    let indexed = json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed"});
    world.create(&JOB, job(&indexed));
    world.settle();
    let pods = world.active();
    let number = |pod: &Value| {
        meta::annotation(pod, "batch.kubernetes.io/job-completion-index").unwrap().to_owned()
    };
    let mut numbers: Vec<String> = pods.iter().map(|pod| number(pod)).collect();
    numbers.sort();
    assert_eq!(numbers, ["0", "1", "2"]);
    let variable = &pods[0]["spec"]["containers"][0]["env"][0];
    assert_eq!(variable["name"], "JOB_COMPLETION_INDEX");

    let failing = pods.iter().find(|pod| number(pod) == "1").expect("number 1");
    world.finish(meta::name(failing), 1);
    for pod in pods.iter().filter(|pod| number(pod) != "1") {
        world.finish(meta::name(pod), 0);
    }
    world.settle();
    assert_eq!(world.get(&JOB, "once")["status"]["completedIndexes"], "0,2");
    let again = running(&world);
    assert_eq!(number(&world.get(&POD, &again[0])), "1");
    world.finish(&again[0], 0);
    world.settle();
    assert_eq!(world.get(&JOB, "once")["status"]["completedIndexes"], "0-2");
    assert_eq!(conditions(&world)[1].0, "Complete");
}

#[test]
fn a_job_that_takes_too_long_fails_once_its_pods_have_ended() {
    let mut world = World::new();
    world.create(&JOB, job(&json!({"activeDeadlineSeconds": 0})));
    world.settle();
    world.end_pods();
    world.settle();
    let late = "DeadlineExceeded";
    assert_eq!(conditions(&world), pairs(&[("FailureTarget", late), ("Failed", late)]));
}

#[test]
fn a_suspended_job_runs_nothing_until_it_is_resumed() {
    let mut world = World::new();
    world.create(&JOB, job(&json!({"suspend": true})));
    world.settle();
    assert_eq!(world.active().len(), 0);
    assert_eq!(conditions(&world), pairs(&[("Suspended", "JobSuspended")]));
    world.edit(&JOB, "once", |once| once["spec"]["suspend"] = false.into());
    world.settle();
    assert_eq!(running(&world).len(), 1);
    assert_eq!(conditions(&world), pairs(&[]));
}

#[test]
fn a_finished_job_goes_when_its_time_is_up() {
    let mut world = World::new();
    world.create(&JOB, job(&json!({"ttlSecondsAfterFinished": 0})));
    world.settle();
    world.finish(&running(&world)[0], 0);
    // Times are whole seconds: up to half of one passes.
    for _ in 0..100 {
        world.settle();
        if world.all(&JOB).is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("never deleted");
}
