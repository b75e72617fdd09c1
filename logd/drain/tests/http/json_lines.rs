//! JSON lines, and Sumo Logic with them.

use std::time::Duration;

use fairlead_drain::{Keys, Verdict};

use crate::receiver::{Receiver, Reply, Request};
use crate::sender::Sender;

fn fine(_: &Request) -> Reply {
    Reply::status(200, "")
}

#[tokio::test]
async fn each_line_is_an_object() {
    let receiver = Receiver::new(fine).await;
    let url = format!("json+http://127.0.0.1:{}/bulk?key=k&gzip=true&b=c%20d", receiver.port);
    let keys = Keys { token: Some(b"t0ken"), ..Keys::default() };
    let mut sender = Sender::with(&url, keys, Duration::from_secs(30));
    assert_eq!(sender.send(&["a", "b\n"]).await.unwrap(), [Verdict::Delivered; 2]);
    let request = receiver.requests().remove(0);
    assert_eq!(request.line, "POST /bulk?key=k&b=c%20d HTTP/1.1");
    assert_eq!(request.headers["authorization"], "Bearer t0ken");
    assert_eq!(request.headers["content-type"], "application/x-ndjson");
    assert_eq!(request.headers["content-encoding"], "gzip");
    assert_eq!(
        String::from_utf8(request.body).unwrap(),
        concat!(
            r#"{"time":"2026-11-20T10:00:00.000000000Z","app":"shop/front","process":"web","#,
            r#""pod":"front-web-6f7c-x7k2p","release":"v2","container":"web","stream":"stdout","#,
            r#""message":"a","name":"u-1/web/0/000000000000000a:1"}"#,
            "\n",
            r#"{"time":"2026-11-20T10:00:00.000000000Z","app":"shop/front","process":"web","#,
            r#""pod":"front-web-6f7c-x7k2p","release":"v2","container":"web","stream":"stdout","#,
            r#""message":"b\n","name":"u-1/web/0/000000000000000a:2"}"#,
            "\n",
        )
    );
}

#[tokio::test]
async fn row_40_sumo_logic_takes_lines_at_its_collectors_url() {
    let receiver = Receiver::new(fine).await;
    let collector = format!("127.0.0.1:{}/receiver/v1/http/ZaVnC4dhaV1==", receiver.port);
    let mut sender = Sender::new(&format!("json+http://{collector}"));
    assert_eq!(sender.send(&["hello"]).await.unwrap(), [Verdict::Delivered]);
    let options = "sumo-name=front&sumo-host=prod%201&sumo-category=shop/front";
    let mut sender = Sender::new(&format!("json+http://{collector}?{options}"));
    assert_eq!(sender.send(&["hello"]).await.unwrap(), [Verdict::Delivered]);

    let [plain, named] = &receiver.requests()[..] else { panic!("two requests") };
    for request in [plain, named] {
        assert_eq!(request.line, "POST /receiver/v1/http/ZaVnC4dhaV1== HTTP/1.1");
        let line: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!((&line["message"], &line["app"]), (&"hello".into(), &"shop/front".into()));
    }
    assert!(!plain.headers.keys().any(|name| name.starts_with("x-sumo")));
    assert_eq!(named.headers["x-sumo-name"], "front");
    assert_eq!(named.headers["x-sumo-host"], "prod 1");
    assert_eq!(named.headers["x-sumo-category"], "shop/front");
}
