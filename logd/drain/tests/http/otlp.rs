//! OpenTelemetry's logs, and rotel as a receiver that others use.

use std::process::Stdio;
use std::time::Duration;

use fairlead_drain::{FailureKind, Keys, Reason, Verdict};
use fairlead_test_support::peer;
use opentelemetry_proto::tonic::{
    collector::logs::v1::{
        ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
    },
    common::v1::any_value::Value,
    logs::v1::ResourceLogs,
};
use prost::Message as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::receiver::{Receiver, Reply, Request};
use crate::sender::{Sender, TIME};

fn resources(request: &Request) -> Vec<ResourceLogs> {
    ExportLogsServiceRequest::decode(&*request.body).unwrap().resource_logs
}

fn bodies(resources: &[ResourceLogs]) -> Vec<String> {
    let scopes = resources.iter().flat_map(|resource| &resource.scope_logs);
    scopes
        .flat_map(|scope| &scope.log_records)
        .map(|record| match record.body.clone().and_then(|body| body.value) {
            Some(Value::StringValue(text)) => text,
            other => panic!("{other:?}"),
        })
        .collect()
}

#[tokio::test]
async fn lines_are_exported() {
    let receiver = Receiver::new(|_: &Request| Reply::status(200, "")).await;
    let url = format!("otlp+http://127.0.0.1:{}", receiver.port);
    let keys = Keys { token: Some(b"t0ken"), ..Keys::default() };
    let mut sender = Sender::with(&url, keys, Duration::from_secs(30));
    assert_eq!(sender.send(&["a", "b"]).await.unwrap(), [Verdict::Delivered; 2]);
    let request = receiver.requests().remove(0);
    assert_eq!(request.line, "POST /v1/logs HTTP/1.1");
    assert_eq!(request.headers["content-type"], "application/x-protobuf");
    assert_eq!(request.headers["content-encoding"], "gzip");
    assert_eq!(request.headers["authorization"], "Bearer t0ken");
    assert_eq!(bodies(&resources(&request)), ["a", "b"]);
}

#[tokio::test]
async fn what_is_rejected_does_not_go_again() {
    let partial =
        ExportLogsPartialSuccess { rejected_log_records: 2, error_message: "too old".to_owned() };
    let answer = ExportLogsServiceResponse { partial_success: Some(partial) }.encode_to_vec();
    let receiver =
        Receiver::new(move |_: &Request| Reply::Whole(200, Vec::new(), answer.clone())).await;
    let mut sender = Sender::new(&format!("otlp+http://127.0.0.1:{}", receiver.port));
    let verdicts = sender.send(&["a", "b", "c"]).await.unwrap();
    let rejected = |verdict: &&Verdict| **verdict == Verdict::Rejected(Reason::Unnamed);
    assert_eq!(verdicts.iter().filter(rejected).count(), 2);
    assert_eq!(verdicts.len(), 3);
    assert_eq!(sender.sink.complaint().as_deref(), Some("too old"));
}

/// A status of 2xx has taken them, also where there is not all of its body.
#[tokio::test]
async fn what_was_taken_does_not_go_again_for_half_an_answer() {
    for (reply, why) in [
        (Reply::Half(vec![b'x'; 100]), "end of file before message length reached"),
        (Reply::status(200, &"x".repeat(100_000)), "an answer of more than 65536 bytes"),
    ] {
        let receiver = Receiver::new(move |_: &Request| reply.clone()).await;
        let mut sender = Sender::new(&format!("otlp+http://127.0.0.1:{}", receiver.port));
        assert_eq!(sender.send(&["a", "b"]).await.unwrap(), [Verdict::Delivered; 2]);
        let said = sender.sink.complaint().unwrap();
        assert!(said.starts_with("taken, but it answers no ExportLogsServiceResponse: "), "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn only_what_the_protocol_names_goes_again() {
    for (status, verdict) in [
        (429, Err(FailureKind::Busy)),
        (502, Err(FailureKind::Busy)),
        (503, Err(FailureKind::Busy)),
        (504, Err(FailureKind::Busy)),
        (400, Ok(vec![Verdict::Rejected(Reason::Unread)])),
        (500, Ok(vec![Verdict::Rejected(Reason::Unread)])),
        // The drain's fault, not the line's.
        (401, Err(FailureKind::Denied)),
    ] {
        let receiver = Receiver::new(move |_: &Request| Reply::status(status, "")).await;
        let mut sender = Sender::new(&format!("otlp+http://127.0.0.1:{}", receiver.port));
        let sent = sender.send(&["a"]).await.map_err(|failure| failure.kind);
        assert_eq!(sent, verdict, "{status}");
    }
}

async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

/// rotel takes lines, reads them, and exports what it has read to where the test can see it.
#[tokio::test]
async fn rotel_reads_what_is_exported() {
    let Some(rotel) = peer("rotel_reads_what_is_exported", "rotel-agent") else { return };
    let behind = Receiver::new(|_: &Request| Reply::status(200, "")).await;
    let port = free_port().await;
    let mut child = Command::new(rotel)
        .args(["start", "--otlp-http-endpoint", &format!("127.0.0.1:{port}")])
        .args(["--otlp-grpc-endpoint", &format!("127.0.0.1:{}", free_port().await)])
        .args(["--exporter", "otlp", "--otlp-exporter-protocol", "http"])
        .args(["--otlp-exporter-endpoint", &format!("http://127.0.0.1:{}", behind.port)])
        .args(["--logs-batch-timeout", "100ms"])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let listening = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            assert_eq!(child.try_wait().unwrap(), None, "rotel has ended");
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(30), listening).await.expect("rotel listens");

    let mut sender = Sender::new(&format!("otlp+http://127.0.0.1:{port}"));
    let lines: Vec<String> = (0..100).map(|no| format!("line {no}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(sender.send(&lines).await.unwrap(), vec![Verdict::Delivered; 100]);

    let exported = async {
        loop {
            let resources: Vec<_> = behind.requests().iter().flat_map(resources).collect();
            if bodies(&resources).len() >= 100 {
                break resources;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let exported = timeout(Duration::from_secs(30), exported).await.expect("rotel exports");
    assert_eq!(bodies(&exported), lines);
    let attributes = &exported[0].resource.as_ref().unwrap().attributes;
    let service = attributes.iter().find(|attribute| attribute.key == "service.name").unwrap();
    let name = service.value.clone().and_then(|value| value.value);
    assert_eq!(name, Some(Value::StringValue("front".to_owned())));
    let record = &exported[0].scope_logs[0].log_records[0];
    assert_eq!((record.time_unix_nano, &*record.severity_text), (TIME as u64, "INFO"));
}
