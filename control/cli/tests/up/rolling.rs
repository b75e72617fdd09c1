//! Rolling deploys under load.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use fairlead_test_support::figure;

use crate::{
    client::api,
    process::{PATIENCE, Up, until},
};

/// Requests per second over all clients; every second one is a POST.
const RATE: u64 = 100;
const CLIENTS: u64 = 10;
const DEPLOYS: usize = 10;

fn manifest(backend: &str, record: &str, version: usize) -> String {
    format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 3
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - name: web
        image: python
        command: [python3, "{backend}", "{record}"]
        env: [{{name: VERSION, value: "{version}"}}, {{name: PORT, value: "8000"}}]
        ports: [{{containerPort: 8000}}]
        readinessProbe: {{tcpSocket: {{port: 8000}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata:
  name: web
  labels: {{router.deis.io/routable: "true"}}
  annotations: {{router.deis.io/domains: web.localhost}}
spec:
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: 8000}}]
"#
    )
}

#[test]
fn ten_rolling_deploys_fail_no_request_and_repeat_no_post() {
    let dir = tempfile::tempdir().unwrap();
    let manifests = dir.path().join("manifests");
    fs::create_dir(&manifests).unwrap();
    let backend = dir.path().join("backend.py");
    fs::write(&backend, include_str!("backend.py")).unwrap();
    let record = dir.path().join("posts");
    let (backend, record_name) =
        (backend.to_str().unwrap().to_owned(), record.to_str().unwrap().to_owned());
    let deploy = |version| {
        fs::write(manifests.join("web.yaml"), manifest(&backend, &record_name, version)).unwrap();
    };
    deploy(0);
    let mut up = Up::start(dir, &[]);
    let port = up.port("http", "web.localhost");
    let kubeconfig = up.state().join("kubeconfig");
    let rolled_out = |version: usize| {
        until("the roll-out", || {
            let web = api(&kubeconfig, "/apis/apps/v1/namespaces/default/deployments/web");
            let count = |field: &str| web["status"][field].as_u64().unwrap_or(0);
            let env = &web["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"];
            let done = env.as_str().and_then(|version| version.parse().ok()) == Some(version)
                && web["status"]["observedGeneration"] == web["metadata"]["generation"]
                && (count("updatedReplicas"), count("availableReplicas"), count("replicas"))
                    == (3, 3, 3);
            if !done {
                thread::sleep(Duration::from_millis(50));
            }
            done.then_some(())
        });
    };
    rolled_out(0);

    let stop = Arc::new(AtomicBool::new(false));
    let (posted, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (stop, posted, answered) = (stop.clone(), posted.clone(), answered.clone());
            thread::spawn(move || load(port, client, &stop, &posted, &answered))
        })
        .collect();
    for version in 1..=DEPLOYS {
        deploy(version);
        rolled_out(version);
    }
    let due = RATE * begun.elapsed().as_secs();
    stop.store(true, Relaxed);
    let failures: Vec<String> =
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    assert!(
        failures.is_empty(),
        "{} failed: {:#?}",
        failures.len(),
        &failures[..failures.len().min(5)]
    );

    let mut executed: HashMap<String, u32> = HashMap::new();
    for line in fs::read_to_string(record).unwrap().lines() {
        *executed.entry(line.to_owned()).or_default() += 1;
    }
    let (posted, answered) = (posted.load(Relaxed), answered.load(Relaxed));
    assert!(posted > 0);
    // A router that stalls would get fewer requests rather than fail them.
    assert!(answered * 10 >= due * 8, "{answered} answers, where {due} requests were due");
    figure(
        "ten_rolling_deploys_fail_no_request_and_repeat_no_post",
        &format!(
            "{DEPLOYS} deploys, {answered} requests at {RATE}/s, {posted} of them POST, 0 failed, 0 repeated"
        ),
    );
    assert_eq!(executed.len() as u64, posted, "every POST that was answered was executed");
    assert!(executed.values().all(|times| *times == 1), "executed twice: {executed:?}");
}

/// Sends this client's share of the load on one kept connection, and tells what failed.
fn load(
    port: u16,
    client: u64,
    stop: &AtomicBool,
    posted: &AtomicU64,
    answered: &AtomicU64,
) -> Vec<String> {
    let period = Duration::from_micros(1_000_000 * CLIENTS / RATE);
    let mut due =
        Instant::now() + period * u32::try_from(client).unwrap() / u32::try_from(CLIENTS).unwrap();
    let mut connection = connect(port);
    let mut failures = Vec::new();
    for i in 0_u64.. {
        if stop.load(Relaxed) {
            break;
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += period;
        let is_post = (i + client).is_multiple_of(2);
        let body = if is_post { format!("{client}-{i}") } else { String::new() };
        let method = if is_post { "POST" } else { "GET" };
        let request = format!(
            "{method} / HTTP/1.1\r\nHost: web.localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        match exchange(&mut connection, &request) {
            Ok((200, answer)) if !is_post || answer == body => {
                answered.fetch_add(1, Relaxed);
                posted.fetch_add(u64::from(is_post), Relaxed);
            }
            Ok((status, answer)) => {
                failures.push(format!("{method} {i} of client {client}: {status} {answer:?}"));
                connection = connect(port);
            }
            Err(error) => {
                failures.push(format!("{method} {i} of client {client}: {error}"));
                connection = connect(port);
            }
        }
    }
    failures
}

fn connect(port: u16) -> BufReader<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    BufReader::new(stream)
}

fn exchange(
    connection: &mut BufReader<TcpStream>,
    request: &str,
) -> std::io::Result<(u16, String)> {
    let broken = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
    connection.get_mut().write_all(request.as_bytes())?;
    let mut status = None;
    let mut length = 0;
    loop {
        let mut line = String::new();
        connection.read_line(&mut line)?;
        let line = line.strip_suffix("\r\n").ok_or_else(broken)?;
        if line.is_empty() {
            break;
        }
        if status.is_none() {
            status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| broken())?;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok((status.ok_or_else(broken)?, String::from_utf8_lossy(&body).into_owned()))
}
