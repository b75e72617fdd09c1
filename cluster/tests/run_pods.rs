//! Pods that really run: environment, volumes, probes, restarts, the end.

mod run_support;

use std::sync::Arc;

use fairlead_cluster::{DeleteOptions, kinds, meta};
use run_support::{get, pod, script, server, service, start};
use serde_json::{Value, json};

fn phase(wanted: &str) -> impl Fn(&Value) -> bool {
    move |pod| pod["status"]["phase"] == wanted
}

fn ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|c| c["type"] == "Ready" && c["status"] == "True")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_ends_shows_how() {
    let run = start().await;
    run.create(&kinds::POD, pod("good", &script("main", "echo done; echo oops >&2")));
    run.create(&kinds::POD, pod("bad", &script("main", "exit 3")));
    let good = run.until(&kinds::POD, "good", phase("Succeeded")).await;
    let ended = &good["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&ended["exitCode"], &ended["reason"]), (&json!(0), &json!("Completed")));
    let bad = run.until(&kinds::POD, "bad", phase("Failed")).await;
    let ended = &bad["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&ended["exitCode"], &ended["reason"]), (&json!(3), &json!("Error")));

    let log = run.logs(&good).join("main/0.log");
    let log = std::fs::read_to_string(log).expect("a log");
    let mut records: Vec<_> =
        log.lines().map(|line| line.split_once(' ').expect("a time and more")).collect();
    records.sort_by_key(|(_, record)| *record);
    assert_eq!(records[0].1, "stderr F oops");
    assert_eq!(records[1].1, "stdout F done");
    for (time, _) in records {
        assert!(time.ends_with('Z') && time.len() == "2026-01-01T00:00:00.000000000Z".len());
        time.parse::<jiff::Timestamp>().expect("RFC 3339");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn environment_and_volumes_come_from_the_spec() {
    let run = start().await;
    run.create(
        &kinds::CONFIG_MAP,
        json!({"metadata": {"name": "conf"}, "data": {"LEVEL": "info", "motd": "hello"}}),
    );
    run.create(
        &kinds::SECRET,
        json!({"metadata": {"name": "keys"}, "data": {"token": "czNjcmV0"}}),
    );
    let lines = "echo $LEVEL $TOKEN $WHERE $IP:$HOST $NAME; cat /etc/app/motd $KEY/token; echo; \
                 echo kept > /data/x; cat /data/x; pwd";
    let container = json!({
        "name": "main",
        "image": "none",
        "command": ["sh", "-c"],
        "args": [lines],
        "envFrom": [{"configMapRef": {"name": "conf"}}],
        "env": [
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
            {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "WHERE", "value": "at-$(LEVEL)"},
            {"name": "KEY", "value": "/etc/keys"},
        ],
        "volumeMounts": [
            {"name": "conf", "mountPath": "/etc/app"},
            {"name": "keys", "mountPath": "/etc/keys"},
            {"name": "data", "mountPath": "/data"},
        ],
        "workingDir": "/data",
    });
    let mut spec = pod("env", &container);
    spec["spec"]["volumes"] = json!([
        {"name": "conf", "configMap": {"name": "conf"}},
        {"name": "keys", "secret": {"secretName": "keys"}},
        {"name": "data", "emptyDir": {}},
    ]);
    run.create(&kinds::POD, spec);
    let done = run.until(&kinds::POD, "env", phase("Succeeded")).await;
    let ip = done["status"]["podIP"].as_str().expect("an address");
    let log = run.log(&done, "main", 0, 4).await;
    assert_eq!(log[0], format!("info s3cret at-info {ip}:{ip} env"));
    assert_eq!(log[1..3], ["hellos3cret", "kept"]);
    assert!(log[3].starts_with(run.cluster.state().to_str().unwrap()), "{}", log[3]);

    run.delete(&kinds::POD, "env", &DeleteOptions::default());
    run.until_gone(&kinds::POD, "env").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn init_containers_run_one_after_another_before_the_others() {
    let run = start().await;
    let mut spec = pod("init", &script("main", "cat /work/order"));
    let mount = json!([{"name": "work", "mountPath": "/work"}]);
    let step = |name: &str, script: &str| {
        let mut container = run_support::script(name, script);
        container["volumeMounts"] = mount.clone();
        container
    };
    spec["spec"]["containers"][0]["volumeMounts"] = mount.clone();
    spec["spec"]["initContainers"] = json!([
        step("one", "sleep 0.1; echo one >> /work/order"),
        step("two", "echo two >> /work/order"),
    ]);
    spec["spec"]["volumes"] = json!([{"name": "work", "emptyDir": {}}]);
    run.create(&kinds::POD, spec);
    let done = run.until(&kinds::POD, "init", phase("Succeeded")).await;
    assert_eq!(run.log(&done, "main", 0, 2).await, ["one", "two"]);
    assert_eq!(done["status"]["initContainerStatuses"][1]["ready"], true);

    let mut broken = pod("broken", &script("main", "echo never"));
    broken["spec"]["initContainers"] = json!([script("one", "exit 7")]);
    run.create(&kinds::POD, broken);
    let failed = run.until(&kinds::POD, "broken", phase("Failed")).await;
    let init = &failed["status"]["initContainerStatuses"][0]["state"]["terminated"];
    assert_eq!(init["exitCode"], 7);
    assert_eq!(
        failed["status"]["containerStatuses"][0]["state"]["waiting"]["reason"],
        "PodInitializing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_waits_for_what_its_spec_names() {
    let run = start().await;
    let mut container = script("main", "echo $A; cat /etc/app/b");
    container["env"] =
        json!([{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "a"}}}]);
    run.create(&kinds::POD, pod("env", &container));
    let waiting = |reason: &'static str| {
        move |pod: &Value| {
            let status = &pod["status"]["containerStatuses"][0];
            status["state"]["waiting"]["reason"] == reason
        }
    };
    let pod_now = run.until(&kinds::POD, "env", waiting("CreateContainerConfigError")).await;
    let message = &pod_now["status"]["containerStatuses"][0]["state"]["waiting"]["message"];
    assert_eq!(message, "configmap \"late\" not found");

    let mut container = script("main", "cat /etc/app/b");
    container["volumeMounts"] = json!([{"name": "v", "mountPath": "/etc/app"}]);
    let mut mounted = pod("volume", &container);
    mounted["spec"]["volumes"] = json!([{"name": "v", "configMap": {"name": "late"}}]);
    run.create(&kinds::POD, mounted);
    let message = run.until_event("volume", "FailedMount").await;
    assert_eq!(message, "MountVolume.SetUp failed: volume \"v\": configmap \"late\" not found");

    run.create(
        &kinds::CONFIG_MAP,
        json!({"metadata": {"name": "late"}, "data": {"a": "A", "b": "B\n"}}),
    );
    let done = run.until(&kinds::POD, "volume", phase("Succeeded")).await;
    assert_eq!(run.log(&done, "main", 0, 1).await, ["B"]);
    run.until(&kinds::POD, "env", |pod| phase("Failed")(pod) || phase("Succeeded")(pod)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_image_without_command_says_what_to_do() {
    let run = start().await;
    run.create(&kinds::POD, pod("nginx", &json!({"name": "main", "image": "nginx:1.29"})));
    let message = run.until_event("nginx", "Failed").await;
    assert!(message.contains("\"nginx:1.29\""), "{message}");
    assert!(message.contains("give the container a command"), "{message}");
    let waiting = |pod: &Value| {
        let state = &pod["status"]["containerStatuses"][0]["state"];
        state["waiting"]["reason"] == "ErrImagePull"
    };
    run.until(&kinds::POD, "nginx", waiting).await;

    let missing = json!({"name": "main", "image": "none", "command": ["no-such-program"]});
    run.create(&kinds::POD, pod("missing", &missing));
    let failed = run.until(&kinds::POD, "missing", phase("Failed")).await;
    let ended = &failed["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&ended["exitCode"], &ended["reason"]), (&json!(128), &json!("StartError")));
    assert_eq!(ended["message"], "exec: \"no-such-program\": executable file not found in $PATH");
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_gates_the_endpoint() {
    let run = start().await;
    run.create(&kinds::SERVICE, service("web", json!("http")));
    let mut spec = pod("web", &server("v1"));
    spec["spec"]["containers"][0]["readinessProbe"]["failureThreshold"] = 1.into();
    run.create(&kinds::POD, spec);
    let (address, port) = run.until_ready("web", 1).await[0].clone();
    get(&address, port, "/sicken").await.expect("an answer");
    run.until_ready("web", 0).await;
    let slices = run.all(&kinds::ENDPOINT_SLICE);
    let known = run_support::endpoints(&slices, "web");
    assert_eq!(known[0].2, json!({"ready": false, "serving": false, "terminating": false}));
    let message = run.until_event("web", "Unhealthy").await;
    assert!(message.contains("Readiness probe failed: "), "{message}");
    run.until(&kinds::POD, "web", |pod| !ready(pod)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_fails_its_liveness_probe_is_restarted() {
    let run = start().await;
    let mut container = server("v1");
    container["livenessProbe"] = json!({
        "httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1,
    });
    let mut spec = pod("web", &container);
    spec["spec"]["restartPolicy"] = "Always".into();
    run.create(&kinds::SERVICE, service("web", json!("http")));
    run.create(&kinds::POD, spec);
    let (address, port) = run.until_ready("web", 1).await[0].clone();
    get(&address, port, "/sicken").await.expect("an answer");
    let restarted =
        |pod: &Value| pod["status"]["containerStatuses"][0]["restartCount"] == 1 && ready(pod);
    let now = run.until(&kinds::POD, "web", restarted).await;
    let last = &now["status"]["containerStatuses"][0]["lastState"]["terminated"];
    assert_eq!((&last["exitCode"], &last["reason"]), (&json!(143), &json!("Error")));
    assert_eq!(
        run.until_event("web", "Killing").await,
        "Container web failed liveness probe, will be restarted"
    );
    assert_eq!(run.until_ready("web", 1).await, [(address.clone(), port)], "the address stays");
    assert_eq!(get(&address, port, "/").await.expect("an answer"), "web v1");
    assert_eq!(run.log(&now, "web", 1, 1).await, [format!("serving v1 on {address}:{port}")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_keeps_ending_backs_off() {
    let run = start().await;
    let mut spec = pod("crash", &script("main", "echo once; exit 1"));
    spec["spec"]["restartPolicy"] = "Always".into();
    run.create(&kinds::POD, spec);
    let waiting = |pod: &Value| {
        let status = &pod["status"]["containerStatuses"][0];
        status["state"]["waiting"]["reason"] == "CrashLoopBackOff" && status["restartCount"] == 2
    };
    let now = run.until(&kinds::POD, "crash", waiting).await;
    let status = &now["status"]["containerStatuses"][0];
    assert_eq!(status["lastState"]["terminated"]["exitCode"], 1);
    assert_eq!(now["status"]["phase"], "Running");
    run.delete(&kinds::POD, "crash", &DeleteOptions::default());
    run.until_gone(&kinds::POD, "crash").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_start_is_given_its_time_by_the_startup_probe() {
    let run = start().await;
    let mut container = script("main", "sleep 0.5; touch /data/up; sleep 1000");
    container["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
    let probe = json!({"exec": {"command": ["test", "-e", "/data/up"]}, "periodSeconds": 1});
    container["startupProbe"] = probe.clone();
    container["livenessProbe"] = probe;
    container["livenessProbe"]["failureThreshold"] = 1.into();
    let mut spec = pod("slow", &container);
    spec["spec"]["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
    run.create(&kinds::POD, spec);
    let started = |pod: &Value| pod["status"]["containerStatuses"][0]["started"] == true;
    let now = run.until(&kinds::POD, "slow", started).await;
    assert!(ready(&now));
    assert_eq!(now["status"]["containerStatuses"][0]["restartCount"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_being_deleted_is_asked_first_and_then_forced() {
    let run = start().await;
    run.create(&kinds::SERVICE, service("polite", json!(80)));
    let directory = tempfile::tempdir().expect("a directory");
    let asked = "trap 'until [ -e /work/go ]; do sleep 0.01; done; echo bye; exit 0' TERM; \
                 echo up; while :; do sleep 0.05; done";
    let mut container = script("main", asked);
    container["volumeMounts"] = json!([{"name": "work", "mountPath": "/work"}]);
    let mut polite = pod("polite", &container);
    polite["spec"]["terminationGracePeriodSeconds"] = 3600.into();
    polite["spec"]["volumes"] =
        json!([{"name": "work", "hostPath": {"path": directory.path().to_str()}}]);
    run.create(&kinds::POD, polite);
    let stubborn = script("main", "trap '' TERM; echo up; while :; do sleep 0.05; done");
    run.create(&kinds::POD, pod("stubborn", &stubborn));
    for name in ["polite", "stubborn"] {
        let running = run.until(&kinds::POD, name, ready).await;
        run.log(&running, "main", 0, 1).await;
    }
    run.until_ready("polite", 1).await;
    let polite = run.until(&kinds::POD, "polite", |_| true).await;

    // Asked: its endpoint is told to be ending, and it takes its time, but not all of its grace.
    run.delete(&kinds::POD, "polite", &DeleteOptions::default());
    let ending = json!({"ready": false, "serving": true, "terminating": true});
    let told = |slices: &[Arc<Value>]| {
        let endpoints = run_support::endpoints(slices, "polite");
        (endpoints.len() == 1 && endpoints[0].2 == ending).then_some(())
    };
    run.until_all(&kinds::ENDPOINT_SLICE, "an ending endpoint", told).await;
    std::fs::write(directory.path().join("go"), "").expect("written");
    run.until_gone(&kinds::POD, "polite").await;
    let log = run.log(&polite, "main", 0, 2).await;
    assert!(log.contains(&"bye".to_owned()), "{log:?}");

    // Forced: it does not go by itself.
    let grace = DeleteOptions { grace: Some(1), ..DeleteOptions::default() };
    run.delete(&kinds::POD, "stubborn", &grace);
    let still = run.until(&kinds::POD, "stubborn", meta::is_deleting).await;
    assert!(ready(&still));
    run.until_gone(&kinds::POD, "stubborn").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_removed_by_force_leaves_no_process() {
    let run = start().await;
    let stubborn = "trap '' TERM; sleep 1000 & echo $$$$ $!; while :; do sleep 0.05; done";
    run.create(&kinds::POD, pod("stubborn", &script("main", stubborn)));
    let running = run.until(&kinds::POD, "stubborn", ready).await;
    let pids = run.log(&running, "main", 0, 1).await[0].clone();
    pids.split(' ').for_each(run_support::assert_process);
    let now = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
    run.delete(&kinds::POD, "stubborn", &now);
    run.until_gone(&kinds::POD, "stubborn").await;
    for pid in pids.split(' ') {
        run_support::until_process_gone(pid).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_cluster_ends_every_pod() {
    let run = start().await;
    run.create(&kinds::POD, pod("sleeper", &script("main", "sleep 1000 & echo $$$$ $!; wait")));
    let running = run.until(&kinds::POD, "sleeper", ready).await;
    let pids = run.log(&running, "main", 0, 1).await[0].clone();
    pids.split(' ').for_each(run_support::assert_process);
    let state = run.cluster.state().to_owned();
    drop(run);
    for pid in pids.split(' ') {
        run_support::until_process_gone(pid).await;
    }
    assert!(!state.exists(), "the temporary directory is gone too");
}

#[tokio::test(flavor = "multi_thread")]
async fn mounted_configuration_follows_its_object() {
    let run = start().await;
    run.create(&kinds::CONFIG_MAP, json!({"metadata": {"name": "conf"}, "data": {"a": "one"}}));
    let wait = "until grep -q two /etc/app/a; do sleep 0.02; done; cat /etc/app/a";
    let mut container = script("main", wait);
    container["volumeMounts"] = json!([{"name": "v", "mountPath": "/etc/app"}]);
    let mut spec = pod("reader", &container);
    spec["spec"]["volumes"] = json!([{"name": "v", "configMap": {"name": "conf"}}]);
    run.create(&kinds::POD, spec);
    run.until(&kinds::POD, "reader", phase("Running")).await;
    run.edit(&kinds::CONFIG_MAP, "conf", |conf| conf["data"]["a"] = "two".into());
    let done = run.until(&kinds::POD, "reader", phase("Succeeded")).await;
    assert_eq!(run.log(&done, "main", 0, 1).await, ["two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_containers_are_ready_together() {
    let run = start().await;
    let mut spec = pod("pair", &script("one", "sleep 1000"));
    let mut second = script("two", "sleep 1000");
    second["readinessProbe"] = json!({"exec": {"command": ["false"]}, "periodSeconds": 1});
    spec["spec"]["containers"].as_array_mut().unwrap().push(second);
    run.create(&kinds::POD, spec);
    let now = run.until(&kinds::POD, "pair", phase("Running")).await;
    let unready = |pods: &[Arc<Value>]| {
        let conditions = pods[0]["status"]["conditions"].as_array()?;
        let condition = conditions.iter().find(|condition| condition["type"] == "Ready")?;
        let message = condition["message"].as_str()?;
        (message == "containers with unready status: [two]").then_some(())
    };
    run.until_all(&kinds::POD, "one unready", unready).await;
    assert_eq!(meta::name(&now), "pair");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pre_stop_hook_runs_before_the_program_is_asked_to_end() {
    let run = start().await;
    let waits = "trap 'ls /work; exit 0' TERM; echo up; while :; do sleep 0.05; done";
    let mut container = script("main", waits);
    container["volumeMounts"] = json!([{"name": "work", "mountPath": "/work"}]);
    container["lifecycle"] = json!({"preStop": {"exec": {"command": ["touch", "/work/hooked"]}}});
    let mut spec = pod("hooked", &container);
    spec["spec"]["volumes"] = json!([{"name": "work", "emptyDir": {}}]);
    run.create(&kinds::POD, spec);
    let running = run.until(&kinds::POD, "hooked", ready).await;
    run.log(&running, "main", 0, 1).await;
    run.delete(&kinds::POD, "hooked", &DeleteOptions::default());
    run.until_gone(&kinds::POD, "hooked").await;
    let log = run.log(&running, "main", 0, 2).await;
    assert!(log.contains(&"hooked".to_owned()), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_has_a_token_of_its_own_while_it_lives() {
    let run = start().await;
    run.create(
        &kinds::POD,
        pod(
            "client",
            &script("main", "grep token: $KUBECONFIG; stat -c %a $KUBECONFIG; sleep 1000"),
        ),
    );
    let running = run.until(&kinds::POD, "client", ready).await;
    let log = run.log(&running, "main", 0, 2).await;
    let token = log[0].trim().strip_prefix("token: ").expect("a token");
    let user = run.cluster.tokens().user(token);
    assert_eq!(user.as_deref(), Some("system:serviceaccount:app:default"));
    assert_eq!(log[1], "600");
    run.delete(&kinds::POD, "client", &DeleteOptions::default());
    run.until_gone(&kinds::POD, "client").await;
    let wait = async {
        while run.cluster.tokens().user(token).is_some() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), wait).await.expect("revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn absurd_numbers_cost_nothing_but_their_own_pod() {
    let run = start().await;
    let mut container = script("main", "trap 'exit 0' TERM; while :; do sleep 0.05; done");
    container["livenessProbe"] = json!({
        "exec": {"command": ["true"]}, "periodSeconds": i32::MAX, "initialDelaySeconds": i32::MAX,
    });
    run.create(&kinds::POD, pod("absurd", &container));
    run.until(&kinds::POD, "absurd", ready).await;
    let long = DeleteOptions { grace: Some(i64::MAX), ..DeleteOptions::default() };
    run.delete(&kinds::POD, "absurd", &long);
    run.until_gone(&kinds::POD, "absurd").await;
}
