//! Pages of apps and of the platform in place of the router's own.

use std::collections::BTreeMap;

use bytes::Bytes;
use fairlead_router_core::{Change, Key, Settings};

use crate::support::{Backend, Router, Setup, backend::OK};

fn pages(name: &str, entries: &[(&'static str, &'static str)]) -> Change {
    let entries: BTreeMap<Box<str>, Bytes> = entries
        .iter()
        .map(|&(name, text)| (name.into(), Bytes::from_static(text.as_bytes())))
        .collect();
    Change::Pages(Key::new("shop", name), Some(entries))
}

const PAGES: (&str, &str) = ("router.fairlead.dev/errorPages", "pages");

/// A router with a platform's page for 404 and 5xx, and what an app has of its own.
fn router() -> Router {
    let error_pages = Some(Key::new("shop", "platform"));
    let mut router = Router::start(Setup {
        workers: 1,
        settings: Settings { error_pages, ..Settings::default() },
        ..Setup::default()
    });
    router.apply([
        pages("platform", &[("404.html", "<p>lost</p>"), ("5xx.txt", "broken")]),
        pages(
            "pages",
            &[("503.json", "{\"error\":503}"), ("maintenance.html", "<p>back soon</p>")],
        ),
    ]);
    router
}

async fn ask(router: &Router, host: &str) -> String {
    router.ask(&format!("GET / HTTP/1.1\r\nHost: {host}.example\r\n\r\n")).await
}

fn answer(status: &str, content_type: &str, body: &str, connection: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nContent-Type: {content_type}\r\n\
         Connection: {connection}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn errors_have_the_page_of_the_app_else_of_the_platform() {
    let mut router = router();
    // It closes instead of answering.
    let broken = Backend::start(|mut conn, _| async move { conn.request().await.map(drop) }).await;
    router.app("own", &[PAGES], &[]);
    router.app("none", &[], &[]);
    router.app("closed", &[PAGES, ("router.deis.io/maintenance", "true")], &[]);
    router.app("broken", &[PAGES], &[broken.addr]);
    const HTML: &str = "text/html; charset=utf-8";
    const TEXT: &str = "text/plain; charset=utf-8";
    for (host, expected) in [
        (
            "own",
            answer("503 Service Unavailable", "application/json", "{\"error\":503}", "keep-alive"),
        ),
        ("none", answer("503 Service Unavailable", TEXT, "broken", "keep-alive")),
        ("closed", answer("503 Service Unavailable", HTML, "<p>back soon</p>", "keep-alive")),
        ("broken", answer("502 Bad Gateway", TEXT, "broken", "close")),
        ("nowhere", answer("404 Not Found", HTML, "<p>lost</p>", "keep-alive")),
    ] {
        assert_eq!(ask(&router, host).await, expected, "{host}");
    }
}

#[tokio::test]
async fn what_an_app_answers_is_its_own_and_so_are_changed_pages() {
    let backend =
        Backend::answering("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nmine")
            .await;
    let healthy = Backend::answering(OK).await;
    let mut router = router();
    router.app("own", &[PAGES], &[backend.addr]);
    router.app("fine", &[PAGES], &[healthy.addr]);
    assert!(ask(&router, "own").await.ends_with("\r\n\r\nmine"));
    assert!(ask(&router, "fine").await.ends_with("\r\n\r\nok"));
    router.endpoints("own", &[]);
    assert!(ask(&router, "own").await.ends_with("{\"error\":503}"));
    router.apply([pages("pages", &[("503.txt", "changed")])]);
    assert!(ask(&router, "own").await.ends_with("\r\n\r\nchanged"));
    router.apply([pages("platform", &[("5xx.txt", "all broken")]), pages("pages", &[])]);
    assert!(ask(&router, "own").await.ends_with("\r\n\r\nall broken"));
}
