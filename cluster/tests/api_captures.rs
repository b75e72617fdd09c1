//! Exchanges of a real API server, replayed: the same requests get the same answers.
//! What is not compared stands in `captures/left-out.txt`, with a reason each.

mod client;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use client::{Answer, Api};
use fairlead_cluster::{Subresource, WriteOptions, kinds};
use serde_json::{Map, Value, json};

const CAPTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/captures");

/// Fields that differ from run to run. Versions, uids and made-up names are told apart instead.
const TIMES: [&str; 4] = ["creationTimestamp", "deletionTimestamp", "time", "lastTransitionTime"];

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

fn left_out() -> Vec<LeftOut> {
    let text = fs::read_to_string(Path::new(CAPTURES).join("left-out.txt")).expect("the file");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let parts: Vec<&str> = line.split(" | ").map(str::trim).collect();
            let [names, field, reason] = parts.as_slice() else {
                panic!("not three parts: {line}")
            };
            assert!(!reason.is_empty(), "{line}");
            let field = (*field != "all").then(|| field.split('/').map(str::to_owned).collect());
            LeftOut {
                names: names.split(',').map(|n| n.trim().to_owned()).collect(),
                field,
                used: false,
            }
        })
        .collect()
}

struct Replay {
    api: Api,
    left_out: Vec<LeftOut>,
    /// What stands here for a version, uid or name of the captures.
    known: BTreeMap<String, String>,
    differences: String,
}

impl Replay {
    async fn start() -> Self {
        let api = Api::start().await;
        Self { api, left_out: left_out(), known: BTreeMap::new(), differences: String::new() }
    }

    /// Sends a request and compares the answer.
    async fn exchange(&mut self, name: &str) {
        let exchange = read(name);
        if self.leaves_out(name, None) {
            return;
        }
        self.play_controllers(&exchange);
        let answer = self.send(&exchange).await;
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
            self.learn(name, &mut Vec::new(), &expected, &actual);
            self.compare(name, &mut path, &self.translate(&expected), &actual);
        }
    }

    /// Does what controllers, scheduler and kubelet had done when the answer was captured: writes the
    /// status, and the annotation that comes with it.
    fn play_controllers(&self, exchange: &Exchange) {
        const REVISION: &str = "deployment.kubernetes.io/revision";
        let Ok(expected) = serde_json::from_str::<Value>(&exchange.answer) else { return };
        let name = expected["metadata"]["name"].as_str().unwrap_or_default();
        let registry = &self.api.registry;
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
        match api {
            Some(token) => {
                let request = format!(
                    "{} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n",
                    exchange.method,
                    self.api.server.addr()
                );
                client::raw(self.api.server.addr(), request.as_bytes()).await
            }
            None => self.api.send(&exchange.method, &path, &headers, &body).await,
        }
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
                            "uid" | "resourceVersion" | "continue",
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
                None => {
                    let long = self.known.iter().filter(|(known, _)| known.len() > 30);
                    long.fold(text.clone(), |text, (known, here)| {
                        text.replace(known.as_str(), here)
                    })
                    .into()
                }
            },
            Value::Array(list) => list.iter().map(|value| self.translate(value)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.clone(), self.translate(value)))
                .collect::<Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }

    fn compare(&mut self, name: &str, path: &mut Vec<String>, expected: &Value, actual: &Value) {
        if path.last().is_some_and(|field| TIMES.contains(&field.as_str()))
            && expected.is_string() == actual.is_string()
        {
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
    let mut replay = Replay::start().await;
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
            assert_eq!(replay.api.post(path, &body.to_string()).await.code, 201);
        }
    }
    replay.finish(&names);
}

#[tokio::test]
async fn workloads_without_controllers() {
    let mut replay = Replay::start().await;
    let names = series(|name| name.starts_with('a'));
    for name in &names {
        replay.exchange(name).await;
    }
    replay.finish(&names);
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
    for entry in left_out() {
        for prefix in &entry.names {
            assert!(
                names.iter().any(|name| name.starts_with(prefix.as_str())),
                "no capture begins with {prefix:?}"
            );
        }
    }
}
