//! Deployments that really run: pods, endpoints, rollouts.

mod run_support;

use std::collections::BTreeSet;
use std::sync::Arc;

use fairlead_cluster::{DeleteOptions, NODE, kinds, meta, port_map};
use run_support::{deployment, endpoints, get, server, service, start};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_python_server_scaled_to_three_answers_three_times() {
    let run = start().await;
    let container = json!({
        "name": "files",
        "image": "python:3",
        "command": ["python3", "-m", "http.server", "$(PORT)"],
        "ports": [{"containerPort": 8000}],
        "readinessProbe": {"tcpSocket": {"port": 8000}, "periodSeconds": 1},
    });
    run.create(&kinds::DEPLOYMENT, deployment("files", 1, &container));
    run.create(&kinds::SERVICE, service("files", json!(8000)));
    run.until_ready("files", 1).await;
    run.edit(&kinds::DEPLOYMENT, "files", |files| files["spec"]["replicas"] = 3.into());
    let ready = run.until_ready("files", 3).await;

    let addresses: BTreeSet<_> = ready.iter().map(|(address, _)| address).collect();
    let ports: BTreeSet<_> = ready.iter().map(|(_, port)| port).collect();
    assert_eq!((addresses.len(), ports.len()), (3, 3), "{ready:?}");
    for (address, port) in &ready {
        assert!(address.starts_with("127.") && address != "127.0.0.1", "{address}");
        let body = get(address, *port, "/").await.expect("an answer");
        assert!(body.contains("Directory listing for /"), "{body}");
    }

    // It binds 0.0.0.0, which opens it to the network: people are told.
    let pod = meta::name(&run.all(&kinds::POD)[0]).to_owned();
    let message = run.until_event(&pod, "ListensOnAllAddresses").await;
    assert!(message.contains("$HOST"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_with_ports_of_their_own_stand_in_slices_by_port() {
    let run = start().await;
    run.create(&kinds::DEPLOYMENT, deployment("web", 2, &server("v1")));
    run.create(&kinds::SERVICE, service("web", json!("http")));
    let ready = run.until_ready("web", 2).await;
    assert_eq!(run.all(&kinds::ENDPOINT_SLICE).len(), 2, "a slice per port");
    for pod in run.all(&kinds::POD) {
        let address = pod["status"]["podIP"].as_str().expect("an address").to_owned();
        let recorded = meta::annotation(&pod, port_map::ANNOTATION).expect("recorded");
        let port = recorded.strip_prefix("8080:").expect("the declared port").parse().unwrap();
        assert!(ready.contains(&(address.clone(), port)), "{recorded} not in {ready:?}");
        assert_eq!(pod["spec"]["nodeName"], NODE);
        let body = get(&address, port, "/").await.expect("an answer");
        assert_eq!(body, format!("{} v1", meta::name(&pod)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_update_replaces_every_pod_and_always_has_one_ready() {
    let run = start().await;
    run.create(&kinds::DEPLOYMENT, deployment("web", 2, &server("v1")));
    run.create(&kinds::SERVICE, service("web", json!("http")));
    run.until_ready("web", 2).await;

    run.edit(&kinds::DEPLOYMENT, "web", |web| {
        web["spec"]["template"]["spec"]["containers"][0]["args"] = json!(["serve", "v2"]);
    });
    let generation = meta::generation(&*run.until(&kinds::DEPLOYMENT, "web", |_| true).await);
    let mut watch = run.registry().list_watch(
        &kinds::ENDPOINT_SLICE,
        Some("app"),
        &fairlead_cluster::Selector::everything(),
    );
    let finished = |web: &Value| {
        let status = &web["status"];
        status["observedGeneration"] == generation
            && status["updatedReplicas"] == 2
            && status["replicas"] == 2
            && status["availableReplicas"] == 2
    };
    run.until(&kinds::DEPLOYMENT, "web", finished).await;
    for (address, port) in run.until_ready("web", 2).await {
        let body = get(&address, port, "/").await.expect("an answer");
        assert!(body.ends_with(" v2"), "{body}");
    }

    // What a router saw meanwhile: at no time were all endpoints away.
    let mut slices: Vec<Arc<Value>> = Vec::new();
    let mut seen = 0;
    while let Some(event) = watch.ready().expect("within the window") {
        if event.event == fairlead_cluster::EventType::Bookmark {
            continue;
        }
        slices.retain(|slice| meta::uid(slice) != meta::uid(&event.object));
        if event.event != fairlead_cluster::EventType::Deleted {
            slices.push(event.object);
        }
        seen += 1;
        let ready = endpoints(&slices, "web");
        let ready = ready.iter().filter(|(_, _, conditions)| conditions["ready"] == true);
        assert!(seen < 2 || ready.count() >= 1, "{slices:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_pod_is_replaced() {
    let run = start().await;
    run.create(&kinds::DEPLOYMENT, deployment("web", 1, &server("v1")));
    run.create(&kinds::SERVICE, service("web", json!("http")));
    let before = run.until_ready("web", 1).await;
    let pod = meta::name(&run.all(&kinds::POD)[0]).to_owned();
    run.delete(&kinds::POD, &pod, &DeleteOptions::default());
    run.until_gone(&kinds::POD, &pod).await;
    let other = |slices: &[Arc<Value>]| {
        let found = endpoints(slices, "web");
        let ready: Vec<_> = found.iter().filter(|(_, _, c)| c["ready"] == true).collect();
        (ready.len() == 1 && ready[0].0 != before[0].0).then_some(())
    };
    run.until_all(&kinds::ENDPOINT_SLICE, "another ready endpoint", other).await;
    assert!(get(&before[0].0, before[0].1, "/").await.is_err(), "its process is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_a_deployment_takes_everything_it_made() {
    let run = start().await;
    for (name, propagation) in [
        ("back", fairlead_cluster::registry::Propagation::Background),
        ("fore", fairlead_cluster::registry::Propagation::Foreground),
    ] {
        run.create(&kinds::DEPLOYMENT, deployment(name, 2, &server("v1")));
        run.create(&kinds::SERVICE, service(name, json!("http")));
        let ready = run.until_ready(name, 2).await;
        run.delete(
            &kinds::DEPLOYMENT,
            name,
            &DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() },
        );
        let none = |all: &[Arc<Value>]| all.is_empty().then_some(());
        run.until_all(&kinds::POD, "no pods", none).await;
        run.until_all(&kinds::REPLICA_SET, "no sets", none).await;
        run.until_all(&kinds::DEPLOYMENT, "no deployments", none).await;
        for (address, port) in ready {
            assert!(get(&address, port, "/").await.is_err(), "its process is gone");
        }
        run.delete(&kinds::SERVICE, name, &DeleteOptions::default());
        run.until_all(&kinds::ENDPOINT_SLICE, "no slices", none).await;
    }
}
