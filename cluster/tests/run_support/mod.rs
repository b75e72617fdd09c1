//! A cluster that runs pods, for tests.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fairlead_cluster::{
    Cluster, ClusterOptions, DeleteOptions, Kind, Registry, Selector, WriteOptions, kinds, meta,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No wait of a test is longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The helper program's file.
pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_cluster-test-helper");

/// A cluster with namespace `app`, restarts without much waiting, and an image `helper`.
pub(crate) struct Run {
    pub(crate) cluster: Cluster,
}

pub(crate) async fn start() -> Run {
    start_with(|_| ()).await
}

/// The same with other options.
pub(crate) async fn start_with(change: impl FnOnce(&mut ClusterOptions)) -> Run {
    let mut options = ClusterOptions::default();
    options.supervisor = vec![HELPER.to_owned(), "supervise".to_owned()];
    options.images = [("helper".to_owned(), vec![HELPER.to_owned()])].into();
    options.restart_backoff = Duration::from_millis(50);
    change(&mut options);
    let cluster = Cluster::start(options).await.expect("started");
    let run = Run { cluster };
    run.create(&kinds::NAMESPACE, json!({"metadata": {"name": "app"}}));
    run
}

fn options() -> WriteOptions {
    WriteOptions::by("test")
}

impl Run {
    pub(crate) fn registry(&self) -> &Registry {
        self.cluster.registry()
    }

    pub(crate) fn create(&self, kind: &'static Kind, object: Value) -> Arc<Value> {
        self.registry().create(kind, Some("app"), object, &options()).expect("created")
    }

    pub(crate) fn edit(&self, kind: &'static Kind, name: &str, edit: impl FnOnce(&mut Value)) {
        let edit = |object: &mut Value| {
            edit(object);
            Ok(())
        };
        self.registry().modify(kind, Some("app"), name, None, &options(), edit).expect("edited");
    }

    pub(crate) fn delete(&self, kind: &'static Kind, name: &str, delete: &DeleteOptions) {
        self.registry().delete(kind, Some("app"), name, delete, &options()).expect("deleted");
    }

    pub(crate) fn all(&self, kind: &'static Kind) -> Vec<Arc<Value>> {
        self.registry().list(kind, Some("app"), &Selector::everything()).items
    }

    /// Waits until the objects of a kind are as wanted.
    pub(crate) async fn until_all<T>(
        &self,
        kind: &'static Kind,
        what: &str,
        wanted: impl Fn(&[Arc<Value>]) -> Option<T>,
    ) -> T {
        let mut watch = self.registry().list_watch(kind, Some("app"), &Selector::everything());
        let wait = async {
            loop {
                if let Some(found) = wanted(&self.all(kind)) {
                    return found;
                }
                watch.next().await.expect("within the window");
            }
        };
        match timeout(PATIENCE, wait).await {
            Ok(found) => found,
            Err(_) => panic!("never {what}; there are {}", shown(&self.all(kind))),
        }
    }

    /// Waits until an object is as wanted.
    pub(crate) async fn until(
        &self,
        kind: &'static Kind,
        name: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Arc<Value> {
        let find = |all: &[Arc<Value>]| {
            all.iter().find(|object| meta::name(object) == name && wanted(object)).cloned()
        };
        self.until_all(kind, &format!("{name} as wanted"), find).await
    }

    /// Waits until an object is gone.
    pub(crate) async fn until_gone(&self, kind: &'static Kind, name: &str) {
        let none = |all: &[Arc<Value>]| all.iter().all(|o| meta::name(o) != name).then_some(());
        self.until_all(kind, &format!("{name} gone"), none).await;
    }

    /// Waits until a Service has this number of ready endpoints, in slices together.
    pub(crate) async fn until_ready(&self, service: &str, count: usize) -> Vec<(String, u16)> {
        let ready = |slices: &[Arc<Value>]| {
            let found: Vec<_> = endpoints(slices, service)
                .into_iter()
                .filter(|(_, _, conditions)| conditions["ready"] == true)
                .map(|(address, port, _)| (address, port))
                .collect();
            (found.len() == count).then_some(found)
        };
        self.until_all(&kinds::ENDPOINT_SLICE, &format!("{count} ready endpoints"), ready).await
    }

    /// Waits for an Event with this reason about an object.
    pub(crate) async fn until_event(&self, name: &str, reason: &str) -> String {
        let find = |events: &[Arc<Value>]| {
            let mut events = events.iter();
            let found = events.find(|event| {
                event["involvedObject"]["name"] == name && event["reason"] == reason
            })?;
            Some(found["message"].as_str().unwrap_or_default().to_owned())
        };
        self.until_all(&kinds::EVENT, &format!("an Event {reason} about {name}"), find).await
    }

    /// The directory of the pod's logs.
    pub(crate) fn logs(&self, pod: &Value) -> PathBuf {
        let name = format!("app_{}_{}", meta::name(pod), meta::uid(pod));
        self.cluster.state().join("pods").join(name)
    }

    /// The lines of a container's log, without time, stream and tag. Waits until there are so many.
    pub(crate) async fn log(
        &self,
        pod: &Value,
        container: &str,
        run: u32,
        lines: usize,
    ) -> Vec<String> {
        let path = self.logs(pod).join(container).join(format!("{run}.log"));
        let read = || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let content = |line: &str| line.splitn(4, ' ').nth(3).unwrap_or_default().to_owned();
            text.lines().map(content).collect::<Vec<_>>()
        };
        let wait = async {
            loop {
                let found = read();
                if found.len() >= lines {
                    return found;
                }
                // Files cannot be awaited.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        match timeout(PATIENCE, wait).await {
            Ok(found) => found,
            Err(_) => panic!("never {lines} lines in {path:?}: {:?}", read()),
        }
    }
}

/// Objects without the records of who wrote what.
fn shown(objects: &[Arc<Value>]) -> String {
    let shown = objects.iter().map(|object| {
        let mut object = Value::clone(object);
        meta::set(&mut object, "managedFields", None);
        object.to_string()
    });
    shown.collect::<Vec<_>>().join("\n")
}

/// Addresses, ports and conditions of a Service's endpoints.
pub(crate) fn endpoints(slices: &[Arc<Value>], service: &str) -> Vec<(String, u16, Value)> {
    let mut found = Vec::new();
    let of = slices
        .iter()
        .filter(|slice| meta::label(slice, "kubernetes.io/service-name") == Some(service));
    for slice in of {
        let port = slice.pointer("/ports/0/port").and_then(Value::as_u64).unwrap_or_default();
        for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
            let address = endpoint["addresses"][0].as_str().unwrap_or_default().to_owned();
            let port = u16::try_from(port).expect("a port");
            found.push((address, port, endpoint["conditions"].clone()));
        }
    }
    found
}

/// The body of `GET path`.
pub(crate) async fn get(address: &str, port: u16, path: &str) -> std::io::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect((address, port)).await?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.read_to_string(&mut response).await?;
        Ok(response.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
    };
    timeout(PATIENCE, exchange).await.expect("an answer in time")
}

/// A Deployment of one container.
pub(crate) fn deployment(name: &str, replicas: u32, container: &Value) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 5},
            },
        },
    })
}

/// A Service of port 80 in front of the pods with label `app: NAME`.
pub(crate) fn service(name: &str, target: Value) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "selector": {"app": name},
            "ports": [{"name": "http", "port": 80, "targetPort": target}],
        },
    })
}

/// A container of the helper's server.
pub(crate) fn server(text: &str) -> Value {
    json!({
        "name": "web",
        "image": "helper:1",
        "args": ["serve", text],
        "env": [{"name": "PORT", "value": "8080"}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 1},
    })
}

/// A pod of one container that is not restarted.
pub(crate) fn pod(name: &str, container: &Value) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 5,
            "containers": [container],
        },
    })
}

/// A container of a shell script.
pub(crate) fn script(name: &str, script: &str) -> Value {
    json!({"name": name, "image": "none", "command": ["sh", "-c", script]})
}

/// Asserts that a process runs.
pub(crate) fn assert_process(pid: &str) {
    assert!(pid.parse::<u32>().is_ok() && alive(pid), "process {pid:?} runs");
}

/// Whether a process runs: it is there, and not only waited for by its parent.
fn alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest.starts_with('Z'));
    state == Some(false)
}

/// Waits until a process is gone, or is only waited for by its parent.
pub(crate) async fn until_process_gone(pid: &str) {
    let wait = async {
        while alive(pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "process {pid} is still there");
}
