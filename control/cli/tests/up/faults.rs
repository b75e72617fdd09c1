//! What is refused, and what is left behind.

use std::{fs, net::TcpListener};

use nix::sys::signal::Signal;

use crate::process::{Process, Up, alive, command, descendants, fails, until};

#[test]
fn a_second_up_says_who_holds_the_state() {
    let mut up = Up::example();
    up.port("http", "hello.localhost");
    let (code, stderr) = fails(&mut command(&up.state(), &up.manifests()));
    assert_eq!(code, Some(1));
    let expected = format!(
        "fairlead: {} is in use by fairlead up, process {}, since ",
        up.state().display(),
        up.id()
    );
    assert!(stderr.starts_with(&expected), "{stderr}");
    assert!(
        stderr.trim_end().ends_with("stop it, or name another folder with --state-dir"),
        "{stderr}"
    );
}

#[test]
fn a_taken_port_is_named_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for flag in ["--http-port", "--https-port", "--admin-port", "--logs-port"] {
        let dir = tempfile::tempdir().unwrap();
        let manifests = dir.path().join("manifests");
        fs::create_dir(&manifests).unwrap();
        let mut command = command(&dir.path().join("state"), &manifests);
        for other in ["--http-port", "--https-port", "--admin-port", "--logs-port"] {
            command.args([other, if other == flag { &port } else { "0" }]);
        }
        let (code, stderr) = fails(&mut command);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(
            stderr.contains(&format!("127.0.0.1:{port}")) && stderr.contains(flag),
            "{flag}: {stderr}"
        );
    }
}

#[test]
fn a_folder_that_is_not_there_is_named_with_its_flag() {
    let dir = tempfile::tempdir().unwrap();
    let (code, stderr) =
        fails(&mut command(&dir.path().join("state"), &dir.path().join("nowhere")));
    assert_eq!(code, Some(1));
    assert!(stderr.contains("nowhere") && stderr.contains("--manifests"), "{stderr}");
}

#[test]
fn an_unknown_flag_exits_2() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(fails(command(dir.path(), dir.path()).arg("--no-such-flag")).0, Some(2));
}

#[test]
fn sigint_ends_everything_with_code_0() {
    let (mut up, pods) = running();
    up.signal(Signal::SIGINT);
    assert_eq!(up.wait().code(), Some(0));
    until("the end of all processes", || alive(&pods).is_empty().then_some(()));
}

#[test]
fn kill_9_leaves_no_process_behind() {
    let (mut up, pods) = running();
    up.signal(Signal::SIGKILL);
    up.wait();
    until("the end of all processes", || alive(&pods).is_empty().then_some(()));
}

/// The example with all pods ready, and the processes that it runs.
fn running() -> (Up, Vec<Process>) {
    let mut up = Up::example();
    up.port("http", "hello.localhost");
    let pods = pods_of_the_example();
    up.ready(pods);
    let processes = descendants(up.id());
    assert!(processes.len() >= pods, "{pods} pods, but only {processes:?}");
    (up, processes)
}

/// The sum of `replicas` in the example.
fn pods_of_the_example() -> usize {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/hello");
    fs::read_dir(example)
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
        .flat_map(|text| {
            let replicas = text
                .lines()
                .filter_map(|line| line.trim().strip_prefix("replicas:")?.trim().parse().ok());
            replicas.collect::<Vec<usize>>()
        })
        .sum()
}
