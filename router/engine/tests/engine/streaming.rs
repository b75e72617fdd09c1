//! Bodies pass as they come, both ways, and end where they end.

use crate::support::{Backend, Router, Setup, backend::OK, web};

#[tokio::test]
async fn a_response_is_passed_on_as_it_comes() {
    let (more, asked) = tokio::sync::mpsc::channel::<()>(1);
    let asked = std::sync::Arc::new(tokio::sync::Mutex::new(asked));
    let backend = Backend::start(move |mut conn, _| {
        let asked = asked.clone();
        async move {
            for chunked in [false, true] {
                conn.request().await?;
                let framing =
                    if chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 6" };
                let piece =
                    |text: &str| if chunked { format!("3\r\n{text}\r\n") } else { text.to_owned() };
                conn.write(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{}", piece("one"))).await?;
                asked.lock().await.recv().await?;
                conn.write(piece("two") + if chunked { "0\r\n\r\n" } else { "" }).await?;
            }
            Some(())
        }
    })
    .await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    for (first, second) in [("one", "two"), ("3\r\none\r\n", "3\r\ntwo\r\n0\r\n\r\n")] {
        client.send("GET / HTTP/1.1\r\nHost: web.example\r\n\r\n").await;
        client.head().await.unwrap();
        assert_eq!(client.text(first.len()).await, first);
        more.send(()).await.unwrap();
        assert_eq!(client.text(second.len()).await, second);
    }
}

#[tokio::test]
async fn a_request_is_passed_on_as_it_comes() {
    let backend = Backend::start(|mut conn, _| async move {
        loop {
            let head = conn.head().await?;
            let first = if head.contains("chunked") {
                conn.until("one\r\n").await?
            } else {
                conn.exactly(3).await?
            };
            assert!(first.contains("one"), "{first}");
            // The client sends the second half when it has seen this.
            conn.write("HTTP/1.1 103 Early Hints\r\n\r\n").await?;
            let second = if head.contains("chunked") {
                conn.until("0\r\n\r\n").await?
            } else {
                conn.exactly(3).await?
            };
            assert!(second.contains("two"), "{second}");
            conn.write(OK).await?;
        }
    })
    .await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    for (framing, first, second) in [
        ("Content-Length: 6", "one", "two"),
        ("Transfer-Encoding: chunked", "3\r\none\r\n", "3\r\ntwo\r\n0\r\n\r\n"),
    ] {
        client
            .send(format!("POST / HTTP/1.1\r\nHost: web.example\r\n{framing}\r\n\r\n{first}"))
            .await;
        assert_eq!(client.head().await.unwrap(), "HTTP/1.1 103 Early Hints\r\n\r\n");
        client.send(second).await;
        assert_eq!(client.response().await.status(), 200);
    }
    let received = router.records(2).await.iter().map(|record| record.received).collect::<Vec<_>>();
    assert_eq!(received, [6, 6]);
}

#[tokio::test]
async fn large_bodies_pass_whole_both_ways() {
    const SIZE: usize = 20 << 20;
    let backend = Backend::start(|mut conn, _| async move {
        conn.head().await?;
        let body = conn.exactly(SIZE).await?;
        conn.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n")).await?;
        conn.write(body).await
    })
    .await;
    let mut router = Router::start(Setup::default());
    router.app("web", &[("router.deis.io/bodySize", "0")], &[backend.addr]);
    let mut client = router.connect().await;
    let body: String = (0..SIZE).map(|i| char::from(b'a' + (i % 23) as u8)).collect();
    client
        .send(format!("PUT / HTTP/1.1\r\nHost: web.example\r\nContent-Length: {SIZE}\r\n\r\n"))
        .await;
    client.send(&body).await;
    let answer = client.response().await;
    assert!(answer.body == body.as_bytes(), "{} bytes came back", answer.body.len());
    let record = router.records(1).await.remove(0);
    assert_eq!((record.received, record.sent), (SIZE as u64, SIZE as u64));
}

#[tokio::test]
async fn responses_without_a_body_have_none_and_the_connection_goes_on() {
    let backend = Backend::start(|mut conn, _| async move {
        loop {
            let request = conn.request().await?;
            conn.write(match request.split(' ').nth(1)? {
                "/head" => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                "/204" => "HTTP/1.1 204 No Content\r\n\r\n",
                "/304" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
                _ => OK,
            })
            .await?;
        }
    })
    .await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    for (method, path, head) in [
        ("HEAD", "/head", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n"),
        ("GET", "/204", "HTTP/1.1 204 No Content\r\nConnection: keep-alive\r\n\r\n"),
        (
            "GET",
            "/304",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n",
        ),
        ("GET", "/", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n"),
    ] {
        client.send(format!("{method} {path} HTTP/1.1\r\nHost: web.example\r\n\r\n")).await;
        assert_eq!(client.head().await.unwrap(), head);
    }
    assert_eq!(client.text(2).await, "ok");
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn who_waits_for_continue_gets_it_from_the_backend() {
    let backend = Backend::start(|mut conn, _| async move {
        let head = conn.head().await?;
        assert!(head.contains("Expect: 100-continue\r\n"), "{head}");
        conn.write("HTTP/1.1 100 Continue\r\n\r\n").await?;
        assert_eq!(conn.exactly(5).await?, "hello");
        conn.write(OK).await
    })
    .await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        .await;
    assert_eq!(client.head().await.unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("hello").await;
    assert_eq!(client.response().await.status(), 200);
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_body_reaches_the_client() {
    let backend = Backend::start(|mut conn, _| async move {
        conn.head().await?;
        conn.write(
            "HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch",
        )
        .await
    })
    .await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 100000\r\n\r\n").await;
    client.send(vec![b'x'; 50_000]).await;
    let answer = client.response().await;
    assert_eq!((answer.status(), answer.body.as_slice()), (413, &b"much"[..]));
}

// An expected difference: Pingora's HTTP/1 has no place for trailers.
#[tokio::test]
async fn trailers_of_chunked_bodies_are_left_out_and_the_body_is_whole() {
    let backend = Backend::start(|mut conn, _| async move {
        loop {
            conn.head().await?;
            let body = conn.until("0\r\n\r\n").await?;
            assert_eq!(body, "3\r\nabc\r\n0\r\n\r\n");
            conn.write(
                "HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
                 3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
            )
            .await?;
        }
    })
    .await;
    let one = crate::support::Setup { workers: 1, ..Default::default() };
    let mut router = crate::support::Router::start(one);
    router.app("web", &[], &[backend.addr]);
    for _ in 0..2 {
        let answer = router
            .connect()
            .await
            .ask(
                "POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                 3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
            )
            .await;
        assert_eq!(
            answer.text(),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        );
    }
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn a_body_that_ends_with_the_connection_is_chunked_for_the_client() {
    let backend = Backend::start(|mut conn, _| async move {
        conn.request().await?;
        conn.write("HTTP/1.0 200 OK\r\n\r\nall of it").await
    })
    .await;
    let router = web(&[&backend]);
    assert_eq!(
        router.ask("GET / HTTP/1.1\r\nHost: web.example\r\n\r\n").await,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n9\r\nall of it\r\n0\r\n\r\n"
    );
}
