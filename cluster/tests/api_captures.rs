//! Exchanges of a real API server, replayed: the same requests get the same answers.
//! What is not compared stands in `captures/left-out.txt`, with a reason each.

mod client;
mod standin;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use client::{Answer, Api};
use fairlead_cluster::{
    Cluster, ClusterOptions, Kind, NODE, Selector, Subresource, WriteOptions, kinds, meta,
};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures");

/// Fields that differ from run to run. Versions, uids and made-up names are told apart instead.
const TIMES: [&str; 11] = [
    "completionTime",
    "creationTimestamp",
    "deletionTimestamp",
    "endpoints.kubernetes.io/last-change-trigger-time",
    "finishedAt",
    "lastProbeTime",
    "lastTransitionTime",
    "lastUpdateTime",
    "startTime",
    "startedAt",
    "time",
];

/// Answers that show what controllers made, once they had come to rest: compared where ours act.
const MADE_BY_CONTROLLERS: [&str; 17] = [
    "a14-", "a15-", "a16-", "a17-", "a18-", "a19-", "a20-", "a21-", "a23-", "a24-", "a45-", "a46-",
    "a47-", "a49-", "a51-", "a52-", "a53-",
];

/// In the place of a field: such a capture is not in this folder.
const NOT_COPIED: &str = "not copied";

/// A request and what was answered.
struct Exchange {
    method: String,
    path: String,
    headers: Vec<String>,
    body: String,
    code: u16,
    answer: String,
}

/// A line of the file of what is not compared.
struct LeftOut {
    names: Vec<String>,
    /// `None`: the whole exchange.
    field: Option<Vec<String>>,
    used: bool,
}

fn read(name: &str) -> Exchange {
    let text =
        fs::read_to_string(Path::new(CAPTURES).join(format!("{name}.http"))).expect("a capture");
    let (request, response) = text.split_once("\n---- response\n").expect("a response");
    let (head, body) = request.split_once("\n\n").expect("a request");
    let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
    let (method, path) = line.split_once(' ').expect("a request line");
    let (head, answer) = response.split_once("\n\n").expect("a head");
    let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status line");
    Exchange {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.lines().map(str::to_owned).collect(),
        body: body.trim().to_owned(),
        code,
        answer: answer.trim().to_owned(),
    }
}

/// Names of a series, in order.
fn series(belongs: impl Fn(&str) -> bool) -> Vec<String> {
    let files =
        fs::read_dir(CAPTURES).expect("captures").map(|file| file.expect("a file").file_name());
    let mut names: Vec<String> = files
        .filter_map(|name| name.to_str()?.strip_suffix(".http").map(str::to_owned))
        .filter(|name| belongs(name))
        .collect();
    names.sort();
    names
}

/// Captures, field and reason.
type Line = (Vec<String>, String, String);

/// The lines of the file of what is not compared.
fn lines() -> Vec<Line> {
    let text = fs::read_to_string(Path::new(CAPTURES).join("left-out.txt")).expect("the file");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let parts: Vec<&str> = line.split(" | ").map(str::trim).collect();
            let [names, field, reason] = parts.as_slice() else {
                panic!("not three parts: {line}")
            };
            assert!(!reason.is_empty(), "{line}");
            let names = names.split(',').map(|name| name.trim().to_owned()).collect();
            (names, (*field).to_owned(), (*reason).to_owned())
        })
        .collect()
}

fn left_out() -> Vec<LeftOut> {
    let lines = lines().into_iter().filter(|(_, field, _)| field != NOT_COPIED);
    lines
        .map(|(names, field, reason)| {
            let field = (field != "all")
                .then(|| field.split('/').map(|name| name.replace('~', "/")).collect());
            // What depends on time may be the same once in a while.
            LeftOut { names, field, used: reason.starts_with("pace: ") }
        })
        .collect()
}

struct Replay {
    cluster: Cluster,
    token: String,
    left_out: Vec<LeftOut>,
    /// What stands here for a version, uid or name of the captures.
    known: BTreeMap<String, String>,
    /// What stands here for a hash of a template, which is part of names.
    hashes: BTreeMap<String, String>,
    differences: String,
}

impl Replay {
    async fn start(act: bool) -> Self {
        let mut options = ClusterOptions::default();
        (options.act, options.kubelet) = (act, false);
        let cluster = Cluster::start(options).await.expect("started");
        Self {
            token: cluster.mint("tester"),
            cluster,
            left_out: left_out(),
            // The node's name, where pods are bound to it.
            known: act.then(|| ("node-a".to_owned(), NODE.to_owned())).into_iter().collect(),
            hashes: BTreeMap::new(),
            differences: String::new(),
        }
    }

    /// Sends a request and compares the answer.
    async fn exchange(&mut self, name: &str) {
        let exchange = read(name);
        if self.leaves_out(name, None) {
            return;
        }
        let answer = self.send(&exchange).await;
        self.judge(name, &exchange, &answer);
    }

    /// Compares an answer.
    fn judge(&mut self, name: &str, exchange: &Exchange, answer: &Answer) {
        if answer.code != exchange.code {
            let text = &answer.text;
            self.differ(
                name,
                "",
                &format!("status {}, not {}: {text}", answer.code, exchange.code),
            );
            return;
        }
        for (index, (expected, actual)) in
            documents(&exchange.answer, &answer.text).into_iter().enumerate()
        {
            let mut path = if index == 0 { Vec::new() } else { vec![format!("line {index}")] };
            let (expected, actual) = (self.by_name(expected), self.by_name(actual));
            self.learn(name, &mut Vec::new(), &expected, &actual);
            self.compare(name, &mut path, &self.translate(&expected), &actual);
        }
    }

    /// Sends a request whose answer another test compares, and learns uids and made-up names.
    async fn send_only(&mut self, name: &str) {
        let exchange = read(name);
        let answer = self.send(&exchange).await;
        let parse = |text: &str| serde_json::from_str::<Value>(text).ok();
        if let (Some(mut expected), Some(actual)) = (parse(&exchange.answer), parse(&answer.text)) {
            // What else was written meanwhile depends on the controllers' pace.
            meta::set(&mut expected, "resourceVersion", None);
            self.learn(name, &mut Vec::new(), &expected, &actual);
        }
    }

    /// Writes containers of the Deployment as these answers show them, one after the other before any
    /// controller sees them: in the captures, they missed the first. Holds in a runtime of one thread.
    fn write_unseen(&self, captures: &[&str]) {
        const CONTAINERS: &str = "/spec/template/spec/containers";
        for capture in captures {
            let answer: Value = serde_json::from_str(&read(capture).answer).expect("JSON");
            let containers = answer.pointer(CONTAINERS).expect("containers").clone();
            let edit = |deployment: &mut Value| {
                *deployment.pointer_mut(CONTAINERS).expect("containers") = containers;
                Ok(())
            };
            let (registry, options) = (self.cluster.registry(), WriteOptions::by("unknown"));
            registry
                .modify(&kinds::DEPLOYMENT, Some("app"), "web", None, &options, edit)
                .expect("the Deployment");
        }
    }

    /// Waits until controllers have nothing to do any more.
    async fn settled(&self) {
        let registry = self.cluster.registry();
        let all = |kind| registry.list(kind, Some("app"), &Selector::everything()).items;
        let int = |object: &Value, path: &str| {
            object.pointer(path).and_then(Value::as_i64).unwrap_or_default()
        };
        let rest = || {
            let at_rest = |kind, ready: &str, wanted: &str| {
                all(kind).iter().all(|o| {
                    int(o, "/metadata/generation") == int(o, "/status/observedGeneration")
                        && int(o, ready) == int(o, wanted)
                })
            };
            let pods = all(&kinds::POD);
            let addresses = |slices: &[std::sync::Arc<Value>]| -> usize {
                slices.iter().map(|s| s["endpoints"].as_array().map_or(0, Vec::len)).sum()
            };
            let web = pods.iter().filter(|pod| meta::label(pod, "app") == Some("web"));
            let services = all(&kinds::SERVICE).len();
            at_rest(&kinds::DEPLOYMENT, "/status/availableReplicas", "/spec/replicas")
                && at_rest(&kinds::DEPLOYMENT, "/status/updatedReplicas", "/status/replicas")
                && at_rest(&kinds::DEPLOYMENT, "/status/replicas", "/spec/replicas")
                && all(&kinds::DEPLOYMENT).iter().all(|deployment| {
                    let conditions = deployment["status"]["conditions"].as_array();
                    conditions
                        .into_iter()
                        .flatten()
                        .any(|c| c["reason"] == "NewReplicaSetAvailable")
                })
                && at_rest(&kinds::REPLICA_SET, "/status/availableReplicas", "/spec/replicas")
                && at_rest(&kinds::REPLICA_SET, "/status/replicas", "/spec/replicas")
                && all(&kinds::REPLICA_SET)
                    .iter()
                    .all(|s| int(s, "/status/terminatingReplicas") == 0)
                && at_rest(&kinds::STATEFUL_SET, "/status/availableReplicas", "/spec/replicas")
                && at_rest(
                    &kinds::DAEMON_SET,
                    "/status/numberAvailable",
                    "/status/desiredNumberScheduled",
                )
                && all(&kinds::DAEMON_SET).iter().all(|s| int(s, "/status/numberAvailable") == 1)
                && all(&kinds::JOB).iter().all(|job| job["status"]["conditions"][1].is_object())
                && addresses(&all(&kinds::ENDPOINT_SLICE)) == web.count() * services
        };
        let wait = async {
            // Whatever happens next is a write somewhere, of a kind that need not be watched here.
            while !rest() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if timeout(Duration::from_secs(30), wait).await.is_err() {
            let kinds = [&kinds::DEPLOYMENT, &kinds::REPLICA_SET, &kinds::POD, &kinds::JOB];
            let status = kinds.map(|kind| {
                all(kind)
                    .iter()
                    .map(|o| format!("{} {}", meta::name(o), o["status"]))
                    .collect::<Vec<_>>()
            });
            panic!("the controllers do not come to rest: {status:#?}");
        }
    }

    /// A list in the order that it has with our hashes in its names.
    fn by_name(&self, mut list: Value) -> Value {
        if !self.hashes.is_empty()
            && let Some(items) = list.get_mut("items").and_then(Value::as_array_mut)
        {
            items.sort_by_key(|item| self.translate_parts(meta::name(item)));
        }
        list
    }

    /// Learns what stands here for the hashes that names of these objects end in. `key` leads to what
    /// tells them apart.
    fn learn_hashes(&mut self, kind: &'static Kind, capture: &str, key: &str) {
        let hashes = |objects: &mut dyn Iterator<Item = &Value>| -> BTreeMap<String, String> {
            let key = |object: &Value| object.pointer(key).expect("a key").to_string();
            let hash =
                |object: &Value| meta::name(object).rsplit('-').next().expect("one").to_owned();
            objects.map(|object| (key(object), hash(object))).collect()
        };
        let theirs: Value = serde_json::from_str(&read(capture).answer).expect("JSON");
        let theirs = hashes(&mut theirs["items"].as_array().expect("items").iter());
        let ours = self.cluster.registry().list(kind, Some("app"), &Selector::everything()).items;
        let ours = hashes(&mut ours.iter().map(|object| &**object));
        assert_eq!(theirs.keys().collect::<Vec<_>>(), ours.keys().collect::<Vec<_>>(), "{capture}");
        self.hashes.extend(theirs.into_values().zip(ours.into_values()));
    }

    /// Does what controllers, scheduler and kubelet had done when the answer was captured: writes the
    /// status, and the annotation that comes with it. They are not compared, then.
    fn play_controllers(&self, exchange: &Exchange) {
        const REVISION: &str = "deployment.kubernetes.io/revision";
        let Ok(expected) = serde_json::from_str::<Value>(&exchange.answer) else { return };
        let name = expected["metadata"]["name"].as_str().unwrap_or_default();
        let registry = self.cluster.registry();
        let write = |kind, manager: &str, subresource, edit: &dyn Fn(&mut Value)| {
            let options = WriteOptions::by(manager);
            let edit = |object: &mut Value| {
                edit(object);
                Ok(())
            };
            // The object may be about to be created.
            let _ = registry.modify(kind, Some("app"), name, subresource, &options, edit);
        };
        match expected["kind"].as_str() {
            Some("Deployment") => {
                write(
                    &kinds::DEPLOYMENT,
                    "kube-controller-manager",
                    Some(Subresource::Status),
                    &|deployment| {
                        deployment["status"] = expected["status"].clone();
                        if let Some(revision) = expected["metadata"]["annotations"].get(REVISION) {
                            deployment["metadata"]["annotations"][REVISION] = revision.clone();
                        }
                    },
                );
            }
            Some("Scale") => {
                write(
                    &kinds::DEPLOYMENT,
                    "kube-controller-manager",
                    Some(Subresource::Status),
                    &|deployment| {
                        deployment["status"]["replicas"] = expected["status"]["replicas"].clone();
                    },
                );
            }
            Some("Pod") => {
                write(&kinds::POD, "kube-scheduler", None, &|pod| {
                    pod["spec"]["nodeName"] = expected["spec"]["nodeName"].clone();
                });
                write(&kinds::POD, "standin", Some(Subresource::Status), &|pod| {
                    pod["status"] = expected["status"].clone();
                });
            }
            _ => {}
        }
    }

    async fn send(&self, exchange: &Exchange) -> Answer {
        let mut api = None;
        let headers: Vec<&str> = exchange
            .headers
            .iter()
            .map(String::as_str)
            .filter(|header| match header.strip_prefix("Authorization: Bearer ") {
                Some(token) => {
                    api = Some(token.to_owned());
                    false
                }
                None => true,
            })
            .collect();
        let body = match serde_json::from_str::<Value>(&exchange.body) {
            Ok(body) => self.translate(&body).to_string(),
            Err(_) => exchange.body.clone(),
        };
        let mut path = exchange.path.replace("timeoutSeconds=2", "timeoutSeconds=1");
        for (known, here) in &self.known {
            if known.contains('-') || known.len() > 30 {
                path = path.replace(known.as_str(), here);
            }
            path = path
                .replace(&format!("resourceVersion={known}&"), &format!("resourceVersion={here}&"));
        }
        for (known, here) in &self.hashes {
            path = path.replace(known.as_str(), here);
        }
        match api {
            Some(token) => {
                let request = format!(
                    "{} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n",
                    exchange.method,
                    self.cluster.addr()
                );
                client::raw(self.cluster.addr(), request.as_bytes()).await
            }
            None => self.request(&exchange.method, &path, &headers, &body).await,
        }
    }

    async fn request(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        client::request(self.cluster.addr(), &self.token, method, path, headers, body).await
    }

    /// Learns what stands here for versions, uids, made-up names and continue values. A version that
    /// stays must stay here, one that changes must change.
    fn learn(&mut self, name: &str, path: &mut Vec<String>, expected: &Value, actual: &Value) {
        match (expected, actual) {
            (Value::Object(expected), Value::Object(actual)) => {
                let generated = expected.contains_key("generateName");
                for (field, expected) in expected {
                    let Some(actual) = actual.get(field) else { continue };
                    path.push(field.clone());
                    match (field.as_str(), expected, actual) {
                        (
                            "uid" | "resourceVersion" | "continue" | "podIP",
                            Value::String(e),
                            Value::String(a),
                        ) => {
                            self.meet(name, path, e, a);
                        }
                        ("name", Value::String(e), Value::String(a)) if generated => {
                            self.meet(name, path, e, a);
                        }
                        _ => self.learn(name, path, expected, actual),
                    }
                    path.pop();
                }
            }
            (Value::Array(expected), Value::Array(actual)) => {
                for (index, (expected, actual)) in expected.iter().zip(actual).enumerate() {
                    path.push(index.to_string());
                    self.learn(name, path, expected, actual);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    fn meet(&mut self, name: &str, path: &[String], expected: &str, actual: &str) {
        if self.leaves_out(name, Some(path)) {
            return;
        }
        let before =
            self.known.iter().find(|(_, here)| *here == actual).map(|(known, _)| known.clone());
        match (self.known.get(expected), before) {
            (Some(here), _) if here == actual => {}
            (None, None) => {
                self.known.insert(expected.to_owned(), actual.to_owned());
            }
            (Some(_), _) => {
                self.differ(name, &path.join("/"), &format!("{actual} is new, {expected} is not"));
            }
            (None, Some(_)) => {
                self.differ(name, &path.join("/"), &format!("{actual} is not new, {expected} is"));
            }
        }
    }

    /// Puts in what stands here for known texts.
    fn translate(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match self.known.get(text) {
                Some(here) => here.as_str().into(),
                None => self.translate_parts(text).into(),
            },
            Value::Array(list) => list.iter().map(|value| self.translate(value)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (self.translate_parts(name), self.translate(value)))
                .collect::<Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }

    /// Puts in what stands here for uids, addresses and hashes that are part of a text.
    fn translate_parts(&self, text: &str) -> String {
        let long = self.known.iter().filter(|(known, _)| known.len() > 30).chain(&self.hashes);
        let text =
            long.fold(text.to_owned(), |text, (known, here)| text.replace(known.as_str(), here));
        let addresses = self.known.iter().filter(|(known, _)| known.starts_with("10.244."));
        addresses.fold(text, |text, (known, here)| {
            text.replace(&format!("{known:?}"), &format!("{here:?}"))
        })
    }

    fn compare(&mut self, name: &str, path: &mut Vec<String>, expected: &Value, actual: &Value) {
        if path.last().is_some_and(|field| TIMES.contains(&field.as_str()))
            && expected.is_string() == actual.is_string()
        {
            return;
        }
        // The ages in tables.
        if path.iter().any(|field| field == "cells") && is_age(expected) && is_age(actual) {
            return;
        }
        match (expected, actual) {
            (Value::Object(expected), Value::Object(actual)) => {
                let mut fields: Vec<&String> = expected.keys().chain(actual.keys()).collect();
                fields.sort();
                fields.dedup();
                for field in fields {
                    path.push(field.clone());
                    match (expected.get(field), actual.get(field)) {
                        (Some(expected), Some(actual)) => {
                            self.compare(name, path, expected, actual);
                        }
                        _ if self.leaves_out(name, Some(path)) => {}
                        (Some(expected), None) => {
                            self.differ(name, &path.join("/"), &format!("missing: {expected}"));
                        }
                        (_, actual) => {
                            self.differ(name, &path.join("/"), &format!("added: {actual:?}"));
                        }
                    }
                    path.pop();
                }
            }
            (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => {
                let (mut expected, mut actual) = (expected.clone(), actual.clone());
                if path.last().is_some_and(|field| field == "managedFields") {
                    // Their order depends on times.
                    for list in [&mut expected, &mut actual] {
                        list.sort_by_key(|e| {
                            [&e["operation"], &e["manager"], &e["subresource"]]
                                .map(ToString::to_string)
                        });
                    }
                }
                for (index, (expected, actual)) in expected.iter().zip(&actual).enumerate() {
                    path.push(index.to_string());
                    self.compare(name, path, expected, actual);
                    path.pop();
                }
            }
            _ if expected == actual || self.leaves_out(name, Some(path)) => {}
            _ => self.differ(name, &path.join("/"), &format!("{actual}, not {expected}")),
        }
    }

    fn leaves_out(&mut self, name: &str, path: Option<&[String]>) -> bool {
        let mut found = false;
        for entry in &mut self.left_out {
            let named = entry.names.iter().any(|prefix| name.starts_with(prefix.as_str()));
            let matching = match (&entry.field, path) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(field), Some(path)) if field[0].is_empty() => path.starts_with(&field[1..]),
                (Some(field), Some(path)) => (0..path.len()).any(|start| {
                    path[start..].len() >= field.len()
                        && field.iter().zip(&path[start..]).all(|(f, p)| f == "*" || f == p)
                }),
            };
            if named && matching {
                entry.used = true;
                found = true;
            }
        }
        found
    }

    fn differ(&mut self, name: &str, path: &str, what: &str) {
        let _ = writeln!(self.differences, "{name}: {path}: {what}");
    }

    fn finish(mut self, replayed: &[String]) {
        for entry in self.left_out.iter().filter(|entry| !entry.used) {
            for name in replayed
                .iter()
                .filter(|name| entry.names.iter().any(|n| name.starts_with(n.as_str())))
            {
                let field = entry.field.as_ref().map(|field| field.join("/"));
                let _ = writeln!(self.differences, "{name}: left out for nothing: {field:?}");
            }
        }
        assert!(self.differences.is_empty(), "\n{}", self.differences);
    }
}

/// Whether this is an age as tables show it, such as `4s`.
fn is_age(cell: &Value) -> bool {
    let number = cell.as_str().and_then(|text| text.strip_suffix(['s', 'm', 'h', 'd']));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// The JSON documents of two answers, in pairs: one each, or a line each of a watch.
fn documents(expected: &str, actual: &str) -> Vec<(Value, Value)> {
    if let (Ok(expected), Ok(actual)) =
        (serde_json::from_str(expected), serde_json::from_str(actual))
    {
        return vec![(expected, actual)];
    }
    let parse = |text: &str| -> Vec<Value> {
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| line.into()))
            .collect()
    };
    let (mut expected, mut actual) = (parse(expected), parse(actual));
    let longest = expected.len().max(actual.len());
    expected.resize(longest, Value::Null);
    actual.resize(longest, Value::Null);
    expected.into_iter().zip(actual).collect()
}

#[tokio::test]
async fn objects_without_pods() {
    let mut replay = Replay::start(false).await;
    let names = series(|name| name.starts_with(|c: char| c.is_ascii_digit()));
    for name in &names {
        replay.exchange(name).await;
        if name.starts_with("10-") {
            // What the controller manager puts into every namespace.
            let list: Value = serde_json::from_str(&read("23-list").answer).expect("a list");
            let root = &list["items"][2];
            let body = json!({
                "metadata": {"name": root["metadata"]["name"], "annotations": root["metadata"]["annotations"]},
                "data": root["data"],
            });
            let path = "/api/v1/namespaces/smp/configmaps?fieldManager=kube-controller-manager";
            let json = ["Content-Type: application/json"];
            let answer = replay.request("POST", path, &json, &body.to_string()).await;
            assert_eq!(answer.code, 201);
        }
    }
    replay.finish(&names);
}

fn made_by_controllers(name: &str) -> bool {
    MADE_BY_CONTROLLERS.iter().any(|prefix| name.starts_with(prefix))
}

#[tokio::test]
async fn workloads_without_controllers() {
    let mut replay = Replay::start(false).await;
    let names = series(|name| name.starts_with('a') && !made_by_controllers(name));
    for name in &names {
        // The pod ran while its log was read.
        let shows = if name.starts_with("a33-") { "a43-pod-delete-graceful" } else { name };
        replay.play_controllers(&read(shows));
        replay.exchange(name).await;
    }
    replay.finish(&names);
}

#[tokio::test]
async fn workloads_with_controllers() {
    let mut replay = Replay::start(true).await;
    let standin = tokio::spawn(standin::run(replay.cluster.registry().clone()));
    let names = series(|name| name.starts_with('a') && name < "a54");
    for name in &names {
        if name.starts_with("a09-") {
            replay.settled().await;
            replay.write_unseen(&[
                "a09-deploy-patch-strategic-set-element-order",
                "a10-deploy-patch-strategic-delete-env",
            ]);
        }
        let made = made_by_controllers(name);
        let alone = ["a09-", "a10-", "a32-", "a42-", "a43-"].iter().any(|n| name.starts_with(n));
        if !made && (alone || read(name).method == "GET") {
            continue;
        }
        replay.settled().await;
        if name.starts_with("a14-") {
            let revision = "/metadata/annotations/deployment.kubernetes.io~1revision";
            replay.learn_hashes(&kinds::REPLICA_SET, "a16-replicasets-list", revision);
        } else if name.starts_with("a51-") {
            let owner = "/metadata/ownerReferences/0/name";
            replay.learn_hashes(&kinds::CONTROLLER_REVISION, "a53-controllerrevisions-list", owner);
        }
        if made {
            replay.exchange(name).await;
        } else {
            replay.send_only(name).await;
        }
        if name.starts_with("a44-") {
            // Made just after the other Job.
            let bad = read(name).body.replace("once", "bad").replace("echo done", "exit 3");
            let path = "/apis/batch/v1/namespaces/app/jobs";
            let json = ["Content-Type: application/json"];
            assert_eq!(replay.request("POST", path, &json, &bad).await.code, 201);
        }
    }
    standin.abort();
    let compared: Vec<_> = names.into_iter().filter(|name| made_by_controllers(name)).collect();
    replay.finish(&compared);
}

/// Discovery tells of less, but of nothing else.
#[tokio::test]
async fn what_is_served_is_a_part_of_the_real_one() {
    let api = Api::start().await;
    let real = |name: &str| -> Value { serde_json::from_str(&read(name).answer).expect("JSON") };
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let groups = list(&real("03-apis")["groups"]);
    for group in list(&api.get("/apis").await.json()["groups"]) {
        let known =
            groups.iter().find(|known| known["name"] == group["name"]).expect("a real group");
        for version in list(&group["versions"]) {
            assert!(list(&known["versions"]).contains(&version), "{version}");
        }
    }
    let documents = &real("07-openapi-v3-root")["paths"];
    let served = api.get("/openapi/v3").await.json();
    let served = served["paths"].as_object().expect("documents").iter();
    for (path, document) in served {
        let begins = |document: &Value| {
            let url = document["serverRelativeURL"].as_str().expect("a URL");
            url.split_once("?hash=").expect("a hash").0.to_owned()
        };
        assert_eq!(begins(document), begins(&documents[path]), "{path}");
    }
    let resources = list(&real("04-api-v1")["resources"]);
    for resource in list(&api.get("/api/v1").await.json()["resources"]) {
        let known = resources.iter().find(|known| known["name"] == resource["name"]);
        let mut known = known.cloned().unwrap_or_else(|| panic!("no real {}", resource["name"]));
        known.as_object_mut().expect("an object").remove("storageVersionHash");
        assert_eq!(resource, known);
    }
    let accept = "Accept: application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    for (name, path) in [("05-discovery-agg-api", "/api"), ("06-discovery-agg-apis", "/apis")] {
        let real = real(name);
        for group in list(&api.send("GET", path, &[accept], "").await.json()["items"]) {
            let known = list(&real["items"])
                .into_iter()
                .find(|known| known["metadata"]["name"] == group["metadata"]["name"]);
            let known = known.expect("a real group");
            for version in list(&group["versions"]) {
                let known = list(&known["versions"])
                    .into_iter()
                    .find(|known| known["version"] == version["version"]);
                let known = known.expect("a real version");
                for mut resource in list(&version["resources"]) {
                    let known = list(&known["resources"])
                        .into_iter()
                        .find(|known| known["resource"] == resource["resource"]);
                    let mut known = known.expect("a real resource");
                    let below = resource["subresources"].take();
                    let known_below = list(&known["subresources"].take());
                    for below in list(&below) {
                        assert!(known_below.contains(&below), "{below}");
                    }
                    assert_eq!(resource, known);
                }
            }
        }
    }
}

#[test]
fn what_is_left_out_exists() {
    let names = series(|_| true);
    for (prefixes, field, _) in lines() {
        for prefix in &prefixes {
            let copied = names.iter().any(|name| name.starts_with(prefix.as_str()));
            assert_eq!(copied, field != NOT_COPIED, "captures that begin with {prefix:?}");
        }
    }
}
