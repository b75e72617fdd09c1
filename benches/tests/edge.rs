//! The comparison runs to its end, with whatever peers this machine has.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{fs, path::Path, process::Command};

use fairlead_test_support::{peer, skip};
use serde_json::Value;

/// All but `instructions`, which takes longer than all others.
const SCENARIOS: [&str; 7] = ["h1-plain", "h1-tls", "h2-tls", "new-tls", "idle", "start", "change"];

/// What was written.
fn edge(arguments: &[&str], folder: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_edge"))
        .arg("--tiny")
        .args(arguments)
        .arg("--write")
        .arg(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json = fs::read(folder.join("edge.json")).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn names<'a>(of: &'a Value, list: &str) -> Vec<&'a str> {
    let list = of[list].as_array().unwrap();
    list.iter().map(|item| item["name"].as_str().unwrap()).collect()
}

fn has_two_cores(test: &str) -> bool {
    let two = std::thread::available_parallelism().unwrap().get() >= 2;
    if !two {
        skip(test, "two cores are needed");
    }
    two
}

#[test]
fn every_scenario_has_a_row_for_each_peer_that_is_there() {
    let test = "every_scenario_has_a_row_for_each_peer_that_is_there";
    if !has_two_cores(test) {
        return;
    }
    let here = |name, program| peer(test, program).map(|_| name);
    let router = Path::new(env!("CARGO_BIN_EXE_edge")).with_file_name("fairlead-router");
    let fairlead = router.is_file().then_some("Fairlead");
    if fairlead.is_none() {
        skip(test, "fairlead-router is not built");
    }
    let (nginx, haproxy) = (here("nginx", "nginx"), here("HAProxy", "haproxy"));
    let bare = [Some("bare hyper"), Some("bare Pingora")];
    let proxies = [nginx, haproxy, here("Envoy", "envoy"), bare[0], bare[1], fairlead];
    let proxies: Vec<_> = proxies.into_iter().flatten().collect();

    let folder = tempfile::tempdir().unwrap();
    let report = edge(&SCENARIOS.map(|name| ["--scenario", name]).concat(), folder.path());
    assert_eq!(names(&report, "scenarios"), SCENARIOS);
    for scenario in report["scenarios"].as_array().unwrap() {
        let name = scenario["name"].as_str().unwrap();
        let mut rows = names(scenario, "rows");
        match name {
            "idle" => assert_eq!(rows, proxies),
            "start" => {
                let apps = proxies.iter().filter(|proxy| !proxy.starts_with("bare"));
                assert_eq!(rows, apps.copied().collect::<Vec<_>>());
            }
            "change" => {
                let kinds = ["add", "edit", "endpoint", "certificate", "delete"];
                let fairlead = fairlead.map(|_| kinds.map(|kind| format!("Fairlead: {kind}")));
                let reloads = [nginx, haproxy].into_iter().flatten();
                let reloads = reloads.map(|name| format!("{name}: add, by reload"));
                let expected: Vec<_> = fairlead.into_iter().flatten().chain(reloads).collect();
                assert_eq!(rows, expected);
            }
            _ => {
                assert_eq!(rows.remove(0), "no proxy, in the clear (the backend's CPU)");
                assert_eq!(rows, proxies, "{name}");
            }
        }
        let plot = fs::read_to_string(folder.path().join(format!("edge-{name}.svg"))).unwrap();
        assert!(plot.contains("</svg>"), "{plot}");
    }
    let page = fs::read_to_string(folder.path().join("edge.md")).unwrap();
    assert_eq!(page.matches("\n![").count(), SCENARIOS.len(), "{page}");
}

#[test]
fn instructions_of_requests_and_of_the_table_are_counted() {
    let test = "instructions_of_requests_and_of_the_table_are_counted";
    if !has_two_cores(test) || peer(test, "valgrind").is_none() {
        return;
    }
    let Some(_) = peer(test, "nginx") else { return };
    let folder = tempfile::tempdir().unwrap();
    let report = edge(&["--scenario", "instructions", "--peer", "nginx"], folder.path());
    assert_eq!(names(&report, "scenarios"), ["instructions", "instructions-table"]);
    let counts = |scenario: usize| -> Vec<f64> {
        let rows = report["scenarios"][scenario]["rows"].as_array().unwrap();
        rows.iter().map(|row| row["samples"][0][0].as_f64().unwrap()).collect()
    };
    assert_eq!((counts(0).len(), counts(1).len()), (1, 3));
    // A request and a look-up need some, and a look-up fewer than compiling.
    let (request, table) = (counts(0)[0], counts(1));
    assert!(request > 1000.0 && table[2] > 10.0 && table[2] < table[0], "{request} {table:?}");
}
