//! `kill -9` of the process that holds the cluster leaves no pod behind.

mod run_support;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
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

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_cluster_kills_its_pods() {
    let mut host =
        Command::new(HELPER).arg("cluster").stdout(Stdio::piped()).spawn().expect("the helper");
    let mut line = String::new();
    BufReader::new(host.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
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
    for pid in &pids {
        assert_process(pid);
    }
    host.kill().expect("killed");
    host.wait().expect("ended");
    for pid in &pids {
        until_process_gone(pid).await;
    }
    // What a killed process cannot remove.
    let _ = std::fs::remove_dir_all(state);
}
