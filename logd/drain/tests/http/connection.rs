//! What all of them have in common: connections, redirects, statuses, TLS.

use std::time::Duration;

use fairlead_drain::{
    Credentials, FailureKind, Guard, Keys, Network, OpenError, Reason, Stage, Timeouts, Verdict,
    open, target::Target,
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::receiver::{Fault, Receiver, Reply, Request};
use crate::sender::Sender;

fn json(receiver: &Receiver) -> Sender {
    Sender::new(&format!("json+http://127.0.0.1:{}/in?a=b", receiver.port))
}

fn fine(_: &Request) -> Reply {
    Reply::status(200, "")
}

#[tokio::test]
async fn a_connection_is_kept() {
    let receiver = Receiver::new(fine).await;
    let mut sender = json(&receiver);
    for _ in 0..3 {
        assert_eq!(sender.send(&["a"]).await.unwrap(), [Verdict::Delivered]);
    }
    let requests = receiver.requests();
    assert_eq!(requests.iter().map(|request| request.connection).collect::<Vec<_>>(), [0, 0, 0]);
    assert_eq!(requests[0].line, "POST /in?a=b HTTP/1.1");
    assert_eq!(requests[0].headers["host"], format!("127.0.0.1:{}", receiver.port));
    assert!(requests[0].headers["user-agent"].starts_with("fairlead/"));
    sender.sink.close().await;
    sender.send(&["a"]).await.unwrap();
    assert_eq!(receiver.requests()[3].connection, 1);
}

#[tokio::test]
async fn a_connection_has_an_age() {
    let receiver = Receiver::new(fine).await;
    let timeouts = Timeouts { age: Duration::ZERO, ..Timeouts::default() };
    let mut sender = Sender::within(
        &format!("json+http://127.0.0.1:{}", receiver.port),
        Keys::default(),
        timeouts,
    );
    for _ in 0..3 {
        assert_eq!(sender.send(&["a"]).await.unwrap(), [Verdict::Delivered]);
    }
    let requests = receiver.requests();
    assert_eq!(requests.iter().map(|request| request.connection).collect::<Vec<_>>(), [0, 1, 2]);
}

#[tokio::test]
async fn a_request_that_may_have_arrived_goes_again_only_where_the_receiver_knows_it_again() {
    // Every second request of a connection is not answered.
    let forgetful = || {
        let mut requests = [0; 8];
        move |request: &Request| {
            requests[request.connection] += 1;
            match requests[request.connection] % 2 {
                1 => Reply::status(200, r#"{"errors":false,"items":[{"create":{"status":201}}]}"#),
                _ => Reply::Nothing,
            }
        }
    };
    let receiver = Receiver::new(forgetful()).await;
    let mut sender = Sender::new(&format!("elasticsearch+http://127.0.0.1:{}", receiver.port));
    sender.send(&["a"]).await.unwrap();
    assert_eq!(sender.batch.repeated, 0);
    assert_eq!(sender.send(&["b"]).await.unwrap(), [Verdict::Delivered]);
    assert_eq!((receiver.requests().len(), sender.batch.repeated), (3, 1));

    let receiver = Receiver::new(forgetful()).await;
    let mut sender = json(&receiver);
    sender.send(&["a"]).await.unwrap();
    assert_eq!(sender.send(&["b"]).await.unwrap_err().kind, FailureKind::Connect);
    assert_eq!(receiver.requests().len(), 2);
    assert_eq!(sender.send(&["b"]).await.unwrap(), [Verdict::Delivered]);
}

#[tokio::test]
async fn a_first_connection_that_breaks_is_a_failure() {
    let receiver = Receiver::new(fine).await;
    receiver.faults([Fault::Reset]);
    let mut sender = json(&receiver);
    let long = "a".repeat(500_000);
    assert_eq!(sender.send(&[&long]).await.unwrap_err().kind, FailureKind::Connect);
    assert_eq!(sender.send(&[&long]).await.unwrap(), [Verdict::Delivered]);
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Receiver::new(fine).await;
    for status in [301, 302, 307, 308] {
        let location = format!("http://127.0.0.1:{}/", elsewhere.port);
        let receiver = Receiver::new(move |_: &Request| {
            Reply::Whole(status, vec![("Location", location.clone())], Vec::new())
        })
        .await;
        let failure = json(&receiver).send(&["a"]).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Denied);
        assert_eq!(failure.message, format!("status {status}: redirects are not followed"));
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn who_is_busy_says_for_how_long() {
    let busy =
        |_: &Request| Reply::Whole(503, vec![("Retry-After", "7".to_owned())], b"later".into());
    let receiver = Receiver::new(busy).await;
    let failure = json(&receiver).send(&["a"]).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Busy);
    assert_eq!(failure.to_string(), "status 503: later");
    assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn who_does_not_answer_in_time_is_left() {
    for reply in [Reply::Silence, Reply::Slow(vec![b' '; 100_000])] {
        let receiver = Receiver::new(move |_: &Request| reply.clone()).await;
        let url = format!("elasticsearch+http://127.0.0.1:{}", receiver.port);
        let mut sender = Sender::with(&url, Keys::default(), Duration::from_millis(300));
        let failure = sender.send(&["a"]).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Timeout);
        assert_eq!(failure.message, "no whole answer after 300ms");
    }
}

#[tokio::test]
async fn a_connection_to_who_takes_nothing_is_ended() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("json+http://{}", listener.local_addr().unwrap());
    let mut sender = Sender::with(&url, Keys::default(), Duration::from_millis(300));
    let long = "x".repeat(32 << 20);
    let lines = [&*long];
    let (sent, accepted) = tokio::join!(sender.send(&lines), listener.accept());
    assert_eq!(sent.unwrap_err().kind, FailureKind::Timeout);
    // The end comes behind what the system had taken.
    let mut rest = Vec::new();
    let _ = accepted.unwrap().0.read_to_end(&mut rest).await;
    assert!(rest.len() < long.len(), "nothing follows once it has failed");
}

#[tokio::test]
async fn an_answer_before_the_end_of_a_request_counts_and_its_connection_is_not_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("json+http://{}", listener.local_addr().unwrap());
    let mut sender = Sender::new(&url);
    let long = "x".repeat(32 << 20);
    let early = async |answer: &str| {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.read_exact(&mut [0; 100]).await.unwrap();
        let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
        tcp.write_all(answer.as_bytes()).await.unwrap();
        tcp
    };
    let lines = [&*long];
    let (sent, _open) = tokio::join!(sender.send(&lines), early("413 Too Large"));
    assert_eq!(sent.unwrap(), [Verdict::Rejected(Reason::TooLong)]);
    let (sent, _open) = tokio::join!(sender.send(&["a"]), early("200 OK"));
    assert_eq!(sent.unwrap(), [Verdict::Delivered]);
}

#[tokio::test]
async fn a_status_says_enough_for_those_that_read_no_more() {
    for reply in [Reply::Half(vec![b'x'; 100]), Reply::status(202, &"x".repeat(100_000))] {
        let receiver = Receiver::new(move |_: &Request| reply.clone()).await;
        let mut sender = json(&receiver);
        for _ in 0..2 {
            assert_eq!(sender.send(&["a"]).await.unwrap(), [Verdict::Delivered]);
        }
        assert_eq!(receiver.requests()[1].connection, 1, "what was left unread is not kept");
    }
}

#[tokio::test]
async fn what_is_too_large_is_taken_apart_and_later_batches_are_smaller() {
    let receiver = Receiver::new(|request: &Request| match request.body.len() {
        ..2_000 => Reply::status(200, ""),
        _ => Reply::status(413, "too large"),
    })
    .await;
    let mut sender = json(&receiver);
    let before = sender.sink.limits().bytes;
    let long = "x".repeat(3_000);
    let mut lines = vec!["short"; 40];
    lines[17] = &long;
    let mut expected = vec![Verdict::Delivered; 40];
    expected[17] = Verdict::Rejected(Reason::TooLong);
    assert_eq!(sender.send(&lines).await.unwrap(), expected);
    assert_eq!(sender.sink.complaint().as_deref(), Some("status 413: too large"));
    assert_eq!(sender.sink.complaint(), None);
    assert!(sender.sink.limits().bytes < before);

    let messages = |request: &Request| {
        let lines: Vec<_> = request.body.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>()
    };
    let taken = receiver.requests().into_iter().filter(|request| request.body.len() < 2_000);
    let ends: Vec<u64> = taken
        .flat_map(|request| messages(&request))
        .map(|line| {
            let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
            line["name"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap()
        })
        .collect();
    assert_eq!(ends, (1..=40).filter(|end| *end != 18).collect::<Vec<_>>(), "in order, once");
}

#[tokio::test]
async fn a_line_that_cannot_be_read_costs_no_other_one() {
    let receiver = Receiver::new(|request: &Request| {
        let bad = String::from_utf8_lossy(&request.body).contains("poison");
        if bad { Reply::status(400, "what is\npoison?") } else { Reply::status(204, "") }
    })
    .await;
    let mut lines = vec!["fine"; 1_000];
    lines[500] = "poison";
    let mut expected = vec![Verdict::Delivered; 1_000];
    expected[500] = Verdict::Rejected(Reason::Refused);
    let mut sender = json(&receiver);
    assert_eq!(sender.send(&lines).await.unwrap(), expected);
    assert_eq!(sender.sink.complaint().as_deref(), Some("status 400: what is poison?"));
    assert!(receiver.requests().len() <= 21, "{}", receiver.requests().len());
}

/// However many there are: what is not told apart in time goes again, and is told apart then.
#[tokio::test]
async fn lines_that_cannot_be_read_cost_no_other_ones() {
    let receiver = Receiver::new(|request: &Request| {
        let bad = String::from_utf8_lossy(&request.body).contains("poison");
        if bad { Reply::status(400, "") } else { Reply::status(204, "") }
    })
    .await;
    let mut lines: Vec<String> = (0..1_000).map(|no| format!("fine {no}")).collect();
    for bad in [100, 300, 500, 700, 900] {
        lines[bad] = format!("poison {bad}");
    }
    let mut sender = json(&receiver);
    let (mut rejected, mut delivered) = (Vec::new(), 0);
    for _ in 0..3 {
        let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
        let verdicts = sender.send(&texts).await.unwrap();
        assert_eq!(verdicts.len(), lines.len());
        let mut again = Vec::new();
        for (line, verdict) in std::mem::take(&mut lines).into_iter().zip(verdicts) {
            match verdict {
                Verdict::Delivered => delivered += 1,
                Verdict::Again => again.push(line),
                Verdict::Rejected(Reason::Refused) => rejected.push(line),
                other => panic!("{line}: {other:?}"),
            }
        }
        lines = again;
    }
    assert_eq!(rejected, ["poison 100", "poison 300", "poison 500", "poison 700", "poison 900"]);
    assert_eq!((delivered, lines.len()), (995, 0));
    assert!(receiver.requests().len() < 110, "{}", receiver.requests().len());
}

#[tokio::test]
async fn who_takes_nothing_is_not_asked_for_every_line() {
    let receiver = Receiver::new(|_: &Request| Reply::status(400, "")).await;
    let verdicts = json(&receiver).send(&vec!["a"; 1_000]).await.unwrap();
    let alone = verdicts.iter().take_while(|it| **it == Verdict::Rejected(Reason::Unread)).count();
    assert!((20..32).contains(&alone), "{alone}");
    assert_eq!(verdicts[alone..], vec![Verdict::Rejected(Reason::Together); 1_000 - alone]);
    assert!(receiver.requests().len() < 100, "{}", receiver.requests().len());
}

#[tokio::test]
async fn what_arrived_before_a_failure_has_arrived() {
    let receiver = Receiver::new(|request: &Request| {
        let lines = request.body.iter().filter(|b| **b == b'\n').count();
        let first = String::from_utf8_lossy(&request.body).contains(":1\"");
        match (lines, first) {
            (10, _) => Reply::status(413, ""),
            (_, true) => Reply::status(200, ""),
            _ => Reply::status(500, "broken"),
        }
    })
    .await;
    let mut sender = json(&receiver);
    assert_eq!(sender.send(&["a"; 10]).await.unwrap(), [Verdict::Delivered; 5]);
    let failure = sender.sink.confirm().await.unwrap_err();
    assert_eq!((failure.kind, &*failure.to_string()), (FailureKind::Busy, "status 500: broken"));
}

#[tokio::test]
async fn who_may_not_send_is_told_so_until_that_is_mended() {
    for (status, reason) in [(401, "Unauthorized"), (403, "Forbidden"), (404, "Not Found")] {
        // What was asked is repeated by many, and may be a secret.
        let receiver = Receiver::new(move |_: &Request| Reply::status(status, "/s3cret?")).await;
        let failure = json(&receiver).send(&["a"]).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Denied);
        assert_eq!(failure.message, format!("status {status} {reason}"));
    }
}

/// Who gives up to send learns whether anything may have left.
#[tokio::test]
async fn a_batch_says_whether_it_may_have_left() {
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let mut sender = Sender::new(&format!("json+http://{nobody}/"));
    let failure = sender.send(&["a"]).await.unwrap_err();
    assert_eq!((failure.stage, sender.batch.left), (Stage::Unreached, false));
    let receiver = Receiver::new(|_: &Request| Reply::Silence).await;
    let mut sender = json(&receiver);
    let asked = async {
        while receiver.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = sender.send(&["a"]) => panic!("nobody answers"),
        () = asked => {}
    }
    assert!(sender.batch.left);
}

/// What a receiver repeats of a request has no secret in it, and is apart from what all may know.
#[tokio::test]
async fn what_an_answer_repeats_of_a_request_is_hidden() {
    for (status, kind) in [(500, Some(FailureKind::Busy)), (400, None)] {
        let receiver = Receiver::new(move |request: &Request| {
            let Request { line, headers, .. } = request;
            Reply::status(status, &format!("{line} of {}", headers["authorization"]))
        })
        .await;
        let url = format!("json+http://127.0.0.1:{}/hook/s3cret%21?key=k3y%21", receiver.port);
        let keys = Keys { token: Some(b"t0ken"), ..Keys::default() };
        let mut sender = Sender::with(&url, keys, Duration::from_secs(30));
        let said = match (sender.send(&["a"]).await, kind) {
            (Err(failure), Some(kind)) => {
                assert_eq!((failure.kind, &*failure.message), (kind, "status 500"));
                failure.to_string()
            }
            (Ok(_), None) => sender.sink.complaint().unwrap(),
            (sent, _) => panic!("{sent:?}"),
        };
        assert_eq!(said, format!("status {status}: POST … HTTP/1.1 of …"));
    }
}

#[test]
fn who_sends_is_said_in_one_way() {
    let credentials = Credentials::read(Keys { token: Some(b"t0ken"), ..Keys::default() }).unwrap();
    let network = Network::new(Guard::platform(), 1);
    for scheme in ["elasticsearch", "opensearch", "json", "otlp"] {
        let target = Target::parse(&format!("{scheme}+http://user:secret@host/")).unwrap();
        let opened = open(&target, &credentials, &network);
        assert_eq!(opened.err(), Some(OpenError::UserAndToken));
    }
}

/// A certificate for `localhost`, and what a server has of it.
fn certificate(until: i32) -> (String, ServerConfig) {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider().into();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![made.der().clone()],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    (made.pem(), config)
}

#[tokio::test]
async fn certificates_are_verified() {
    let send = async |host: &str, own: &(String, ServerConfig), trusted: &str| {
        let receiver = Receiver::secure(own.1.clone(), fine).await;
        let keys = Keys { ca: Some(trusted.as_bytes()), ..Keys::default() };
        let url = format!("json+https://{host}:{}/", receiver.port);
        let mut sender = Sender::with(&url, keys, Duration::from_secs(30));
        sender.send(&["a"]).await.map_err(|failure| failure.kind)
    };
    let good = certificate(2100);
    let (other, _) = certificate(2100);
    let expired = certificate(2021);
    assert_eq!(send("localhost", &good, &good.0).await, Ok(vec![Verdict::Delivered]));
    for (host, own, trusted) in [
        ("localhost", &good, &other),
        ("127.0.0.1", &good, &good.0),
        ("localhost", &expired, &expired.0),
    ] {
        assert_eq!(send(host, own, trusted).await, Err(FailureKind::Certificate));
    }
}
