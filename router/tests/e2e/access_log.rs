//! The access log, as written by a running router.

use std::{env, fmt::Write as _, fs};

use fairlead_router::{AccessFormat, HTTP};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    admin::APP,
    support::{Backend, Log, World, within},
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

/// What a client sends as `User-Agent` to be taken for more than that, and how the line has it: in the
/// format of Deis and in JSON.
const SENT: [(&str, &[u8], &str, &str); 4] = [
    (
        "quotes, a hyphen and a backslash",
        b"a\" - \"b\\",
        r#""a\x22 \x2D \x22b\x5C""#,
        r#""a\" - \"b\\""#,
    ),
    ("a tab", b"a\tb", r#""a\x09b""#, r#""a\tb""#),
    ("a byte that is no UTF-8", b"a\xffb", r#""a\xFFb""#, "\"a\u{fffd}b\""),
    ("a command to a terminal", b"a\xc2\x9b31mb", r#""a\xC2\x9B31mb""#, r#""a\u009b31mb""#),
];

/// What a line of `format` has of `sent`: there is one line, and the fields around are as ever.
async fn user_agent(format: AccessFormat, sent: &[u8]) -> String {
    let (world, _web, log) = start(format).await;
    let mut client =
        tokio::net::TcpStream::connect(world.router.addr(HTTP).unwrap()).await.unwrap();
    let head = b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\nUser-Agent: ";
    client.write_all(&[head, sent, b"\r\n\r\n"].concat()).await.unwrap();
    let mut answer = String::new();
    within("an answer", client.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // Its line stands behind all that came of the first request.
    world.get("http://unknown.example/").await;
    let lines = log.lines(2).await;
    assert_eq!(lines.len(), 2, "{lines:?}");
    let value = match format {
        AccessFormat::Deis => lines[0].split(" - ").nth(8).unwrap(),
        _ => lines[0].strip_suffix('}').unwrap().split("\"user_agent\":").nth(1).unwrap(),
    };
    value.to_owned()
}

const MARKS: [&str; 2] =
    ["<!-- written by the tests: lines of the access log -->\n", "<!-- end of lines -->\n"];

/// To write the table anew: `FAIRLEAD_WRITE_DOCS=1 ./dev test what_a_client_sends`
#[tokio::test]
async fn what_a_client_sends_stays_within_its_field_of_a_line() {
    let mut table = "| Sent | The access log of Deis | JSON |\n|---|---|---|\n".to_owned();
    for (what, sent, deis, json) in SENT {
        let seen = [
            user_agent(AccessFormat::Deis, sent).await,
            user_agent(AccessFormat::Json, sent).await,
        ];
        assert_eq!(seen, [deis, json], "{what}");
        writeln!(table, "| {what} | `{}` | `{}` |", seen[0], seen[1]).unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/security.md");
    let page = fs::read_to_string(path).unwrap();
    let (before, rest) = page.split_once(MARKS[0]).unwrap();
    let (_, after) = rest.split_once(MARKS[1]).unwrap();
    let current = [before, MARKS[0], "\n", &table, "\n", MARKS[1], after].concat();
    if env::var_os("FAIRLEAD_WRITE_DOCS").is_some() {
        fs::write(path, &current).unwrap();
    }
    assert!(fs::read_to_string(path).unwrap() == current, "{table}");
}
