//! The comparison runs to its end, with whatever peers this machine has.

use std::{fs, process::Command};

use fairlead_test_support::{find_peer, skip};

#[test]
fn edge_writes_a_row_for_each_peer() {
    if std::thread::available_parallelism().unwrap().get() < 2 {
        return skip("edge_writes_a_row_for_each_peer", "two cores are needed");
    }
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_edge"))
        .args(["--rate", "100", "--connections", "4", "--rounds", "1", "--seconds", "1"])
        .arg("--write")
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let json = fs::read(folder.path().join("edge.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let rows: Vec<_> =
        json["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    let nginx = find_peer("nginx").map(|_| "nginx");
    let expected: Vec<_> = ["backend"].into_iter().chain(nginx).chain(["bare Pingora"]).collect();
    assert_eq!(rows, expected);
    let markdown = fs::read_to_string(folder.path().join("edge.md")).unwrap();
    assert_eq!(markdown.matches("\n| ").count(), 1 + expected.len(), "{markdown}");
}
