//! Drains by the variables of Deis.

use fairlead_logd::{Logd, drains_of_deis};
use serde_json::{Value, json};
use tokio::net::UdpSocket;

use super::{App, balances, shown};
use crate::support::{Client, Web, with, within};

/// A logd whose environment has these variables of Deis.
fn of_deis(set: &[(&str, String)]) -> Logd {
    let set = set.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let (drains, warnings) = drains_of_deis(set);
    assert!(warnings.is_empty(), "{warnings:?}");
    with(|options| options.drains.platform = drains)
}

async fn datagrams() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    (socket, port)
}

async fn datagram(socket: &UdpSocket) -> String {
    let mut buffer = vec![0; 65_536];
    let length = within("a datagram", socket.recv(&mut buffer)).await.unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

/// Row 38: syslog to several host:port pairs (`SYSLOG_HOST[_n]`).
#[tokio::test]
async fn row_38_syslog_goes_to_several_host_port_pairs() {
    let ((first, port), (second, port_1)) = (datagrams().await, datagrams().await);
    let host = || "127.0.0.1".to_owned();
    let logd = of_deis(&[
        ("SYSLOG_HOST", host()),
        ("SYSLOG_PORT", port),
        ("SYSLOG_HOST_1", host()),
        ("SYSLOG_PORT_1", port_1),
    ]);
    let mut web = App::open(&logd, "shop/web", "a").await;
    web.write(&["hello"]).await;
    for socket in [&first, &second] {
        let message = datagram(socket).await;
        // RFC 3164, facility user.
        assert!(message.starts_with('<') && message.ends_with(": hello"), "{message}");
    }
    web.settled().await;
    for id in ["_flag/SYSLOG_HOST", "_flag/SYSLOG_HOST_1"] {
        let drain = shown(&Client::of(&logd), id, |drain| drain["lines"]["sent"] == 1).await;
        assert_eq!((&drain["lines"]["delivered"], balances(&drain)), (&json!(0), true));
    }
}

/// Row 39: Elasticsearch with a daily index by prefix, basic authentication and a time key.
#[tokio::test]
async fn row_39_elasticsearch_gets_bulk_requests_into_daily_indices() {
    // An action and a document each.
    let mut receiver = Web::start(|lines| {
        let items = vec![json!({"create": {"status": 201}}); lines / 2];
        json!({"errors": false, "items": items}).to_string()
    })
    .await;
    let logd = of_deis(&[
        ("ELASTICSEARCH_HOST", receiver.address.ip().to_string()),
        ("ELASTICSEARCH_PORT", receiver.address.port().to_string()),
        ("ELASTICSEARCH_USER", "user".to_owned()),
        ("ELASTICSEARCH_PASSWORD", "p/w".to_owned()),
        ("ELASTICSEARCH_LOGSTASH_PREFIX", "deis".to_owned()),
        ("ELASTICSEARCH_TIME_KEY", "time".to_owned()),
    ]);
    let mut web = App::open(&logd, "shop/web", "a").await;
    web.write(&["hello"]).await;
    let (path, body) = receiver.request().await;
    assert!(path.starts_with("/_bulk"), "{path}");
    let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["create"]["_index"], "deis-2026.11.20");
    assert_eq!(lines[1]["message"], "hello");
    assert!(lines[1]["time"].as_str().unwrap().starts_with("2026-11-20T10:00:00"), "{}", lines[1]);
    web.settled().await;
    let id = "_flag/ELASTICSEARCH_HOST";
    let drain = shown(&Client::of(&logd), id, |drain| drain["lines"]["delivered"] == 1).await;
    assert!(balances(&drain) && !drain.to_string().contains("p%2Fw"), "{drain}");
}

/// Row 40: Sumo Logic by HTTP, and GELF.
#[tokio::test]
async fn row_40_sumo_logic_gets_json_and_graylog_gelf() {
    let mut sumo = Web::start(|_| String::new()).await;
    let (graylog, port) = datagrams().await;
    let logd = of_deis(&[
        ("SUMOLOGIC_COLLECTOR_URL", format!("http://{}/receiver/v1/http/abc==", sumo.address)),
        ("GELF_HOST", "127.0.0.1".to_owned()),
        ("GELF_PORT", port),
    ]);
    let mut web = App::open(&logd, "shop/web", "a").await;
    web.write(&["hello"]).await;
    let (path, body) = sumo.request().await;
    let line: Value = serde_json::from_str(body.trim_end()).unwrap();
    assert_eq!((path.as_str(), &line["message"]), ("/receiver/v1/http/abc==", &json!("hello")));
    let message: Value = serde_json::from_str(&datagram(&graylog).await).unwrap();
    assert_eq!((&message["version"], &message["short_message"]), (&json!("1.1"), &json!("hello")));
    web.settled().await;
}
