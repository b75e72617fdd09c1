//! The program itself: exit codes, messages, signals.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use fairlead_cluster::{Cluster, ClusterOptions, Edit, Patch, Subresource, WriteOptions, kinds};
use fairlead_router::Router;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use serde_json::json;

use crate::{
    admin::APP,
    support::{Backend, Connection, World, eventually, options, within},
};

/// The program with no way to a cluster but the one given.
fn program(kubeconfig: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fairlead-router"));
    command.env_clear().env("KUBECONFIG", kubeconfig).stdin(Stdio::null());
    command
}

#[test]
fn a_bad_flag_is_a_usage_error() {
    let output = program("/nonexistent").arg("--tcp-timeout=fast").output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("--tcp-timeout") && message.contains("such as 30s"), "{message}");
}

#[test]
fn without_an_api_to_read_from_it_fails_and_says_what_to_set() {
    let output = program("/nonexistent").output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("set KUBECONFIG"), "{message}");
}

#[tokio::test]
async fn wait_fails_at_its_deadline_and_says_who_is_behind() {
    let cluster = Cluster::start(ClusterOptions::default()).await.unwrap();
    let config = kubeconfig(&cluster);
    let mut command = program(config.path().to_str().unwrap());
    command.args(["wait", "--revision=1", "--selector=app=router", "--timeout=1s"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(
        message.contains("revision 1 is not in effect everywhere: no replica is ready"),
        "{message}"
    );
}

/// A replica as a Deployment elsewhere would have made it; `admin` is its declared port.
fn replica(world: &World, name: &str, admin: SocketAddr) {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "edge", "labels": {"app": "router"}},
        "spec": {
            "nodeName": "elsewhere",
            "containers": [{
                "name": "router", "image": "router",
                "ports": [{"name": "admin", "containerPort": admin.port()}],
            }],
        },
    });
    world.put(pod);
    let status = json!({"status": {
        "podIP": admin.ip().to_string(),
        "conditions": [{"type": "Ready", "status": "True"}],
    }});
    let (registry, by) = (world.cluster.registry(), WriteOptions::by("test"));
    let (status, part) = (Patch::Edit(Edit::Merge(status)), Some(Subresource::Status));
    registry.patch(&kinds::POD, Some("edge"), name, part, status, &by).unwrap();
}

#[tokio::test]
async fn wait_exits_with_0_once_every_ready_replica_serves_the_revision() {
    let (world, web) = (World::start().await, Backend::named("web").await);
    let second = Router::start(options(), world.api.client().await).unwrap();
    within("the second router is ready", second.ready()).await;
    replica(&world, "router-0", world.router.admin_addr());
    replica(&world, "router-1", second.admin_addr());
    world.write(APP, &[("WEB", &web)]);
    let (registry, slices) = (world.cluster.registry(), &kinds::ENDPOINT_SLICE);
    let written = registry.get(slices, Some("shop"), "web").unwrap();
    let revision = written["metadata"]["resourceVersion"].as_str().unwrap().to_owned();

    let config = kubeconfig(&world.cluster);
    let wait = async |revision: &str, timeout: &str| {
        let kind = "--kind=endpointslice";
        let mut command = program(config.path().to_str().unwrap());
        command.args(["wait", "--selector=app=router", "--namespace=edge", kind]);
        command.args(["--revision", revision, "--timeout", timeout]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, message) = wait(&revision, "20s").await;
    assert_eq!(code, Some(0), "{message}");
    assert_eq!(world.get("http://web.example/").await.brief(), (200, "web"));
    let (code, message) = wait("1000000", "1s").await;
    assert_eq!(code, Some(1), "{message}");
    for behind in [
        "endpointslice revision 1000000 is not in effect everywhere: router-0 serves endpointslice ",
        "; router-1 serves endpointslice ",
    ] {
        assert!(message.contains(behind), "{message}");
    }
}

/// Killed when the test ends, however it ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn kubeconfig(cluster: &Cluster) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(cluster.kubeconfig(&cluster.mint("router")).as_bytes()).unwrap();
    file
}

#[tokio::test]
async fn a_taken_port_names_port_and_flag_and_exits_with_1() {
    let cluster = Cluster::start(ClusterOptions::default()).await.unwrap();
    let config = kubeconfig(&cluster);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = program(config.path().to_str().unwrap())
        .args(["--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--admin", &address])
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    let port = taken.local_addr().unwrap().port();
    assert!(message.contains(&format!("port {port}")) && message.contains("--admin"), "{message}");
}

#[tokio::test]
async fn sigterm_ends_it_with_0() {
    let cluster = Cluster::start(ClusterOptions::default()).await.unwrap();
    let config = kubeconfig(&cluster);
    let child = program(config.path().to_str().unwrap())
        .args(["--http=127.0.0.1:0", "--https=127.0.0.1:0", "--admin=127.0.0.1:0"])
        .args(["--shutdown-delay=0s", "--drain-timeout=1s", "--workers=1"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut running = Running(child);
    let lines = BufReader::new(running.0.stderr.take().unwrap()).lines();
    let (said, mut saying) = tokio::sync::mpsc::unbounded_channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| said.send(line)));
    let mut heard = async |what: &str| loop {
        let line = within(what, saying.recv()).await.unwrap_or_else(|| panic!("{what}: it ended"));
        if line.contains(what) {
            return line;
        }
    };
    let line = heard("listening").await;
    let address = line.split("admin=").nth(1).unwrap().trim().parse().unwrap();
    heard("ready").await;
    let answer = Connection::plain(address).await.get("localhost", "/readyz").await;
    assert_eq!(answer.brief(), (200, "ready\n"));
    kill(Pid::from_raw(running.0.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
    heard("stopped").await;
    let status = eventually("the process ends", async || {
        running.0.try_wait().unwrap().ok_or("it still runs")
    })
    .await;
    assert_eq!(status.code(), Some(0));
}
