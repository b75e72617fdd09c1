//! Drains of the running `up`.

use std::{
    io::Read as _,
    net::{TcpListener, TcpStream},
    process::{Command, Output, Stdio},
};

use crate::process::{PATIENCE, Up, until};

/// `fairlead drains` about the running `up`.
fn drains(up: &Up, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fairlead"));
    command.arg("drains").args(args).arg("--state-dir").arg(up.state());
    command.env_remove("KUBECONFIG").stdin(Stdio::null()).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    format!("{text}{}", String::from_utf8_lossy(&output.stderr))
}

/// What a connection brings until the text is in it.
fn read_until(stream: &mut TcpStream, wanted: &str) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    while !text.contains(wanted) {
        let length = stream.read(&mut buffer).unwrap();
        assert!(length > 0, "ended after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    text
}

#[test]
fn a_drain_is_added_tried_listed_and_removed() {
    let mut up = Up::example();
    up.ready(3);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("syslog+tcp://{}", listener.local_addr().unwrap());
    let wrong = drains(&up, &["add", "web", "ftp://logs.example"]);
    assert!(!wrong.status.success() && said(&wrong).contains("the URL's scheme is unknown"));
    let added = drains(&up, &["add", "web", &url, "--app", "default/hello"]);
    assert!(added.status.success(), "{}", said(&added));

    let tried = until("it can be tried", || {
        let tried = drains(&up, &["test", "web"]);
        tried.status.success().then_some(tried)
    });
    let text = said(&tried);
    assert!(text.contains("connected to 127.0.0.1:") && text.contains("\nsent: "), "{text}");
    let (mut stream, _) = listener.accept().unwrap();
    read_until(&mut stream, "This line was sent to test the drain default/web.");

    let listed = said(&drains(&up, &["list"]));
    let row = listed.lines().find(|line| line.starts_with("default/web ")).unwrap();
    assert!(row.contains(" default/hello ") && row.contains(&url), "{listed}");

    let removed = drains(&up, &["remove", "web"]);
    assert!(removed.status.success(), "{}", said(&removed));
    until("it is gone", || (!said(&drains(&up, &["list"])).contains("default/web")).then_some(()));
    let again = drains(&up, &["remove", "web"]);
    assert!(!again.status.success() && said(&again).contains("there is no drain default/web"));
}
