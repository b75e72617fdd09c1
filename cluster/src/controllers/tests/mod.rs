//! The controllers over a store, without clock, node or processes: the tests say what becomes of pods.

mod daemon_sets;
mod endpoint_slices;
mod jobs;
mod replica_sets;
mod rollouts;
mod stateful_sets;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Shell;
use super::object::{Fields, pod_ready};
use crate::events::Recorder;
use crate::kinds::{self, Kind, Subresource};
use crate::meta;
use crate::registry::{DeleteOptions, Registry, Watch, WriteOptions};
use crate::selector::Selector;

/// A cluster whose node is played by the test.
struct World {
    registry: Registry,
    shell: Shell,
    watches: Vec<(&'static Kind, Watch)>,
}

impl World {
    fn new() -> Self {
        let registry = Registry::new();
        let recorder = Recorder::new(registry.clone(), "test");
        let shell = Shell::new(registry.clone(), &recorder, Duration::ZERO);
        let watches = shell.watches();
        let world = Self { registry, shell, watches };
        world.create(&kinds::NAMESPACE, json!({"metadata": {"name": "app"}}));
        world
    }

    fn create(&self, kind: &'static Kind, mut object: Value) -> Arc<Value> {
        object["apiVersion"] = kind.api_version().into();
        object["kind"] = kind.kind.into();
        let namespace = kind.namespaced.then_some("app");
        self.registry.create(kind, namespace, object, &options()).expect("created")
    }

    fn edit(&self, kind: &'static Kind, name: &str, edit: impl FnOnce(&mut Value)) {
        let edit = |object: &mut Value| {
            edit(object);
            Ok(())
        };
        self.registry.modify(kind, Some("app"), name, None, &options(), edit).expect("edited");
    }

    fn get(&self, kind: &'static Kind, name: &str) -> Arc<Value> {
        self.registry.get(kind, Some("app"), name).expect("there")
    }

    fn all(&self, kind: &'static Kind) -> Vec<Arc<Value>> {
        self.registry.list(kind, Some("app"), &Selector::everything()).items
    }

    /// Lets the controllers work until nothing is left to do now.
    fn settle(&mut self) {
        for passes in 0.. {
            self.shell.drain(&mut self.watches).expect("within the window");
            if !self.shell.step() {
                return;
            }
            assert!(passes < 10_000, "the controllers never come to rest");
        }
    }

    fn set_ready(&self, pod: &str, ready: bool) {
        let edit = |pod: &mut Value| {
            let number =
                pod.text("/metadata/uid").bytes().fold(0, |sum, b| (sum + u32::from(b)) % 250);
            pod["status"]["phase"] = "Running".into();
            pod["status"]["podIP"] = format!("127.8.0.{}", number + 1).into();
            pod["status"]["conditions"] = json!([{
                "type": "Ready",
                "status": if ready { "True" } else { "False" },
                "lastTransitionTime": meta::time(Timestamp::now()),
            }]);
            Ok(())
        };
        let status = Some(Subresource::Status);
        self.registry.modify(&kinds::POD, Some("app"), pod, status, &options(), edit).expect("pod");
    }

    /// All containers of a pod have ended, with this status.
    fn finish(&self, pod: &str, code: i64) {
        let edit = |pod: &mut Value| {
            pod["status"]["phase"] = if code == 0 { "Succeeded" } else { "Failed" }.into();
            pod["status"]["conditions"] = json!([]);
            let ended = json!({"exitCode": code, "finishedAt": meta::time(Timestamp::now())});
            pod["status"]["containerStatuses"] =
                json!([{"name": "web", "state": {"terminated": ended}}]);
            Ok(())
        };
        let status = Some(Subresource::Status);
        self.registry.modify(&kinds::POD, Some("app"), pod, status, &options(), edit).expect("pod");
    }

    /// Names of pods that are not being deleted.
    fn names(&self) -> Vec<String> {
        self.active().iter().map(|pod| meta::name(pod).to_owned()).collect()
    }

    /// Pods that are being deleted have ended.
    fn end_pods(&self) {
        for pod in self.all(&kinds::POD).iter().filter(|pod| meta::is_deleting(pod)) {
            self.remove(pod);
        }
    }

    fn remove(&self, pod: &Value) {
        let now = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
        let name = meta::name(pod);
        self.registry.delete(&kinds::POD, Some("app"), name, &now, &options()).expect("removed");
    }

    /// Pods that are not being deleted.
    fn active(&self) -> Vec<Arc<Value>> {
        self.all(&kinds::POD).into_iter().filter(|pod| !meta::is_deleting(pod)).collect()
    }

    /// Every pod becomes ready, every ending pod ends, until nothing changes any more.
    fn come_to_rest(&mut self) {
        for rounds in 0.. {
            self.settle();
            let unready: Vec<_> = self.active().into_iter().filter(|pod| !pod_ready(pod)).collect();
            let ending = self.all(&kinds::POD).len() > self.active().len();
            if unready.is_empty() && !ending {
                return;
            }
            unready.iter().for_each(|pod| self.set_ready(meta::name(pod), true));
            self.end_pods();
            assert!(rounds < 1000, "the rollout never ends");
        }
    }
}

fn options() -> WriteOptions {
    WriteOptions::by("test")
}

/// A pod template with label `app: web` and this image.
fn template(image: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{
            "name": "web",
            "image": image,
            "ports": [{"name": "http", "containerPort": 8080}],
        }]},
    })
}
