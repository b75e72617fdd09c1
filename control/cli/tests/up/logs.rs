//! Lines of pods on their way to whoever reads them.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
    sync::mpsc::channel,
};

use fairlead_logd::{Auth, Logd, LogdOptions};
use fairlead_shipper::{Shipper, ShipperOptions};

use crate::{
    client::http,
    process::{PATIENCE, Up, until},
};

/// `fairlead logs` about the running `up`.
fn logs(up: &Up, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fairlead"));
    command.arg("logs").args(args).arg("--state-dir").arg(up.state());
    command
}

#[test]
fn lines_of_pods_are_shown_and_followed() {
    let mut up = Up::example();
    up.ready(3);
    let first = until("a line of each pod", || {
        let output = logs(&up, &["-a", "hello", "--grep", "^listening"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        (text.lines().count() >= 2).then_some(text)
    });
    for line in first.lines() {
        let (_, rest) = line.split_once(" hello[web.").unwrap();
        let (pod, message) = rest.split_once("]: ").unwrap();
        assert_eq!(pod.len(), 5, "{line}");
        assert!(message.starts_with("listening on http://127."), "{line}");
    }
    let unknown = logs(&up, &["-a", "nobody"]).output().unwrap();
    assert!(unknown.status.success() && unknown.stdout.is_empty());

    let mut follower =
        logs(&up, &["-f", "-a", "hello", "-n", "0", "-o", "json", "--grep", "^listening"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
    let stdout = BufReader::new(follower.stdout.take().unwrap());
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let manifest = up.manifest("hello.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let edited = text.replace("value: Hello", "value: Howdy");
    assert_ne!(text, edited);
    std::fs::write(&manifest, edited).unwrap();
    let line: serde_json::Value =
        serde_json::from_str(&lines.recv_timeout(PATIENCE).unwrap()).unwrap();
    assert_eq!(line["app"], "default/hello");
    assert!(!first.contains(line["pod"].as_str().unwrap().rsplit('-').next().unwrap()), "{line}");
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[test]
fn requests_are_shown_in_the_log_of_their_app() {
    let mut up = Up::example();
    let port = up.port("http", "hello.localhost");
    up.ready(3);
    until("an answer", || {
        http(port, "hello.localhost", "/seen-by-the-router").filter(|(status, _)| *status == 404)
    });
    until("its line", || {
        let output = logs(&up, &["-a", "hello", "-p", "router"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().any(|line| line.contains("/seen-by-the-router")).then_some(())
    });
}

/// Another logd is sent the lines of the files again; what was shown is not shown again.
#[test]
fn a_follower_shows_every_line_once_though_logd_dies() {
    let folder = tempfile::tempdir().unwrap();
    let container = folder.path().join("pods/shop_web_0b6a/web");
    std::fs::create_dir_all(&container).unwrap();
    let write = |numbers: std::ops::Range<u32>| {
        let path = container.join("0.log");
        let mut log = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        for number in numbers {
            let time = jiff::Timestamp::now();
            log.write_all(format!("{time:.9} stdout F line {number}\n").as_bytes()).unwrap();
        }
    };
    let start = |http, wire| {
        Logd::start(LogdOptions { http, wire, ..LogdOptions::new(Auth::Off) }).unwrap()
    };
    let any = "127.0.0.1:0".parse().unwrap();
    let logd = start(any, any);
    let (http, wire) = (logd.http_addr(), logd.wire_addr());
    let options = ShipperOptions {
        pods: folder.path().join("pods"),
        state: folder.path().join("state"),
        admin: any,
        ..ShipperOptions::to(format!("http://{wire}").parse().unwrap())
    };
    let _shipper = Shipper::start(options, None).unwrap();
    write(0..20);
    let mut follower = Command::new(env!("CARGO_BIN_EXE_fairlead"))
        .args(["logs", "-f", "-a", "shop/web", "-o", "json", "--logd", &format!("http://{http}")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = BufReader::new(follower.stdout.take().unwrap());
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let shown = |expected: std::ops::Range<u32>| {
        for number in expected {
            let line = lines.recv_timeout(PATIENCE).unwrap();
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(line["message"], format!("line {number}"));
        }
    };
    shown(0..20);
    write(20..30);
    drop(logd);
    write(30..40);
    let logd = start(http, wire);
    shown(20..40);
    write(40..50);
    shown(40..50);
    drop(logd);
    follower.kill().unwrap();
    follower.wait().unwrap();
    assert_eq!(lines.iter().collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn without_a_running_up_the_flag_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_fairlead"))
        .args(["logs", "-a", "hello", "--state-dir"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        format!(
            "fairlead: no `fairlead up` runs with its state in {}; name a logd with --logd, or another folder with --state-dir\n",
            folder.path().display()
        )
    );
}
