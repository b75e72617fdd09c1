//! Jobs, StatefulSets and DaemonSets that really run.

mod run_support;

use std::sync::Arc;

use fairlead_cluster::registry::Propagation;
use fairlead_cluster::{DeleteOptions, kinds, meta};
use run_support::{script, server, service, start};
use serde_json::{Value, json};

fn job(script: &Value, extra: &Value) -> Value {
    let mut job = json!({
        "metadata": {"name": "once"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [script]}}},
    });
    for (field, value) in extra.as_object().expect("fields of the spec") {
        job["spec"][field] = value.clone();
    }
    job
}

fn holds(kind: &'static str) -> impl Fn(&Value) -> bool {
    move |object| {
        let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
        conditions.into_iter().any(|c| c["type"] == kind && c["status"] == "True")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_runs_to_its_end_and_takes_its_pods_with_it() {
    let run = start().await;
    run.create(&kinds::JOB, job(&script("main", "echo done"), &json!({})));
    let once = run.until(&kinds::JOB, "once", holds("Complete")).await;
    assert_eq!(once["status"]["succeeded"], 1);
    let pod = run.all(&kinds::POD)[0].clone();
    assert_eq!(pod["status"]["phase"], "Succeeded");
    assert_eq!(run.log(&pod, "main", 0, 1).await, ["done"]);
    let background =
        DeleteOptions { propagation: Some(Propagation::Background), ..DeleteOptions::default() };
    run.delete(&kinds::JOB, "once", &background);
    run.until_gone(&kinds::POD, meta::name(&pod)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_replaces_pods_that_fail_until_it_gives_up() {
    let run = start().await;
    run.create(&kinds::JOB, job(&script("main", "exit 3"), &json!({"backoffLimit": 2})));
    let once = run.until(&kinds::JOB, "once", holds("Failed")).await;
    assert_eq!(once["status"]["failed"], 3);
    assert_eq!(run.all(&kinds::POD).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn indexed_pods_know_their_number() {
    let run = start().await;
    let indexed = json!({"completions": 2, "parallelism": 2, "completionMode": "Indexed"});
    let container = script("main", "echo $JOB_COMPLETION_INDEX $HOSTNAME");
    run.create(&kinds::JOB, job(&container, &indexed));
    run.until(&kinds::JOB, "once", holds("Complete")).await;
    let mut lines = Vec::new();
    for pod in run.all(&kinds::POD) {
        lines.push(run.log(&pod, "main", 0, 1).await[0].clone());
    }
    lines.sort();
    assert_eq!(lines, ["0 once-0", "1 once-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_of_a_stateful_set_keep_their_names() {
    let run = start().await;
    let set = json!({
        "metadata": {"name": "db"},
        "spec": {
            "serviceName": "db",
            "replicas": 2,
            "selector": {"matchLabels": {"app": "db"}},
            "template": {
                "metadata": {"labels": {"app": "db"}},
                "spec": {"containers": [server("v1")], "terminationGracePeriodSeconds": 5},
            },
        },
    });
    run.create(&kinds::STATEFUL_SET, set);
    run.create(&kinds::SERVICE, service("db", json!("http")));
    run.until_ready("db", 2).await;
    run.edit(&kinds::STATEFUL_SET, "db", |db| {
        db["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["serve", "v2"]);
    });
    let updated = |set: &Value| {
        let status = &set["status"];
        status["observedGeneration"] == 2
            && status["updatedReplicas"] == 2
            && status["readyReplicas"] == 2
    };
    run.until(&kinds::STATEFUL_SET, "db", updated).await;
    let mut bodies = Vec::new();
    for (address, port) in run.until_ready("db", 2).await {
        bodies.push(run_support::get(&address, port, "/").await.expect("an answer"));
    }
    bodies.sort();
    assert_eq!(bodies, ["db-0 v2", "db-1 v2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_set_runs_one_pod() {
    let run = start().await;
    let set = json!({
        "metadata": {"name": "agent"},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "template": {
                "metadata": {"labels": {"app": "agent"}},
                "spec": {"containers": [server("v1")], "terminationGracePeriodSeconds": 5},
            },
        },
    });
    run.create(&kinds::DAEMON_SET, set);
    let ready = |set: &Value| set["status"]["numberReady"] == 1;
    run.until(&kinds::DAEMON_SET, "agent", ready).await;
    run.edit(&kinds::DAEMON_SET, "agent", |agent| {
        agent["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["serve", "v2"]);
    });
    let new = |pods: &[Arc<Value>]| {
        let only = pods.len() == 1 && pods[0]["spec"]["containers"][0]["args"][1] == "v2";
        only.then_some(())
    };
    run.until_all(&kinds::POD, "only the new pod", new).await;
}
