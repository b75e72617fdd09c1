//! The access log, as written by a running router.

use fairlead_router::AccessFormat;
use serde_json::{Value, json};

use crate::{
    admin::APP,
    support::{Backend, Log, World},
};

async fn start(format: AccessFormat) -> (World, Backend, Log) {
    let log = Log::default();
    let world = World::with(|options| {
        options.access_log = format;
        options.access_output = log.output();
    })
    .await;
    let web = Backend::named("web").await;
    world.apply(APP, &[("WEB", &web)]).await;
    (world, web, log)
}

#[tokio::test]
async fn each_request_gives_a_line_of_json() {
    let (world, web, log) = start(AccessFormat::Json).await;
    world.get_with("http://web.example/a?b=%22", &[("user-agent", "test \"1\"")]).await;
    world.get("http://unknown.example/").await;
    let lines: Vec<Value> =
        log.lines(2).await.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut routed = lines.iter().find(|line| line["status"] == 200).unwrap().clone();
    for measured in ["time", "duration", "upstream_duration"] {
        assert_ne!(routed.as_object_mut().unwrap().remove(measured), Some(Value::Null));
    }
    let expected = json!({
        "app": "shop/front", "client": "127.0.0.1", "scheme": "http", "method": "GET",
        "host": "web.example", "target": "/a?b=%22", "protocol": "HTTP/1.1", "status": 200,
        "received": 0, "sent": 3, "upstream": web.address().to_string(), "retries": 0,
        "referer": null, "user_agent": "test \"1\"",
    });
    assert_eq!(routed, expected);
    let unrouted = lines.iter().find(|line| line["status"] == 404).unwrap();
    assert_eq!((&unrouted["app"], &unrouted["upstream"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn row_27_the_deis_format_has_its_14_fields() {
    let (world, web, log) = start(AccessFormat::Deis).await;
    world.get_with("http://web.example/a", &[("user-agent", "curl - \"x\"")]).await;
    let line = log.lines(1).await.remove(0);
    let fields: Vec<_> = line.split(" - ").collect();
    let expected = [
        "shop/front",
        "127.0.0.1",
        "-",
        "200",
        "\"GET /a HTTP/1.1\"",
        "3",
        "\"-\"",
        "\"curl \\x2D \\x22x\\x22\"",
        "\"web.example\"",
        &web.address().to_string(),
        "web.example",
    ];
    assert_eq!((fields.len(), &fields[1..12]), (14, expected.as_slice()));
    assert!(fields[0].starts_with("[20") && fields[0].ends_with("+00:00]"), "{line}");
    assert!(fields[12..].iter().all(|time| time.parse::<f64>().is_ok()), "{line}");
}
