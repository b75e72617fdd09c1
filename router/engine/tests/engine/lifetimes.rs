//! How long a client keeps a connection, whatever it does or leaves undone.

use std::time::Duration;

use crate::support::{
    Backend, Router, Setup,
    backend::OK,
    frames::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING, Raw, SETTINGS, Said, fields,
        frame, get,
    },
};

const SHORT: Duration = Duration::from_millis(300);
const GET: &str = "GET / HTTP/1.1\r\nHost: web.example\r\n\r\n";

/// A request on `stream`.
fn request(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &get(&[]))
}

/// RFC 9113 §6.8: who answers no PING is never told which stream was the last.
#[tokio::test]
async fn a_client_that_answers_no_ping_has_so_many_requests_and_no_more() {
    let backend = Backend::answering(OK).await;
    let mut setup = Setup::default();
    (setup.limits.requests, setup.limits.h2_streams) = (3, 2);
    setup.settings.idle_timeout = SHORT;
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    let mut raw = Raw::open(router.http).await;
    let mut over = false;
    for number in 0..8 {
        let stream = 2 * number + 1;
        raw.send(&request(stream)).await;
        let mut said = raw.said().await.unwrap();
        if said == (Said::Goaway { code: 0 }) {
            assert!(!over);
            over = true;
            said = raw.said().await.unwrap();
        }
        // What may have been on the way is answered, and the rest may be repeated elsewhere (§8.7).
        let expected = match number {
            0..5 => Said::Answer { stream, status: 200 },
            _ => Said::Reset { stream, code: 7 },
        };
        assert_eq!(said, expected);
        assert!(over || number < 2);
    }
    while raw.frame().await.is_some() {}
    assert_eq!(backend.requests().len(), 5);
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_not_kept_while_nothing_is_asked_nor_cut_while_something_is()
 {
    let backend = Backend::start(|mut conn, _| async move {
        conn.request().await?;
        tokio::time::sleep(SHORT * 5).await;
        conn.write(OK).await
    })
    .await;
    let mut setup = Setup::default();
    setup.limits.requests = 1;
    setup.settings.idle_timeout = SHORT;
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    let mut raw = Raw::open(router.http).await;
    raw.send(&request(1)).await;
    assert_eq!(raw.said().await, Some(Said::Goaway { code: 0 }));
    assert_eq!(raw.said().await, Some(Said::Answer { stream: 1, status: 200 }));
    while raw.frame().await.is_some() {}
}

/// Neither age nor draining lets one that answers no PING ask on and on.
#[tokio::test]
async fn behind_a_goaway_there_are_so_many_streams_and_no_more() {
    for drains in [false, true] {
        let backend = Backend::answering(OK).await;
        let mut setup = Setup::default();
        setup.limits.h2_streams = 2;
        if !drains {
            setup.limits.age = SHORT;
        }
        let mut router = Router::start(setup);
        router.app("web", &[], &[backend.addr]);
        let mut raw = Raw::open(router.http).await;
        let asking = async {
            raw.send(&request(1)).await;
            let mut before = vec![raw.said().await.unwrap(), raw.said().await.unwrap()];
            before.sort_by_key(|said| matches!(said, Said::Goaway { .. }));
            let answer = |stream| Said::Answer { stream, status: 200 };
            assert_eq!(before, [answer(1), Said::Goaway { code: 0 }]);
            let mut answered = 0;
            let refused = loop {
                let stream = 2 * answered + 3;
                raw.send(&request(stream)).await;
                match raw.said().await.unwrap() {
                    said if said == answer(stream) => answered += 1,
                    said => break said,
                }
            };
            // The first one may have come before or behind it.
            assert!((1..=2).contains(&answered), "{answered}");
            assert_eq!(refused, Said::Reset { stream: 2 * answered + 3, code: 7 });
            drop(raw);
        };
        if drains {
            tokio::join!(router.drain(Duration::from_secs(60)), asking);
        } else {
            asking.await;
        }
    }
}

#[tokio::test]
async fn a_connection_of_some_age_ends_behind_an_answer() {
    let backend = Backend::answering(OK).await;
    let mut setup = Setup::default();
    setup.limits.age = Duration::from_secs(1);
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    let mut client = router.connect().await;
    let mut answers = 0;
    loop {
        let answer = client.ask(GET).await;
        answers += 1;
        assert_eq!(answer.status(), 200);
        if answer.header("connection") == Some("close") {
            break;
        }
        tokio::time::sleep(SHORT / 10).await;
    }
    assert!(answers > 1, "it was old at once");
    assert_eq!(client.rest().await, "");
    let mut raw = Raw::open(router.http).await;
    raw.send(&request(1)).await;
    assert_eq!(raw.said().await, Some(Said::Answer { stream: 1, status: 200 }));
    assert_eq!(raw.said().await, Some(Said::Goaway { code: 0 }));
}

/// A router whose heads have 300 ms, and whose app answers POST alone.
async fn impatient() -> (Router, Backend) {
    let backend = Backend::start(|mut conn, _| async move {
        if conn.head().await?.starts_with("POST") {
            conn.until("0\r\n\r\n").await?;
            return conn.write(OK).await;
        }
        conn.closed().await;
        None
    })
    .await;
    let mut setup = Setup::default();
    setup.edge.head = SHORT;
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    (router, backend)
}

#[tokio::test]
async fn what_begins_over_http2_and_does_not_end_ends_the_connection() {
    let (router, _backend) = impatient().await;
    let whole = request(3);
    let part = frame(HEADERS, END_STREAM, 3, &get(&[]));
    let more = [part.clone(), frame(CONTINUATION, 0, 3, &fields(&[("a", "b")]))].concat();
    let ping = frame(PING, 0, 0, &[0; 8]);
    for begun in [&whole[..2], &whole[..9], &whole[..20], &part, &more, &ping[..12]] {
        let mut raw = Raw::open(router.http).await;
        // Something else is under way.
        raw.send(&request(1)).await;
        raw.send(begun).await;
        assert_eq!(raw.said().await, None, "{begun:?}");
    }
}

#[tokio::test]
async fn a_head_in_drips_over_http2_ends_the_connection() {
    let (router, _backend) = impatient().await;
    let raw = Raw::open(router.http).await;
    let (mut reader, mut writer) = raw.stream.into_split();
    let dripping = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        let start = frame(HEADERS, END_STREAM, 1, &get(&[]));
        for byte in start.iter().chain(frame(CONTINUATION, 0, 1, &[0; 16_000]).iter()) {
            if writer.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let mut all = Vec::new();
    let _ =
        crate::support::within(tokio::io::AsyncReadExt::read_to_end(&mut reader, &mut all)).await;
    dripping.await.unwrap();
}

#[tokio::test]
async fn what_ends_in_time_over_http2_is_no_head_that_does_not_end() {
    let (router, _backend) = impatient().await;
    let mut raw = Raw::open(router.http).await;
    let post = fields(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "web.example"),
    ]);
    let (first, second) = post.split_at(8);
    let head = [
        frame(HEADERS, 0, 1, first),
        frame(CONTINUATION, END_HEADERS, 1, second),
        frame(SETTINGS, 0, 0, &[]),
    ];
    for piece in head.concat().chunks(5) {
        raw.send(piece).await;
        tokio::task::yield_now().await;
    }
    // A body is no head, in whatever pieces it comes.
    let data = frame(DATA, END_STREAM, 1, b"a body, piece by piece");
    let (start, rest) = data.split_at(15);
    raw.send(start).await;
    for byte in rest {
        tokio::time::sleep(SHORT / 10).await;
        raw.send(&[*byte]).await;
    }
    assert_eq!(raw.said().await, Some(Said::Answer { stream: 1, status: 200 }));
}
