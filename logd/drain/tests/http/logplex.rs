//! HTTPS drains as Heroku's Logplex has them.

use std::time::Duration;

use fairlead_drain::{FailureKind, Keys, Reason, Verdict};

use crate::receiver::{Receiver, Reply, Request};
use crate::sender::Sender;

/// The messages of a frame, whose headers say what is in it.
fn messages(request: &Request) -> Vec<String> {
    assert_eq!(request.headers["content-type"], "application/logplex-1");
    let mut rest = str::from_utf8(&request.body).unwrap();
    let mut messages = Vec::new();
    while !rest.is_empty() {
        let (length, behind) = rest.split_once(' ').unwrap();
        let (message, behind) = behind.split_at(length.parse().unwrap());
        messages.push(message.to_owned());
        rest = behind;
    }
    assert_eq!(request.headers["logplex-msg-count"], messages.len().to_string());
    assert_eq!(request.headers["logplex-frame-id"].len(), 32);
    messages
}

#[tokio::test]
async fn a_frame_is_as_logplex_posts_it() {
    let receiver = Receiver::new(|_: &Request| Reply::status(204, "")).await;
    let url = format!("http://user:secret@127.0.0.1:{}/drain/1?a=b", receiver.port);
    let keys = Keys { token: Some(b"d.0a1b2c3d"), ..Keys::default() };
    let mut sender = Sender::with(&url, keys, Duration::from_secs(30));
    assert_eq!(sender.send(&["hello", "line\nfeed", "ä"]).await.unwrap(), [Verdict::Delivered; 3]);
    let request = receiver.requests().remove(0);
    assert_eq!(request.line, "POST /drain/1?a=b HTTP/1.1");
    assert_eq!(request.headers["logplex-drain-token"], "d.0a1b2c3d");
    assert_eq!(request.headers["authorization"], "Basic dXNlcjpzZWNyZXQ=");
    assert_eq!(
        messages(&request),
        ["hello", "line\nfeed", "ä"].map(|text| {
            format!("<14>1 2026-11-20T10:00:00.000000+00:00 front.shop web web.v2.x7k2p - {text}")
        })
    );
}

#[tokio::test]
async fn a_frame_that_goes_again_has_the_same_id_and_another_one_has_another() {
    let mut answered = 0;
    let receiver = Receiver::new(move |_: &Request| {
        answered += 1;
        Reply::status(if answered < 3 { 503 } else { 200 }, "")
    })
    .await;
    let mut sender = Sender::new(&format!("http://127.0.0.1:{}/", receiver.port));
    for _ in 0..2 {
        assert_eq!(sender.send(&["a", "b"]).await.unwrap_err().kind, FailureKind::Busy);
    }
    assert_eq!(sender.send(&["a", "b"]).await.unwrap(), [Verdict::Delivered; 2]);
    assert_eq!(sender.send(&["a", "c"]).await.unwrap(), [Verdict::Delivered; 2]);
    let ids: Vec<_> =
        receiver.requests().iter().map(|it| it.headers["logplex-frame-id"].clone()).collect();
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3], "{ids:?}");
    assert!(!receiver.requests()[0].headers.contains_key("logplex-drain-token"));
}

#[tokio::test]
async fn what_a_receiver_refuses_for_good_is_what_it_cannot_read() {
    for (status, verdict) in [
        (400, Ok(Verdict::Rejected(Reason::Unread))),
        (413, Ok(Verdict::Rejected(Reason::TooLong))),
        (422, Ok(Verdict::Rejected(Reason::Unread))),
        (401, Err(FailureKind::Denied)),
        (404, Err(FailureKind::Denied)),
        (429, Err(FailureKind::Busy)),
        (500, Err(FailureKind::Busy)),
    ] {
        let receiver = Receiver::new(move |_: &Request| Reply::status(status, "")).await;
        let mut sender = Sender::new(&format!("http://127.0.0.1:{}/", receiver.port));
        let sent = sender.send(&["a"]).await.map_err(|failure| failure.kind);
        assert_eq!(sent, verdict.map(|verdict| vec![verdict]), "{status}");
    }
}
