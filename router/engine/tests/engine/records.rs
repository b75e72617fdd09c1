//! What is counted and recorded of a request.

use fairlead_router_core::app::Counts;

use crate::support::{Backend, Record, Router, Setup, backend::OK, eventually, web};

#[tokio::test]
async fn a_request_is_recorded_with_all_that_is_known_of_it() {
    let backend = Backend::answering(OK).await;
    let mut router = Router::start(Setup::default());
    router.app("web", &[("router.deis.io/domains", "*.web.example")], &[backend.addr]);
    router
        .ask(
            "POST /a?b=%20c HTTP/1.1\r\nHost: X.web.example:80\r\nReferer: http://r/\r\nUser-Agent: test - \"1\"\r\n\
             Content-Length: 3\r\n\r\nabc",
        )
        .await;
    router.records(1).await;
    router.ask("GET / HTTP/1.0\r\n\r\n").await;
    let answered = Record {
        app: Some("shop/web".into()),
        pattern: Some("*.web.example".into()),
        client: [127, 0, 0, 1].into(),
        scheme: "http",
        line: "POST /a?b=%20c HTTP/1.1".into(),
        host: "X.web.example:80".into(),
        status: 200,
        received: 3,
        sent: 2,
        referer: Some("http://r/".into()),
        user_agent: Some("test - \"1\"".into()),
        upstream: Some(backend.addr),
        timed: true,
        retries: 0,
    };
    let unknown = Record {
        app: None,
        pattern: None,
        line: "GET / HTTP/1.0".into(),
        host: String::new(),
        status: 404,
        received: 0,
        sent: 40,
        referer: None,
        user_agent: None,
        upstream: None,
        timed: false,
        ..answered.clone()
    };
    assert_eq!(router.records(2).await, [answered, unknown]);
}

#[tokio::test]
async fn a_client_that_leaves_is_recorded_without_a_status() {
    let backend = Backend::start(|mut conn, _| async move {
        conn.request().await?;
        conn.closed().await;
        Some(())
    })
    .await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: web.example\r\n\r\n").await;
    eventually("asked", || backend.requests().len() == 1).await;
    drop(client);
    let record = router.records(1).await.remove(0);
    assert_eq!((record.status, record.upstream), (0, Some(backend.addr)));
    let counts = router.counts("web", 0).await;
    assert_eq!((counts.upstream_errors, counts.in_flight), (0, 0));
}

#[tokio::test]
async fn an_app_counts_its_requests_and_their_bytes() {
    let backend = Backend::start(|mut conn, _| async move {
        loop {
            let request = conn.request().await?;
            let status = request.split(['/', ' ']).nth(2)?;
            conn.write(format!("HTTP/1.1 {status} Any\r\nContent-Length: 3\r\n\r\nabc")).await?;
        }
    })
    .await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    for status in [200, 201, 302, 404, 500] {
        let request = format!(
            "POST /{status} HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5\r\n\r\nhello"
        );
        assert_eq!(client.ask(&request).await.status(), status);
    }
    let counts = router.counts("web", 5).await;
    let Counts { micros, upstream_micros, .. } = counts;
    assert!(0 < upstream_micros && upstream_micros <= micros, "{counts:?}");
    let expected = Counts {
        classes: [0, 2, 1, 1, 1],
        received: 25,
        sent: 15,
        upstream_errors: 0,
        micros,
        upstream_micros,
        in_flight: 0,
    };
    assert_eq!(counts, expected);
    let metrics = router.metrics();
    assert_eq!((metrics.latency.iter().sum::<u64>(), metrics.unrouted, metrics.retries), (5, 0, 0));
    assert!(!metrics.latency_sum.is_zero());
}
