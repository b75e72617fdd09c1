//! `kill -9` of the process that holds the cluster leaves no pod behind.

mod run_support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use run_support::{HELPER, assert_process, until_process_gone};

/// Process ids that the two pods have written to their logs.
fn pids(state: &Path) -> Vec<String> {
    let logs = std::fs::read_dir(state.join("pods")).into_iter().flatten().flatten();
    let read = |pod: PathBuf| std::fs::read_to_string(pod.join("sleep/0.log")).unwrap_or_default();
    let mut pids = Vec::new();
    for log in logs.map(|pod| read(pod.path())) {
        let line = log.lines().next().unwrap_or_default();
        pids.extend(line.split(' ').skip(3).map(str::to_owned));
    }
    pids
}

/// A process that gets `kill -9` when it is dropped.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("ended");
    }
}

/// A process with a cluster, the cluster's state directory, and the processes of its two pods.
async fn host() -> (Host, PathBuf, Vec<String>) {
    let host = Command::new(HELPER).arg("cluster").stdout(Stdio::piped()).spawn();
    let mut host = Host(host.expect("the helper"));
    let mut line = String::new();
    BufReader::new(host.0.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let state = PathBuf::from(line.trim());

    let begun = Instant::now();
    let pids = loop {
        let pids = pids(&state);
        // Two pods, a shell and its child each.
        if pids.len() == 4 {
            break pids;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "only {pids:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    pids.iter().for_each(|pid| assert_process(pid));
    (host, state, pids)
}

/// Kills the process and waits until its pods are gone.
async fn kill(host: Host, state: PathBuf, pids: &[String]) {
    drop(host);
    for pid in pids {
        until_process_gone(pid).await;
    }
    // What a killed process cannot remove.
    let _ = std::fs::remove_dir_all(state);
}

/// The supervisor: the child of the process that runs the same program to supervise.
fn supervisor(host: &Host) -> Option<String> {
    let children = format!("/proc/{0}/task", host.0.id());
    let tasks = std::fs::read_dir(children).expect("tasks").flatten();
    let children =
        tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<String> =
        children.flat_map(|list| list.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
    children.into_iter().find(|pid| {
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.ends_with("supervise\0")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_cluster_kills_its_pods() {
    let (cluster, state, pids) = host().await;
    kill(cluster, state, &pids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_that_is_killed_is_replaced() {
    let (cluster, state, pids) = host().await;
    let first = supervisor(&cluster).expect("a supervisor");
    let status = Command::new("kill").args(["-9", &first]).status().expect("kill");
    assert!(status.success());
    let begun = Instant::now();
    while supervisor(&cluster).is_none_or(|now| now == first) {
        assert!(begun.elapsed() < Duration::from_secs(30), "no other supervisor");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    pids.iter().for_each(|pid| assert_process(pid));
    kill(cluster, state, &pids).await;
}
