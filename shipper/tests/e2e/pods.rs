//! Whose lines they are, and what their owners wish for them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fairlead_cluster::ClusterOptions;
use fairlead_cluster::logs::LogRotation;
use fairlead_shipper::{Shipper, ShipperOptions};
use fairlead_wire::message::{Limits, LossReason, Source};
use fairlead_wire::record::Flags;
use serde_json::json;

use crate::support::{Api, ContainerLog, Logd, Manner, NODE, Node, State, metric, until_metric};

pub(crate) async fn start(node: &Node, logd: &Logd, api: &Api) -> Shipper {
    start_with(node, logd, api, |_| ()).await
}

pub(crate) async fn start_with(
    node: &Node,
    logd: &Logd,
    api: &Api,
    change: impl FnOnce(&mut ShipperOptions),
) -> Shipper {
    let mut options = ShipperOptions { node: NODE.to_owned(), ..node.options(logd) };
    change(&mut options);
    Shipper::start(options, Some(api.client().await)).unwrap()
}

#[tokio::test]
async fn row_36_attaches_namespace_pod_pod_id_container_labels_host_and_container_id() {
    let (node, logd, api) = (Node::new(), Logd::start(Manner::default()).await, Api::start().await);
    let directory =
        api.pod("web-1", json!({"labels": {"app": "store", "type": "web", "tier": "a"}}));
    let status = json!({"containerStatuses": [{
        "name": "web", "image": "web", "imageID": "", "ready": true,
        "restartCount": 0, "containerID": "containerd://0f1e",
    }]});
    api.report("web-1", status);
    let _shipper = start(&node, &logd, &api).await;
    node.container(&directory, "web").write(&["hello"]);
    logd.lines(&["hello"]).await;
    let (key, source) = logd.look(|state| {
        let (key, file) = state.files.first_key_value().unwrap();
        (key.clone(), file.source.clone())
    });
    let labels = [("app", "store"), ("type", "web"), ("tier", "a")];
    let expected = Source {
        namespace: "shop".to_owned(),
        app: "store".to_owned(),
        pod: "web-1".to_owned(),
        process: "web".to_owned(),
        release: String::new(),
        node: NODE.to_owned(),
        container_id: "containerd://0f1e".to_owned(),
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        limits: None,
    };
    assert_eq!(source, expected);
    let uid = directory.rsplit('_').next().unwrap();
    assert_eq!((key.0.as_str(), key.1.as_str(), key.2), (uid, "web", 0));
}

#[tokio::test]
async fn row_37_an_app_gets_the_lines_of_its_own_pods_and_no_others() {
    let (node, logd, api) = (Node::new(), Logd::start(Manner::default()).await, Api::start().await);
    let app = api.pod("web-1", json!({"labels": {"app": "store"}}));
    let other = api.pod("agent-1", json!({}));
    let foreign = api.pod("spy-1", json!({"annotations": {"fairlead.dev/app": "bank/store"}}));
    let _shipper = start(&node, &logd, &api).await;
    for (directory, line) in [(&app, "of the app"), (&other, "of an agent"), (&foreign, "of a spy")]
    {
        node.container(directory, "web").write(&[line]);
    }
    let apps = logd
        .until("three lines", |state| {
            let lines = state.files.values().flat_map(|file| {
                let app = format!("{}/{}", file.source.namespace, file.source.app);
                file.lines.iter().map(move |line| {
                    (String::from_utf8(line.payload.clone()).unwrap(), app.clone())
                })
            });
            let lines: BTreeMap<_, _> = lines.collect();
            (lines.len() == 3).then_some(lines)
        })
        .await;
    assert_eq!(apps["of the app"], "shop/store");
    assert_eq!(apps["of an agent"], "shop/agent-1");
    assert_eq!(apps["of a spy"], "shop/spy-1");
}

#[tokio::test]
async fn row_34_every_container_that_a_kubelet_runs_is_tailed_through_rotation() {
    let logd = Logd::start(Manner::default()).await;
    let mut options = ClusterOptions::default();
    options.log_rotation = LogRotation { max_size: 4096, max_files: 5 };
    let api = Api::with(options).await;
    let node = Node::new();
    let _shipper =
        start_with(&node, &logd, &api, |options| options.pods = api.cluster.state().join("pods"))
            .await;
    let script = |words: &str| {
        json!([
            "/bin/sh",
            "-c",
            format!("for i in $(seq 1 300); do echo {words} $i; sleep 0.001; done")
        ])
    };
    let long = "head -c 40000 /dev/zero | tr '\\0' x; echo; echo end";
    let by = fairlead_cluster::WriteOptions::by("test");
    let pod = json!({
        "metadata": {"name": "many"},
        "spec": {"restartPolicy": "Never", "containers": [
            {"name": "a", "image": "x", "command": script("first")},
            {"name": "b", "image": "x", "command": script("second")},
            {"name": "c", "image": "x", "command": ["/bin/sh", "-c", long]},
        ]},
    });
    api.cluster.registry().create(&fairlead_cluster::kinds::POD, Some("shop"), pod, &by).unwrap();
    let numbered = |words: &str| (1..=300).map(|i| format!("{words} {i}")).collect::<Vec<_>>();
    logd.until("all lines of all containers", |state| {
        // What a rotation divides is two records, the first of which says so.
        let of = |container: &str| {
            let keys = state.order.iter().filter(|key| key.1 == container);
            let mut text = String::new();
            for line in keys.flat_map(|key| &state.files[key].lines) {
                text.push_str(std::str::from_utf8(&line.payload).unwrap());
                text.push_str(if line.flags.contains(Flags::CUT) { "" } else { "\n" });
            }
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let long = of("c").iter().map(String::len).collect::<Vec<_>>() == [40_000, 3];
        (of("a") == numbered("first") && of("b") == numbered("second") && long).then_some(())
    })
    .await;
    logd.look(|state| {
        assert!(state.files.keys().filter(|key| key.1 == "a").count() > 1, "it was rotated");
        assert!(state.gaps.is_empty() && state.faults.is_empty(), "{state:?}");
    });
}

#[tokio::test]
async fn a_static_pod_is_known_by_the_hash_of_its_configuration() {
    let (node, logd, api) = (Node::new(), Logd::start(Manner::default()).await, Api::start().await);
    let hash = "0b2c8e1f";
    api.pod(
        "proxy-local",
        json!({"annotations": {"kubernetes.io/config.hash": hash}, "labels": {"app": "proxy"}}),
    );
    let _shipper = start(&node, &logd, &api).await;
    node.container(&format!("shop_proxy-local_{hash}"), "web").write(&["hello"]);
    logd.lines(&["hello"]).await;
    assert_eq!(logd.look(|state| state.with("hello").unwrap().source.app.clone()), "proxy");
}

/// Anybody may write the annotation that the pods in the API that show static ones have.
#[tokio::test]
async fn a_pod_that_claims_anothers_uid_has_none_of_its_lines() {
    let (node, logd, api) = (Node::new(), Logd::start(Manner::default()).await, Api::start().await);
    let app = api.pod("web-1", json!({"labels": {"app": "store"}}));
    let uid = app.rsplit('_').next().unwrap();
    let claim = |more: serde_json::Value| {
        let mut annotations = json!({"kubernetes.io/config.hash": uid, "fairlead.dev/app": "spy"});
        annotations.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"annotations": annotations})
    };
    api.pod("spy-1", claim(json!({})));
    api.pod("spy-2", claim(json!({"fairlead.dev/log-exclude": "true"})));
    let _shipper = start(&node, &logd, &api).await;
    let mut web = node.container(&app, "web");
    web.write(&["one"]);
    logd.lines(&["one"]).await;
    api.pod("spy-3", claim(json!({})));
    web.write(&["two"]);
    logd.lines(&["one", "two"]).await;
    logd.look(|state| {
        let apps: BTreeSet<_> = state.files.values().map(|file| &*file.source.app).collect();
        assert_eq!(apps, ["store"].into());
    });
}

#[tokio::test]
async fn limits_of_an_app_are_told_when_they_change_and_when_they_are_gone() {
    let (node, logd, api) = (Node::new(), Logd::start(Manner::default()).await, Api::start().await);
    let pod = api.pod("web-1", json!({}));
    let _shipper = start(&node, &logd, &api).await;
    let mut log = node.container(&pod, "web");
    log.write(&["one"]);
    logd.lines(&["one"]).await;
    let own = Limits { bytes: 0, lines: 7, age: 0 };
    for (annotations, limits) in
        [(vec![("fairlead.dev/log-lines", "7")], Some(own)), (vec![], None)]
    {
        api.annotate("web-1", &annotations.into_iter().collect());
        logd.until(&format!("{limits:?}"), |state| {
            (state.with("one")?.source.limits == limits).then_some(())
        })
        .await;
    }
    log.write(&["two"]);
    logd.lines(&["one", "two"]).await;
    assert!(logd.look(|state| state.gaps.is_empty() && state.faults.is_empty()));
}

#[tokio::test]
async fn what_is_excluded_is_counted_and_not_sent() {
    let manner = Manner { history: 1 << 20, ..Manner::default() };
    let (node, logd, api) = (Node::new(), Logd::start(manner).await, Api::start().await);
    let all = api.pod("quiet-1", json!({"annotations": {"fairlead.dev/log-exclude": "true"}}));
    let one = api.pod("web-1", json!({"annotations": {"fairlead.dev/log-exclude": "sidecar"}}));
    let shipper = start(&node, &logd, &api).await;
    let mut quiet = node.container(&all, "web");
    quiet.write(&["not this"]);
    node.container(&one, "sidecar").write(&["nor this"]);
    node.container(&one, "web").write(&["this"]);
    logd.lines(&["this"]).await;
    let excluded = "fairlead_shipper_records_total{fate=\"excluded\"}";
    until_metric(shipper.admin_addr(), excluded, |count| count == 2).await;
    // What is written once the annotation is gone is sent.
    api.annotate("quiet-1", &BTreeMap::new());
    loop {
        quiet.write(&["now"]);
        if logd.look(|state| state.with("now").is_some()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(logd.look(|state| state.with("not this").is_none()));
    // One that is started again and another logd are told no more.
    shipper.shutdown().await;
    logd.restart("another");
    quiet.write(&["and now"]);
    let _shipper = start(&node, &logd, &api).await;
    logd.ends("shop/quiet-1", "and now").await;
    logd.look(|state| assert!(state.with("now").is_some() && state.with("not this").is_none()));
}

#[tokio::test]
async fn what_was_excluded_is_not_sent_later_to_any_logd() {
    let manner = Manner { history: 1 << 20, ..Manner::default() };
    let (node, logd, api) = (Node::new(), Logd::start(manner).await, Api::start().await);
    let mut log = node.container(&api.pod("web-1", json!({})), "web");
    let shipper = start(&node, &logd, &api).await;
    log.write(&["one"]);
    logd.lines(&["one"]).await;
    api.annotate("web-1", &BTreeMap::from([("fairlead.dev/log-exclude", "web")]));
    let series = "fairlead_shipper_records_total{fate=\"excluded\"}";
    while metric(shipper.admin_addr(), series).await == 0 {
        log.write(&["perhaps"]);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let long = "not this ".repeat(6_000);
    log.write(&[&long]);
    let bytes = "fairlead_shipper_bytes_total{fate=\"excluded\"}";
    until_metric(shipper.admin_addr(), bytes, |count| count > 50_000).await;
    api.annotate("web-1", &BTreeMap::new());
    let now = |state: &State| state.with("now").is_some();
    while !logd.look(now) {
        log.write(&["now"]);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let check = || {
        logd.look(|state| {
            assert!(state.with(&long).is_none());
            assert!(state.gaps.is_empty() && state.faults.is_empty(), "{:?}", state.faults);
        });
    };
    log.write(&["two"]);
    logd.ends("shop/web-1", "two").await;
    check();
    logd.restart("another");
    log.write(&["three"]);
    logd.ends("shop/web-1", "three").await;
    assert!(logd.look(now));
    check();
    shipper.shutdown().await;
    logd.restart("a third");
    log.write(&["four"]);
    let _shipper = start(&node, &logd, &api).await;
    logd.ends("shop/web-1", "four").await;
    assert!(logd.look(now));
    check();
}

#[tokio::test]
async fn what_is_excluded_stays_so_without_the_api() {
    let (node, logd, api) = (Node::new(), Logd::start(Manner::default()).await, Api::start().await);
    let quiet = api.pod("quiet-1", json!({"annotations": {"fairlead.dev/log-exclude": "true"}}));
    let mut log = node.container(&quiet, "web");
    log.write(&["not this"]);
    let wait = |options: &mut ShipperOptions| options.pod_wait = Duration::from_millis(200);
    let shipper = start_with(&node, &logd, &api, wait).await;
    let excluded = "fairlead_shipper_records_total{fate=\"excluded\"}";
    until_metric(shipper.admin_addr(), excluded, |count| count == 1).await;
    shipper.shutdown().await;
    api.cluster.faults().refuse(u32::MAX, fairlead_cluster::http::Refusal::InternalError);
    log.write(&["nor this"]);
    let shipper = start_with(&node, &logd, &api, wait).await;
    until_metric(shipper.admin_addr(), excluded, |count| count == 1).await;
    assert!(logd.look(|state| state.files.is_empty()));
}

/// Writes lines of 16 KB and their numbers, 2 MiB in all, and a last one.
fn fill(log: &mut ContainerLog, last: &str) {
    for number in 0..128 {
        log.write(&[&format!("{number} {}", "x".repeat(16 << 10))]);
    }
    log.write(&[last]);
}

/// Names the app of `web-1`, as it is known from an annotation.
fn name(api: &Api, app: &str) {
    api.annotate("web-1", &BTreeMap::from([("fairlead.dev/app", app)]));
}

#[tokio::test]
async fn a_pod_whose_app_is_renamed_goes_on_and_stops_no_other() {
    let manner = Manner { history: 1 << 20, ..Manner::default() };
    let (node, logd, api) = (Node::new(), Logd::start(manner).await, Api::start().await);
    let pods = ["web-1", "web-2"].map(|pod| api.pod(pod, json!({})));
    let [mut log, mut other] = pods.map(|directory| node.container(&directory, "web"));
    fill(&mut log, "one");
    other.write(&["of the other"]);
    let window = |options: &mut ShipperOptions| options.window = 1 << 20;
    let shipper = start_with(&node, &logd, &api, window).await;
    logd.ends("shop/web-1", "one").await;
    logd.ends("shop/web-2", "of the other").await;
    let unacknowledged = "fairlead_shipper_unacknowledged_bytes";
    until_metric(shipper.admin_addr(), unacknowledged, |bytes| bytes == 0).await;
    name(&api, "store");
    logd.ends("shop/store", "one").await;
    log.write(&["two"]);
    other.write(&["more of the other"]);
    logd.ends("shop/store", "two").await;
    logd.ends("shop/web-2", "more of the other").await;
    until_metric(shipper.admin_addr(), unacknowledged, |bytes| bytes == 0).await;
    // The new app's log is sent what a new instance is.
    let history = |state: &State| {
        let lines = &state.of("shop/store")[0].lines;
        lines.iter().map(|line| line.history).collect::<Vec<_>>()
    };
    let history = logd.look(history);
    let (new, old) = history.split_last().unwrap();
    assert!(!new && old.len() < 70 && old.iter().all(|history| *history), "{history:?}");
    // It is renamed while nobody looks.
    shipper.shutdown().await;
    name(&api, "shop");
    log.write(&["three"]);
    let _shipper = start_with(&node, &logd, &api, window).await;
    logd.ends("shop/shop", "three").await;
    assert!(logd.look(|state| state.of("shop/shop")[0].lines.len() < 70));
    // What has its lines already gets those that it lacks.
    name(&api, "store");
    logd.ends("shop/store", "three").await;
    logd.look(|state| {
        assert!(state.gaps.is_empty() && state.faults.is_empty(), "{:?}", state.faults);
    });
}

#[tokio::test]
async fn the_own_namespace_makes_no_loop() {
    let (node, logd, api) = (Node::new(), Logd::start(Manner::default()).await, Api::start().await);
    let own = api.pod("shipper-1", json!({}));
    let options =
        |options: &mut ShipperOptions| options.excluded_namespaces = vec!["shop".to_owned()];
    let shipper = start_with(&node, &logd, &api, options).await;
    // What the shipper says of each line it reads is a line that it reads.
    let mut log = node.container(&own, "web");
    let excluded = "fairlead_shipper_records_total{fate=\"excluded\"}";
    for said in 1..=20 {
        log.write(&["read a line"]);
        until_metric(shipper.admin_addr(), excluded, |count| count == said).await;
    }
    assert_eq!(
        metric(shipper.admin_addr(), "fairlead_shipper_records_total{fate=\"sent\"}").await,
        0
    );
    assert!(logd.look(|state| state.files.is_empty()));
}

#[tokio::test]
async fn lines_beyond_a_container_s_rate_are_dropped_and_counted() {
    let (node, logd, api) = (Node::new(), Logd::start(Manner::default()).await, Api::start().await);
    let loud = api.pod("loud-1", json!({"annotations": {"fairlead.dev/log-rate": "1"}}));
    let other = api.pod("web-1", json!({}));
    let mut log = node.container(&loud, "web");
    log.write(&["line"; 100]);
    let _shipper = start(&node, &logd, &api).await;
    let lost = logd
        .until("the loss", |state| {
            state.with("line").filter(|file| !file.losses.is_empty()).cloned()
        })
        .await;
    let [loss] = lost.losses.as_slice() else { panic!("{:?}", lost.losses) };
    assert_eq!(loss.reason, i32::from(LossReason::RateLimited));
    assert_eq!((loss.records, loss.bytes), (90, 360));
    assert_eq!(lost.lines.len(), 10);
    node.container(&other, "web").write(&["another"; 100]);
    logd.until("lines of the other", |state| {
        (state.with("another")?.lines.len() == 100).then_some(())
    })
    .await;
}

#[tokio::test]
async fn lines_that_were_written_slowly_pass_whenever_they_are_read() {
    let manner = Manner { history: 1 << 20, ..Manner::default() };
    let (node, logd, api) = (Node::new(), Logd::start(manner).await, Api::start().await);
    let pod = api.pod("web-1", json!({"annotations": {"fairlead.dev/log-rate": "1"}}));
    let mut log = node.container(&pod, "web");
    let slow = |log: &mut ContainerLog, count| {
        for _ in 0..count {
            log.pass(Duration::from_secs(1));
            log.write(&["slow"]);
        }
    };
    // Written while nobody was there.
    slow(&mut log, 40);
    let shipper = start(&node, &logd, &api).await;
    let received = |lines: usize, lost: u64| {
        let logd = &logd;
        async move {
            let what = format!("{lines} lines and {lost} lost");
            logd.until(&what, |state| {
                let file = state.of("shop/web-1").pop()?;
                let losses: u64 = file.losses.iter().map(|loss| loss.records).sum();
                ((file.lines.len(), losses) == (lines, lost)).then_some(())
            })
            .await;
        }
    };
    received(40, 0).await;
    // A line takes up what its second gave.
    log.write(&["fast"; 100]);
    received(49, 91).await;
    logd.restart("another");
    received(49, 91).await;
    // While the shipper is away.
    shipper.shutdown().await;
    slow(&mut log, 40);
    let _shipper = start(&node, &logd, &api).await;
    received(89, 91).await;
    logd.cut();
    slow(&mut log, 20);
    received(109, 91).await;
}

#[tokio::test]
async fn stack_traces_are_one_record_where_that_is_wished_for() {
    let (node, logd, api) = (Node::new(), Logd::start(Manner::default()).await, Api::start().await);
    let joined = api.pod("web-1", json!({"annotations": {"fairlead.dev/log-multiline": "true"}}));
    let _shipper = start(&node, &logd, &api).await;
    let mut log = node.container(&joined, "web");
    log.write(&["Exception: no", "\tat a.b(c)", "Caused by: x", "\t... 1 more", "next"]);
    logd.lines(&["Exception: no\n\tat a.b(c)\nCaused by: x\n\t... 1 more", "next"]).await;
}

#[tokio::test]
async fn a_pod_s_name_that_is_used_again_is_another_pod() {
    let (node, logd, api) = (Node::new(), Logd::start(Manner::default()).await, Api::start().await);
    let first = api.pod("db-0", json!({"labels": {"app": "old"}}));
    let _shipper = start(&node, &logd, &api).await;
    node.container(&first, "web").write(&["of the first"]);
    logd.lines(&["of the first"]).await;
    api.delete("db-0");
    let second = api.pod("db-0", json!({"labels": {"app": "new"}}));
    assert_ne!(first, second);
    node.container(&second, "web").write(&["of the second"]);
    // What the first wrote last is still its own.
    let mut log = node.container(&first, "web");
    log.write(&["more of the first"]);
    logd.until("all lines", |state| {
        let app = |line: &str| state.with(line).map(|file| file.source.app.clone());
        let apps = (app("of the second")?, app("more of the first")?);
        assert_eq!(apps, ("new".to_owned(), "old".to_owned()));
        Some(())
    })
    .await;
}

#[tokio::test]
async fn without_the_api_lines_go_on_and_new_pods_are_known_by_their_paths() {
    let (node, logd, api) = (Node::new(), Logd::start(Manner::default()).await, Api::start().await);
    let known = api.pod("web-1", json!({"labels": {"app": "store"}}));
    let wait = |options: &mut ShipperOptions| options.pod_wait = Duration::from_millis(200);
    let shipper = start_with(&node, &logd, &api, wait).await;
    let mut log = node.container(&known, "web");
    log.write(&["one"]);
    logd.lines(&["one"]).await;
    api.cluster.faults().refuse(u32::MAX, fairlead_cluster::http::Refusal::InternalError);
    api.cluster.drop_watches();
    log.write(&["two"]);
    logd.lines(&["one", "two"]).await;
    let new = api.pod("new-1", json!({"labels": {"app": "store"}}));
    node.container(&new, "web").write(&["three"]);
    logd.lines(&["one", "two", "three"]).await;
    let app = |line: &str| logd.look(|state| state.with(line).unwrap().source.app.clone());
    assert_eq!((app("two"), app("three")), ("store".to_owned(), "new-1".to_owned()));
    // One that is started meanwhile remembers what it knew.
    shipper.shutdown().await;
    log.rotate(1);
    log.write(&["four"]);
    let _shipper = start_with(&node, &logd, &api, wait).await;
    logd.until("the next line", |state| state.with("four").map(drop)).await;
    assert_eq!(app("four"), "store");
    // Once it is back, what is new has its name.
    api.cluster.faults().clear();
    let later = api.pod("later-1", json!({"labels": {"app": "store"}}));
    tokio::time::timeout(Duration::from_secs(30), async {
        for second in 2.. {
            let mut log = node.container(&later, "web");
            log.write(&[&format!("later {second}")]);
            let line = format!("later {second}");
            let app =
                logd.until("the line", |state| Some(state.with(&line)?.source.app.clone())).await;
            if app == "store" {
                break;
            }
            log.rotate(second);
        }
    })
    .await
    .unwrap();
}
