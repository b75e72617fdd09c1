use std::time::{Duration, SystemTime};

use fairlead_router_core::{AppId, HostPattern};
use fairlead_router_listen::{ConnectionInfo, Scheme};

use super::*;

fn connection() -> ConnectionInfo {
    ConnectionInfo {
        listener: "http".into(),
        peer: "192.0.2.1:40000".parse().unwrap(),
        local: "192.0.2.80:8080".parse().unwrap(),
        scheme: Scheme::Http,
        tls: None,
    }
}

fn entry<'a>(connection: &'a ConnectionInfo) -> AccessEntry<'a> {
    AccessEntry {
        time: SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_225_610_250),
        app: None,
        host_pattern: None,
        client: "192.0.2.1".parse().unwrap(),
        connection,
        scheme: "http",
        method: "GET",
        host: b"web.example:8080",
        target: "/a?b=1",
        version: Version::HTTP_11,
        status: 404,
        received: 0,
        sent: 40,
        referer: None,
        user_agent: None,
        upstream: None,
        upstream_time: None,
        request_time: Duration::from_micros(1_234),
        retries: 0,
    }
}

fn line(write: Format, entry: &AccessEntry<'_>) -> String {
    let mut line = Vec::new();
    write(&mut line, entry);
    String::from_utf8(line).unwrap()
}

#[test]
fn a_json_line_has_the_documented_fields() {
    let connection = connection();
    let unrouted = entry(&connection);
    assert_eq!(
        line(json::write, &unrouted),
        concat!(
            r#"{"time":"2026-01-01T00:00:10.250Z","app":null,"client":"192.0.2.1","scheme":"http","#,
            r#""method":"GET","host":"web.example:8080","target":"/a?b=1","protocol":"HTTP/1.1","#,
            r#""status":404,"received":0,"sent":40,"duration":0.001234,"upstream":null,"#,
            r#""upstream_duration":null,"retries":0,"referer":null,"user_agent":null}"#,
            "\n",
        )
    );
}

#[test]
fn what_a_client_sends_cannot_break_out_of_a_json_line() {
    let connection = connection();
    let entry = AccessEntry {
        target: "/\"}\u{1b}[31m\u{0}",
        user_agent: Some(b"\xff\r\n{\"status\":200}"),
        ..entry(&connection)
    };
    let line = line(json::write, &entry);
    assert_eq!(line.bytes().filter(u8::is_ascii_control).count(), 1, "{line:?}");
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["target"], "/\"}\u{1b}[31m\u{0}");
    assert_eq!(read["user_agent"], "\u{fffd}\r\n{\"status\":200}");
}

#[test]
fn a_deis_line_has_14_fields() {
    let connection = connection();
    let app = AppId::new("shop", "web");
    let pattern = HostPattern::parse("*.example").unwrap();
    let routed = AccessEntry {
        app: Some(&app),
        host_pattern: Some(&pattern),
        status: 200,
        user_agent: Some(b"a - b \"c\"\n\\"),
        referer: Some(b"http://other.example/"),
        upstream: Some("10.0.0.1:5000".parse().unwrap()),
        upstream_time: Some(Duration::from_micros(900)),
        ..entry(&connection)
    };
    let text = line(deis::write, &routed);
    assert_eq!(
        text,
        "[2026-01-01T00:00:10+00:00] - shop/web - 192.0.2.1 - - - 200 - \"GET /a?b=1 HTTP/1.1\" - 40 \
         - \"http://other.example/\" - \"a \\x2D b \\x22c\\x22\\x0A\\x5C\" - \"*.example\" \
         - 10.0.0.1:5000 - web.example:8080 - 0.000 - 0.001\n"
    );
    assert_eq!(text.split(" - ").count(), 14);

    let app = AppId::new("web", "web");
    let text = line(deis::write, &AccessEntry { app: Some(&app), host: b"", ..entry(&connection) });
    assert_eq!(
        text,
        "[2026-01-01T00:00:10+00:00] - web - 192.0.2.1 - - - 404 - \"GET /a?b=1 HTTP/1.1\" - 40 \
         - \"-\" - \"-\" - \"_\" - - - - - - - 0.001\n"
    );
}

#[test]
fn the_reference_page_has_every_field_in_order() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/access-log.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let documented: Vec<_> = rows.map(|(name, _)| name.to_owned()).collect();
    let connection = connection();
    let line = line(json::write, &entry(&connection));
    // The order of a map would be lost: names are taken from the text.
    let written: Vec<_> = line
        .split("\":")
        .filter_map(|part| part.rsplit_once('"').map(|(_, name)| name.to_owned()))
        .collect();
    assert_eq!(documented, written);
}
