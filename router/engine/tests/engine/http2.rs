//! HTTP/2 of clients, in the clear and over TLS.

use std::{collections::BTreeSet, convert::Infallible, time::Duration};

use bytes::Bytes;
use futures::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::{
    Request,
    body::Frame,
    client::conn::http2::{SendRequest, handshake},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};

use crate::support::{
    Backend, Router, Setup,
    backend::OK,
    eventually,
    frames::{self, DATA, END_HEADERS, END_STREAM, HEADERS, Raw, Said, fields, frame},
    tls, web, within,
};

type Body = BoxBody<Bytes, Infallible>;

pub(crate) async fn open<S>(stream: S) -> SendRequest<Body>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) =
        within(handshake(TokioExecutor::new(), TokioIo::new(stream))).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn plain(router: &Router) -> SendRequest<Body> {
    open(TcpStream::connect(router.http).await.unwrap()).await
}

pub(crate) fn get(path: &str) -> Request<Body> {
    request("GET", path, Full::default().boxed())
}

/// GET / of `host`, over TLS.
pub(crate) fn request_to(host: &str) -> Request<Body> {
    Request::get(format!("https://{host}/")).body(Full::default().boxed()).unwrap()
}

fn request(method: &str, path: &str, body: Body) -> Request<Body> {
    let uri = format!("http://web.example{path}");
    Request::builder().method(method).uri(uri).body(body).unwrap()
}

fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).boxed()
}

async fn ask(client: &mut SendRequest<Body>, request: Request<Body>) -> (u16, String) {
    let response = within(client.send_request(request)).await.unwrap();
    let status = response.status().as_u16();
    let body = within(response.into_body().collect()).await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn many_requests_share_a_connection_with_prior_knowledge_and_by_alpn() {
    let backend = Backend::start(|mut conn, _| async move {
        loop {
            let request = conn.request().await?;
            let path = request.split(' ').nth(1)?;
            conn.write(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nKeep-Alive: x\r\n\r\n{path}",
                path.len()
            ))
            .await?;
        }
    })
    .await;
    let mut router = Router::start(Setup::default());
    router.certificate("web");
    router.app("web", &[("router.deis.io/certificates", "web.example:web")], &[backend.addr]);
    let secure = open(tls::connect(&router, "web.example", "h2").await).await;
    for client in [plain(&router).await, secure] {
        let answers = (0..50).map(|n| {
            let mut client = client.clone();
            async move { ask(&mut client, get(&format!("/{n}"))).await }
        });
        for (n, answer) in futures::future::join_all(answers).await.into_iter().enumerate() {
            assert_eq!(answer, (200, format!("/{n}")));
        }
    }
    let request = backend.requests().remove(0);
    assert!(request.contains(" HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nHost: web.example\r\n"), "{request}");
    assert!(request.contains("\r\nx-forwarded-for: 127.0.0.1\r\n"), "{request}");
    let records = router.records(100).await;
    assert!(records.iter().all(|record| record.line.ends_with(" HTTP/2.0")));
    assert!(records.iter().all(|record| record.host == "web.example"));
    assert_eq!(records.iter().filter(|record| record.scheme == "https").count(), 50);
}

#[tokio::test]
async fn section_8_2_3_of_rfc_9113_crumbs_of_a_cookie_are_one_line_for_http_1() {
    let backend = Backend::answering(OK).await;
    let router = web(&[&backend]);
    let mut client = plain(&router).await;
    let cookies = |lines: &[&'static str]| {
        let mut request = get("/");
        for line in lines {
            request.headers_mut().append("cookie", http::HeaderValue::from_static(line));
        }
        request
    };
    for (lines, expected) in [
        (&["a=1", "b=2; c=3", "d=\"4\""][..], vec!["cookie: a=1; b=2; c=3; d=\"4\""]),
        (&["a=1"], vec!["cookie: a=1"]),
        (&[], vec![]),
    ] {
        ask(&mut client, cookies(lines)).await;
        let seen = backend.requests().pop().unwrap();
        let seen: Vec<_> = seen
            .lines()
            .filter(|line| line.to_ascii_lowercase().starts_with("cookie:"))
            .map(|line| line.replacen("Cookie", "cookie", 1))
            .collect();
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn the_routers_own_answers_are_heard_over_http2() {
    let mut router = web(&[]);
    let mut client = plain(&router).await;
    let text = "This application has no running instance.\n";
    assert_eq!(ask(&mut client, get("/")).await, (503, text.to_owned()));
    // Even when most of the body is still to come.
    let large = request("POST", "/", full(vec![b'x'; 1 << 20]));
    assert_eq!(ask(&mut client, large).await, (503, text.to_owned()));
    let head = request("HEAD", "/", full(""));
    assert_eq!(ask(&mut client, head).await, (503, String::new()));
    let refusing = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let dead = refusing.local_addr().unwrap();
    drop(refusing);
    router.endpoints("web", &[dead]);
    let large = request("POST", "/", full(vec![b'x'; 1 << 20]));
    let text = "The application did not give a valid answer.\n";
    assert_eq!(ask(&mut client, large).await, (502, text.to_owned()));
    let records = router.records(4).await;
    assert_eq!(
        records.iter().map(|record| record.status).collect::<Vec<_>>(),
        [503, 503, 503, 502]
    );
}

#[tokio::test]
async fn bodies_are_passed_on_as_they_come_and_flow_is_controlled() {
    const SIZE: usize = 4 << 20;
    let backend = Backend::start(|mut conn, _| async move {
        conn.head().await?;
        assert_eq!(conn.until("one\r\n").await?, "3\r\none\r\n");
        conn.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n").await?;
        assert_eq!(conn.until("0\r\n\r\n").await?, "3\r\ntwo\r\n0\r\n\r\n");
        conn.write(format!("{SIZE:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(SIZE))).await?;
        // One end of the body, and then the next request.
        let next = conn.head().await?;
        assert!(next.starts_with("POST /next HTTP/1.1\r\n"), "{next}");
        conn.write(OK).await
    })
    .await;
    let router = web(&[&backend]);
    let mut client = plain(&router).await;
    let (parts, received) = mpsc::channel::<&str>(1);
    let body = stream::unfold(received, |mut received| async {
        let part = received.recv().await?;
        Some((Ok(Frame::data(Bytes::from(part))), received))
    });
    let body = BodyExt::boxed(StreamBody::new(body));
    parts.send("one").await.unwrap();
    let response = within(client.send_request(request("POST", "/", body))).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut answer = response.into_body();
    let first = within(answer.frame()).await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "one");
    parts.send("two").await.unwrap();
    drop(parts);
    let rest = within(answer.collect()).await.unwrap().to_bytes();
    assert_eq!(rest.len(), SIZE);
    assert_eq!(ask(&mut client, request("POST", "/next", full(""))).await, (200, "ok".to_owned()));
    let record = router.records(1).await.remove(0);
    assert_eq!((record.received, record.sent), (6, SIZE as u64 + 3));
}

#[tokio::test]
async fn an_answer_that_breaks_off_resets_its_stream_and_no_other() {
    let backend = Backend::start(|mut conn, n| async move {
        conn.request().await?;
        if n == 0 {
            conn.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart").await
        } else {
            conn.write(OK).await
        }
    })
    .await;
    let router = web(&[&backend]);
    let mut client = plain(&router).await;
    let response = within(client.send_request(get("/"))).await.unwrap();
    assert_eq!(response.status(), 200);
    within(response.into_body().collect()).await.unwrap_err();
    assert_eq!(ask(&mut client, get("/")).await, (200, "ok".to_owned()));
}

#[tokio::test]
async fn a_reset_by_the_client_frees_the_endpoint() {
    let (left, mut gone) = mpsc::channel::<()>(1);
    let backend = Backend::start(move |mut conn, _| {
        let left = left.clone();
        async move {
            conn.request().await?;
            conn.closed().await;
            left.send(()).await.ok()
        }
    })
    .await;
    let router = web(&[&backend]);
    let mut client = plain(&router).await;
    let answer = client.send_request(get("/"));
    let pending = tokio::time::timeout(Duration::from_secs(60), answer);
    tokio::select! {
        _ = pending => panic!("there is no answer"),
        () = eventually("asked", || backend.requests().len() == 1) => {}
    }
    within(gone.recv()).await.unwrap();
    assert_eq!(router.records(1).await[0].status, 0);
    assert_eq!(router.counts("web", 0).await.in_flight, 0);
}

#[tokio::test]
async fn a_connection_without_streams_is_closed() {
    let mut setup = Setup::default();
    setup.settings.idle_timeout = Duration::from_millis(300);
    let mut router = Router::start(setup);
    router.app("web", &[], &[]);
    let mut client = plain(&router).await;
    assert_eq!(ask(&mut client, get("/")).await.0, 503);
    eventually("closed", || client.is_closed()).await;
    // A client that only ever pings, or says nothing at all, is no exception.
    let mut raw = TcpStream::connect(router.http).await.unwrap();
    raw.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut all = Vec::new();
    within(raw.read_to_end(&mut all)).await.unwrap();
}

/// RFC 9113 §10.5: a stream costs the client a few bytes, and its endpoint a connection.
#[tokio::test]
async fn a_body_of_which_nothing_comes_is_given_up_and_others_go_on() {
    let backend = Backend::start(|mut conn, _| async move {
        if conn.head().await?.starts_with("GET") {
            return conn.write(OK).await;
        }
        conn.closed().await;
        None
    })
    .await;
    let mut setup = Setup::default();
    setup.limits.body_read = Duration::from_millis(300);
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    let mut raw = Raw::open(router.http).await;
    let post = fields(&[
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/"),
        (":authority", "web.example"),
    ]);
    raw.send(&frame(HEADERS, END_HEADERS, 1, &post)).await;
    raw.send(&frame(HEADERS, END_HEADERS, 3, &post)).await;
    raw.send(&frame(DATA, 0, 3, b"some of it")).await;
    let mut given_up = BTreeSet::new();
    while given_up.len() < 2 {
        match raw.said().await.unwrap() {
            Said::Reset { stream, .. } => assert!(given_up.insert(stream)),
            said => panic!("{said:?}"),
        }
    }
    assert_eq!(given_up, [1, 3].into());
    raw.send(&frame(HEADERS, END_HEADERS | END_STREAM, 5, &frames::get(&[]))).await;
    assert_eq!(raw.said().await, Some(Said::Answer { stream: 5, status: 200 }));
}

#[tokio::test]
async fn where_http2_is_turned_off_it_is_not_understood_in_the_clear_either() {
    let mut setup = Setup::default();
    setup.settings.tls.http2 = false;
    let router = Router::start(setup);
    let mut raw = Raw::open(router.http).await;
    assert_eq!(raw.frame().await, None);
}

#[tokio::test]
async fn a_connection_has_so_many_requests_and_all_are_answered() {
    let backend = Backend::answering(OK).await;
    let mut setup = Setup::default();
    setup.limits.requests = 5;
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    let mut raw = Raw::open(router.http).await;
    let (mut sent, mut answered, mut over) = (0, 0, false);
    while !over || answered < sent {
        if !over {
            assert!(sent < 50);
            let request = frame(HEADERS, END_HEADERS | END_STREAM, 2 * sent + 1, &frames::get(&[]));
            raw.send(&request).await;
            sent += 1;
        }
        match raw.said().await.unwrap() {
            Said::Answer { status: 200, .. } => answered += 1,
            Said::Goaway { code: 0 } => over = true,
            said => panic!("{said:?}"),
        }
    }
    assert!(answered >= 5, "{answered}");
    let mut client = router.connect().await;
    for number in 1..=5 {
        let answer = client.ask("GET / HTTP/1.1\r\nHost: web.example\r\n\r\n").await;
        let closes = answer.header("connection") == Some("close");
        assert_eq!((answer.status(), closes), (200, number == 5));
    }
}

#[tokio::test]
async fn more_streams_than_agreed_wait() {
    let mut setup = Setup::default();
    setup.limits.h2_streams = 2;
    let backend = Backend::answering(OK).await;
    let mut router = Router::start(setup);
    router.app("web", &[], &[backend.addr]);
    let mut client = plain(&router).await;
    // By its answer the client has the server's settings.
    assert_eq!(ask(&mut client, get("/")).await.0, 200);
    let answers = (0..10).map(|_| {
        let mut client = client.clone();
        async move { ask(&mut client, get("/")).await.0 }
    });
    assert_eq!(futures::future::join_all(answers).await, [200; 10]);
}
