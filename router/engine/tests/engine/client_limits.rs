//! What one client may ask of an app: how fast, how much at once, with how large a head.

use std::sync::Arc;

use fairlead_router_core::Settings;
use tokio::sync::Semaphore;

use crate::{
    http2,
    support::{Backend, Router, Setup, backend::OK, eventually, within},
};

/// A router with the app `web`, which trusts the tests to speak for clients.
fn router(annotations: &[(&str, &str)], backend: &Backend) -> Router {
    let trusted = vec!["127.0.0.0/8".parse().unwrap()];
    let settings = Settings { trusted, ..Settings::default() };
    let mut router = Router::start(Setup { settings, ..Setup::default() });
    router.app("web", annotations, &[backend.addr]);
    router
}

fn of(client: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: web.example\r\nX-Forwarded-For: {client}\r\n\r\n")
}

// RFC 6585 §4.
#[tokio::test]
async fn who_asks_too_fast_gets_429_and_is_told_when_to_come_back() {
    let backend = Backend::answering(OK).await;
    let limits = [("router.fairlead.dev/rateLimit", "2/h"), ("router.fairlead.dev/rateBurst", "3")];
    let mut router = router(&limits, &backend);
    router.app("other", &limits, &[backend.addr]);
    let mut client = router.connect().await;
    for _ in 0..3 {
        assert_eq!(client.ask(&of("192.0.2.1")).await.status(), 200);
    }
    // The connection is as good as before.
    let refused = client.ask(&of("192.0.2.1")).await;
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1795..=1800).contains(&wait), "{wait}");
    assert_eq!(
        refused.text().replace(&format!("Retry-After: {wait}"), "Retry-After: 1800"),
        "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 26\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Retry-After: 1800\r\nConnection: keep-alive\r\n\r\nYou are asking too often.\n"
    );
    assert_eq!(client.ask(&of("192.0.2.2")).await.status(), 200, "another client");
    let other = of("192.0.2.1").replace("web", "other");
    assert_eq!(client.ask(&other).await.status(), 200, "another app");
    // Of IPv6 a /64 is one client, on whichever worker it is served.
    for (address, status) in
        [("2001:db8::1", 200), ("2001:db8::2", 200), ("2001:db8::3", 200), ("2001:db8::4", 429)]
    {
        assert_eq!(router.connect().await.ask(&of(address)).await.status(), status, "{address}");
    }
    assert_eq!(client.ask(&of("2001:db8:0:1::1")).await.status(), 200);
    assert_eq!(backend.requests().len(), 9);
}

#[tokio::test]
async fn an_app_may_do_without_the_routers_limits() {
    let backend = Backend::answering(OK).await;
    let rate = fairlead_router_core::policy::Rate {
        requests: 1,
        time: std::time::Duration::from_secs(3600),
    };
    let settings = Settings { rate: Some(rate), ..Settings::default() };
    let mut router = Router::start(Setup { settings, ..Setup::default() });
    router.app("web", &[], &[backend.addr]);
    router.app("free", &[("router.fairlead.dev/rateLimit", "none")], &[backend.addr]);
    let mut client = router.connect().await;
    for (name, expected) in [("web", [200, 429, 429]), ("free", [200, 200, 200])] {
        let request = format!("GET / HTTP/1.1\r\nHost: {name}.example\r\n\r\n");
        for status in expected {
            assert_eq!(client.ask(&request).await.status(), status, "{name}");
        }
    }
}

#[tokio::test]
async fn only_so_many_requests_of_a_client_are_under_way() {
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let backend = Backend::start(move |mut conn, _| {
        let held = held.clone();
        async move {
            loop {
                conn.request().await?;
                held.acquire().await.ok()?.forget();
                conn.write(OK).await?;
            }
        }
    })
    .await;
    let router = router(&[("router.fairlead.dev/concurrencyLimit", "2")], &backend);
    let (mut one, mut two) = (router.connect().await, router.connect().await);
    one.send(of("192.0.2.1")).await;
    two.send(of("192.0.2.1")).await;
    eventually("both are at the backend", || backend.requests().len() == 2).await;
    let mut three = router.connect().await;
    assert_eq!(
        three.ask(&of("192.0.2.1")).await.text(),
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 41\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Retry-After: 1\r\nConnection: keep-alive\r\n\r\nToo many of your requests are under way.\n"
    );
    // Another client is not concerned.
    three.send(of("192.0.2.2")).await;
    gate.add_permits(3);
    assert_eq!(three.response().await.status(), 200);
    assert_eq!(one.response().await.status(), 200);
    assert_eq!(two.response().await.status(), 200);
    // What has ended counts no more, and neither does what the client left.
    gate.add_permits(1);
    assert_eq!(one.ask(&of("192.0.2.1")).await.status(), 200);
    one.send(of("192.0.2.1")).await;
    two.send(of("192.0.2.1")).await;
    eventually("both are there again", || backend.requests().len() == 6).await;
    drop((one, two));
    loop {
        let mut client = router.connect().await;
        client.send(of("192.0.2.1")).await;
        tokio::select! {
            refused = client.response() => assert_eq!(refused.status(), 503),
            () = eventually("let through", || backend.requests().len() == 7) => break,
        }
    }
}

// RFC 6585 §5.
#[tokio::test]
async fn a_head_beyond_the_apps_bound_gets_431() {
    let backend = Backend::answering(OK).await;
    let router = router(&[("router.fairlead.dev/headerSize", "2k")], &backend);
    let head = |size: usize| {
        let rest = "GET / HTTP/1.1\r\nHost: web.example\r\na: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: web.example\r\na: {}\r\n\r\n", "x".repeat(size - rest))
    };
    assert!(router.ask(&head(2048)).await.starts_with("HTTP/1.1 200 "));
    assert!(router.ask(&head(2049)).await.starts_with("HTTP/1.1 431 "));
    let mut client = http2::open(tokio::net::TcpStream::connect(router.http).await.unwrap()).await;
    for (size, status) in [(1500, 200), (2048, 431)] {
        let mut request = http2::get("/");
        request.headers_mut().insert("a", "x".repeat(size).parse().unwrap());
        assert_eq!(within(client.send_request(request)).await.unwrap().status(), status);
    }
    assert_eq!(router.metrics().refused, 2);
}
