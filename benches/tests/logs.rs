//! The log pipeline's comparison runs to its end, with whatever peers this machine has.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, process::Command};

use fairlead_test_support::{find_peer, skip};

#[test]
fn logs_writes_a_section_for_each_scenario() {
    if std::thread::available_parallelism().unwrap().get() < 2 {
        return skip("logs_writes_a_section_for_each_scenario", "two cores are needed");
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_logs"))
        .arg("--tiny")
        .arg("--write")
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let json = fs::read(folder.path().join("logs.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let scenarios = json["scenarios"].as_array().unwrap();
    let names: Vec<_> = scenarios.iter().map(|s| s["name"].as_str().unwrap()).collect();
    let all = [
        "forward",
        "stored",
        "steady",
        "idle",
        "first-line",
        "killed",
        "append",
        "append-dumped",
        "memory",
        "read",
        "follow",
        "drain",
        "drains",
    ];
    assert_eq!(names, all);
    let peers = 1 + usize::from(find_peer("rsyslogd").is_some());
    for name in ["forward", "steady", "idle", "killed"] {
        let scenario = scenarios.iter().find(|scenario| scenario["name"] == name).unwrap();
        assert_eq!(scenario["rows"].as_array().unwrap().len(), peers, "{scenario}");
    }
    // With TLS, and without.
    for (name, rows) in [("drain", 1 + peers), ("drains", 2)] {
        let scenario = scenarios.iter().find(|scenario| scenario["name"] == name).unwrap();
        assert_eq!(scenario["rows"].as_array().unwrap().len(), rows, "{scenario}");
    }
    let markdown = fs::read_to_string(folder.path().join("logs.md")).unwrap();
    for scenario in scenarios {
        let title = scenario["title"].as_str().unwrap();
        assert!(markdown.contains(&format!("\n## {title}\n")), "{title}: {markdown}");
    }
}
