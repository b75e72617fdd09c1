//! kubectl, unchanged, against a cluster that runs pods.

mod real;
mod run_support;
mod tool;

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::ChildStdout;
use tokio::time::timeout;
use tool::Tool;

/// Tests that hold for the embedded server and for a real one.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $test() {
                let tool = super::tool::Tool::start(stringify!($test), "kubectl").await;
                let Some(kubectl) = tool else { return };
                super::$test(&kubectl).await;
            })+
        }
        mod on_a_real_server {
            $(#[tokio::test]
            async fn $test() {
                let tool = super::tool::Tool::real(stringify!($test), "kubectl").await;
                let Some(kubectl) = tool else { return };
                super::$test(&kubectl).await;
                kubectl.end().await;
            })+
        }
    };
}

on_both! {
    manifests_are_applied_compared_and_deleted,
    a_watch_prints_changes_as_they_happen,
    small_edits_and_questions,
    custom_kinds_are_defined_used_and_removed,
    long_lists_come_in_chunks,
}

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: s}
spec:
  selector: {app: w}
  ports: [{name: http, port: 80, targetPort: http}]
";

const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: w}
spec:
  replicas: 1
  selector: {matchLabels: {app: w}}
  template:
    metadata: {labels: {app: w}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: talk
        image: helper
        args: [serve, hello]
        env: [{name: PORT, value: '8080'}]
        ports: [{name: http, containerPort: 8080}]
        readinessProbe: {httpGet: {path: /health, port: http}, periodSeconds: 1}
";

/// Words of the lines after the head of a table.
fn rows(table: &str) -> Vec<Vec<&str>> {
    table.lines().skip(1).map(|line| line.split_whitespace().collect()).collect()
}

/// The next line of a command that goes on.
async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> String {
    let line = timeout(Duration::from_secs(20), lines.next_line()).await.expect("in time");
    line.expect("read").expect("a line")
}

/// Whether this is what kubectl says of an object that it deletes: newer ones (1.34) name the
/// namespace too.
fn says_deleted(said: &str, object: &str, namespace: &str) -> bool {
    let older = format!("{object} deleted\n");
    said == older || said == format!("{object} deleted from {namespace} namespace\n")
}

async fn manifests_are_applied_compared_and_deleted(kubectl: &Tool) {
    kubectl.file("svc.yaml", SERVICE);
    kubectl.file("svc2.yaml", &SERVICE.replace("port: 80,", "port: 81,"));
    assert!(kubectl.ok("version").await.contains("Server Version: v1."));
    assert_eq!(kubectl.ok("apply -f svc.yaml").await, "service/s created\n");
    assert_eq!(kubectl.ok("apply -f svc.yaml").await, "service/s unchanged\n");
    let diff = kubectl.run("diff -f svc2.yaml").await;
    assert_eq!(diff.code, Some(1), "{}", diff.err);
    assert!(
        diff.out.contains("-    port: 80") && diff.out.contains("+    port: 81"),
        "{}",
        diff.out
    );
    assert_eq!(kubectl.ok("apply -f svc2.yaml").await, "service/s configured\n");
    let services = kubectl.ok("get services").await;
    let row = rows(&services)[0].clone();
    assert_eq!((row[0], row[1], row[4]), ("s", "ClusterIP", "81/TCP"), "{services}");
    assert_eq!(kubectl.ok("get service s -o jsonpath={.spec.ports[0].targetPort}").await, "http");

    kubectl.file("bad.yaml", &SERVICE.replace("selector", "selektor"));
    let bad = kubectl.run("apply -f bad.yaml").await;
    assert_eq!(bad.code, Some(1));
    assert!(bad.err.contains("unknown field \"spec.selektor\""), "{}", bad.err);

    assert_eq!(
        kubectl.ok("apply --server-side -f svc2.yaml --force-conflicts").await,
        "service/s serverside-applied\n"
    );
    let said = kubectl.ok("delete -f svc2.yaml").await;
    assert!(says_deleted(&said, "service \"s\"", &kubectl.namespace), "{said}");
    let gone = kubectl.run("get service s").await;
    assert_eq!(
        (gone.code, gone.err.as_str()),
        (Some(1), "Error from server (NotFound): services \"s\" not found\n")
    );
}

#[tokio::test]
async fn a_deployment_is_rolled_out_described_logged_and_scaled() {
    let Some(kubectl) =
        Tool::start("a_deployment_is_rolled_out_described_logged_and_scaled", "kubectl").await
    else {
        return;
    };
    kubectl.file("dep.yaml", DEPLOYMENT);
    assert_eq!(kubectl.ok("create -f dep.yaml").await, "deployment.apps/w created\n");
    let status = kubectl.ok("rollout status deployment/w --timeout=30s").await;
    assert!(status.ends_with("deployment \"w\" successfully rolled out\n"), "{status}");
    let all = kubectl.ok("get deployment,rs").await;
    assert!(all.contains("deployment.apps/w   1/1     1            1"), "{all}");
    let pods = kubectl.ok("get pods -l app=w -o wide").await;
    let pod = rows(&pods)[0].clone();
    assert_eq!(pod[1..4], ["1/1", "Running", "0"], "{pods}");
    assert_eq!(pod[6], "local", "{pods}");

    let described = kubectl.ok(&format!("describe pod {}", pod[0])).await;
    for expected in ["Controlled By:  ReplicaSet/w-", "Readiness:", "Started container talk"] {
        assert!(described.contains(expected), "{expected:?} in {described}");
    }
    let log = kubectl.ok("logs --tail=1 deployment/w").await;
    assert!(log.starts_with("serving hello on "), "{log}");
    let mut follow = kubectl
        .command(&format!("logs -f {}", pod[0]))
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(follow.stdout.take().expect("piped")).lines();
    let line = next(&mut lines).await;
    let address = line.strip_prefix("serving hello on ").expect("the first line");
    // What is written once the first line has been seen comes too.
    let (host, port) = address.split_once(':').expect("an address");
    let port = port.parse().expect("a port");
    run_support::get(host, port, "/say/this").await.expect("an answer");
    assert_eq!(next(&mut lines).await, "asked to say this");
    follow.kill().await.expect("killed");

    assert_eq!(kubectl.ok("scale deployment/w --replicas=2").await, "deployment.apps/w scaled\n");
    kubectl.ok("rollout status deployment/w --timeout=30s").await;
    assert_eq!(rows(&kubectl.ok("get pods -l app=w").await).len(), 2);
    assert_eq!(kubectl.ok("set env deployment/w A=1").await, "deployment.apps/w env updated\n");
    assert_eq!(kubectl.ok("rollout restart deployment/w").await, "deployment.apps/w restarted\n");
    kubectl.ok("rollout status deployment/w --timeout=30s").await;
    let history = kubectl.ok("rollout history deployment/w").await;
    assert!(history.contains("3         <none>"), "{history}");
    assert_eq!(
        kubectl.ok("wait --for=condition=Available deployment/w --timeout=30s").await,
        "deployment.apps/w condition met\n"
    );
    assert!(kubectl.ok("get events").await.contains("ScalingReplicaSet"));
    let said = kubectl.ok("delete -f dep.yaml").await;
    assert!(says_deleted(&said, "deployment.apps \"w\"", &kubectl.namespace), "{said}");
    kubectl.ok("wait --for=delete pod -l app=w --timeout=30s").await;
}

async fn a_watch_prints_changes_as_they_happen(kubectl: &Tool) {
    kubectl.ok("create secret generic first --from-literal=a=b").await;
    let mut watch =
        kubectl.command("get secrets -w").stdout(Stdio::piped()).spawn().expect("starts");
    let mut lines = BufReader::new(watch.stdout.take().expect("piped")).lines();
    for expected in ["NAME", "first"] {
        let line = next(&mut lines).await;
        assert!(line.starts_with(expected), "{line}");
    }
    kubectl.ok("create secret generic second --from-literal=a=b").await;
    let line = next(&mut lines).await;
    assert_eq!(line.split_whitespace().take(2).collect::<Vec<_>>(), ["second", "Opaque"]);
    watch.kill().await.expect("killed");
}

async fn small_edits_and_questions(kubectl: &Tool) {
    // These come as protobuf.
    assert_eq!(
        kubectl.ok("create configmap cm --from-literal=a=b").await,
        "configmap/cm created\n"
    );
    assert_eq!(
        kubectl.ok("create secret generic sec --from-literal=a=b").await,
        "secret/sec created\n"
    );
    assert_eq!(kubectl.ok("auth can-i create pods").await, "yes\n");
    assert_eq!(kubectl.ok("label cm cm x=1").await, "configmap/cm labeled\n");
    assert_eq!(kubectl.ok("annotate cm cm y=2").await, "configmap/cm annotated\n");
    let patch = r#"patch cm cm --type=json -p [{"op":"add","path":"/data/z","value":"1"}]"#;
    assert_eq!(kubectl.ok(patch).await, "configmap/cm patched\n");
    assert_eq!(
        kubectl
            .ok("get cm cm -o jsonpath={.metadata.labels.x}{.metadata.annotations.y}{.data.z}")
            .await,
        "121"
    );
    let secret = kubectl.ok("get secret sec -o jsonpath={.data.a}").await;
    assert_eq!(secret, "Yg==");
    let explained = kubectl.ok("explain deployment.spec.strategy").await;
    assert!(explained.contains("rollingUpdate\t<RollingUpdateDeployment>"), "{explained}");
    let resources = kubectl.ok("api-resources").await;
    assert!(resources.contains("endpointslices"), "{resources}");
    let namespace = format!("{}-tmp", kubectl.namespace);
    assert_eq!(
        kubectl.ok(&format!("create namespace {namespace}")).await,
        format!("namespace/{namespace} created\n")
    );
    assert_eq!(
        kubectl.ok(&format!("delete namespace {namespace} --timeout=30s")).await,
        format!("namespace \"{namespace}\" deleted\n")
    );
}

const DEFINITION: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: foos.ex.io}
spec:
  group: ex.io
  scope: Namespaced
  names: {plural: foos, kind: Foo, shortNames: [fo]}
  versions:
  - name: v1
    served: true
    storage: true
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    subresources: {scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {type: integer, minimum: 1, description: How many.}
              color: {type: string, default: red}
          status: {type: object, properties: {size: {type: integer}}}
";

async fn custom_kinds_are_defined_used_and_removed(kubectl: &Tool) {
    kubectl.file("crd.yaml", DEFINITION);
    let object = |size: &str| {
        format!("apiVersion: ex.io/v1\nkind: Foo\nmetadata: {{name: a}}\nspec: {{size: {size}}}\n")
    };
    kubectl.file("a.yaml", &object("3"));
    kubectl.file("a2.yaml", &object("4"));
    kubectl.file("bad.yaml", &object("0"));
    let definition = "customresourcedefinition.apiextensions.k8s.io";
    assert_eq!(kubectl.ok("apply -f crd.yaml").await, format!("{definition}/foos.ex.io created\n"));
    assert_eq!(
        kubectl.ok("wait --for=condition=Established crd/foos.ex.io --timeout=30s").await,
        format!("{definition}/foos.ex.io condition met\n")
    );
    assert_eq!(kubectl.ok("apply -f a.yaml").await, "foo.ex.io/a created\n");
    assert_eq!(kubectl.ok("apply -f a.yaml").await, "foo.ex.io/a unchanged\n");
    assert_eq!(kubectl.ok("apply -f a2.yaml").await, "foo.ex.io/a configured\n");
    let bad = kubectl.run("apply -f bad.yaml").await;
    assert_eq!(
        bad.err.trim(),
        "The Foo \"a\" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1"
    );
    assert_eq!(rows(&kubectl.ok("get fo").await), [["a", "4"]]);
    assert_eq!(kubectl.ok("get foo a -o jsonpath={.spec.color}").await, "red");
    assert_eq!(kubectl.ok("scale foo/a --replicas=5").await, "foo.ex.io/a scaled\n");
    assert_eq!(
        kubectl.ok("apply --server-side --force-conflicts -f a.yaml").await,
        "foo.ex.io/a serverside-applied\n"
    );
    let explained = kubectl.ok("explain foo.spec.size").await;
    assert!(
        explained.contains("FIELD: size <integer>") && explained.contains("How many."),
        "{explained}"
    );
    assert_eq!(
        kubectl.ok("delete crd foos.ex.io --timeout=30s").await,
        format!("{definition} \"foos.ex.io\" deleted\n")
    );
    assert_eq!(kubectl.run("get foos").await.code, Some(1));
}

async fn long_lists_come_in_chunks(kubectl: &Tool) {
    let maps: Vec<String> = (0..7)
        .map(|n| {
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m{n}, labels: {{kind: long}}}}\n")
        })
        .collect();
    kubectl.file("maps.yaml", &maps.join("---\n"));
    kubectl.ok("apply -f maps.yaml").await;
    let lists = || {
        let accesses = kubectl.run.as_ref()?.cluster.tokens().accesses("tester");
        Some(accesses.iter().filter(|(access, _)| access.verb == "list").map(|(_, n)| n).sum())
    };
    let before: Option<u64> = lists();
    let expected: String = (0..7).map(|n| format!("configmap/m{n}\n")).collect();
    assert_eq!(kubectl.ok("get cm -l kind=long -o name --chunk-size=3").await, expected);
    assert_eq!(lists(), before.map(|before| before + 3), "7 in chunks of 3");
}
