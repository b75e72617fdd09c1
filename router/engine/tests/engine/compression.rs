//! Responses are compressed for who takes it, as they come, and left alone otherwise.

use std::{io::Read, sync::Arc};

use fairlead_router_core::{Compression, Settings};
use fairlead_router_engine::EngineLimits;
use tokio::sync::{Mutex, mpsc};

use crate::{
    http2,
    support::{Backend, Client, Router, Setup, backend::Conn, web, within},
};

/// 600 bytes of HTML.
fn page() -> String {
    "<li>a line</li>\n<p></p>\n".repeat(25)
}

/// A backend that answers with what is asked of it: status, fields, body.
async fn answering(status: &'static str, fields: &'static str, body: String) -> Backend {
    Backend::start(move |mut conn, _| {
        let body = body.clone();
        async move {
            loop {
                let request = conn.request().await?;
                let length = format!("Content-Length: {}\r\n", body.len());
                conn.write(format!("HTTP/1.1 {status}\r\n{fields}{length}\r\n")).await?;
                if !request.starts_with("HEAD") {
                    conn.write(&body).await?;
                }
            }
        }
    })
    .await
}

fn ask_for(codings: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: web.example\r\n{codings}\r\n")
}

/// What can be read of `encoded` by now.
fn decoded(coding: &str, encoded: &[u8]) -> String {
    let mut decoder: Box<dyn Read + '_> = match coding {
        "gzip" => Box::new(flate2::read::GzDecoder::new(encoded)),
        "br" => Box::new(brotli::Decompressor::new(encoded, 4096)),
        "zstd" => Box::new(zstd::stream::read::Decoder::new(encoded).unwrap()),
        other => panic!("{other}"),
    };
    let mut plain = Vec::new();
    let mut byte = [0];
    while let Ok(1) = decoder.read(&mut byte) {
        plain.push(byte[0]);
    }
    String::from_utf8(plain).unwrap()
}

/// The chunks up to the last one.
async fn chunks<S>(client: &mut Client<S>) -> Vec<u8>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let mut body = Vec::new();
    loop {
        match client.chunk().await {
            chunk if chunk.is_empty() => return body,
            chunk => body.extend(chunk),
        }
    }
}

#[tokio::test]
async fn the_coding_that_the_client_likes_best_is_given_and_the_connection_goes_on() {
    let backend = answering("200 OK", "Content-Type: text/html\r\n", page()).await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    for (codings, coding) in [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, deflate, br", "br"),
        ("gzip", "gzip"),
        ("br;q=0.5, gzip;q=0.8, zstd;q=0", "gzip"),
    ] {
        client.send(ask_for(&format!("Accept-Encoding: {codings}\r\n"))).await;
        assert_eq!(
            client.head().await.unwrap(),
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nVary: Accept-Encoding\r\n\
                 Content-Encoding: {coding}\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n"
            )
        );
        let body = chunks(&mut client).await;
        assert!(body.len() < 200, "{} bytes of {coding}", body.len());
        assert_eq!(decoded(coding, &body), page());
    }
    assert_eq!(backend.connections(), 1);
    // What the application was asked is as the client asked it.
    assert!(backend.requests()[3].contains("Accept-Encoding: br;q=0.5, gzip;q=0.8, zstd;q=0\r\n"));
}

#[tokio::test]
async fn who_takes_no_coding_gets_none_and_caches_are_told() {
    let backend = answering("200 OK", "Content-Type: text/html\r\n", page()).await;
    let router = web(&[&backend]);
    let expected = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 600\r\nVary: Accept-Encoding\r\n\
         Connection: keep-alive\r\n\r\n{}",
        page()
    );
    for fields in [
        "",
        "Accept-Encoding: identity\r\n",
        "Accept-Encoding: gzip;q=0\r\n",
        "Accept-Encoding: deflate\r\n",
        "Accept-Encoding: gzip\r\nCache-Control: no-transform\r\n",
    ] {
        assert_eq!(router.ask(&ask_for(fields)).await, expected, "{fields}");
    }
}

#[tokio::test]
async fn what_is_not_to_be_compressed_passes_byte_for_byte() {
    for (status, fields, body) in [
        ("200 OK", "Content-Type: text/html\r\nContent-Encoding: br\r\n", page()),
        ("200 OK", "Content-Type: text/html\r\nCache-Control: public, no-transform\r\n", page()),
        ("200 OK", "Content-Type: text/html\r\nContent-Digest: sha-256=:AA==:\r\n", page()),
        (
            "206 Partial Content",
            "Content-Type: text/html\r\nContent-Range: bytes 0-599/900\r\n",
            page(),
        ),
        ("200 OK", "Content-Type: image/png\r\n", page()),
        ("200 OK", "", page()),
        ("200 OK", "Content-Type: text/html\r\n", "x".repeat(255)),
        ("200 OK", "Content-Type: text/html\r\nETag: \"a\"\r\n", String::new()),
    ] {
        let length = body.len();
        let expected = format!(
            "HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\nConnection: keep-alive\r\n\r\n{body}"
        );
        let backend = answering(status, fields, body).await;
        let router = web(&[&backend]);
        let got = router.ask(&ask_for("Accept-Encoding: gzip\r\nRange: bytes=0-599\r\n")).await;
        assert_eq!(got, expected);
    }
}

#[tokio::test]
async fn responses_without_a_body_stay_without() {
    let backend = Backend::start(|mut conn, _| async move {
        loop {
            let request = conn.request().await?;
            let status =
                if request.contains("/204") { "204 No Content" } else { "304 Not Modified" };
            conn.write(format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nETag: \"a\"\r\n\r\n"
            ))
            .await?;
        }
    })
    .await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    for (path, status) in [("/204", "204 No Content"), ("/304", "304 Not Modified")] {
        client
            .send(format!(
                "GET {path} HTTP/1.1\r\nHost: web.example\r\nAccept-Encoding: gzip\r\n\r\n"
            ))
            .await;
        assert_eq!(
            client.head().await.unwrap(),
            format!(
                "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nETag: \"a\"\r\nConnection: keep-alive\r\n\r\n"
            )
        );
    }
}

// RFC 9110 §15.4.5: the fields that a 200 would have had for this client.
#[tokio::test]
async fn what_was_not_modified_has_the_tag_that_the_client_knows() {
    for (tag, known, expected) in [
        ("\"v1\"", "W/\"v1\"", "ETag: W/\"v1\"\r\nVary: Accept-Encoding\r\n"),
        ("\"v1\"", "\"v0\", W/\"v1\"", "ETag: W/\"v1\"\r\nVary: Accept-Encoding\r\n"),
        // It came to the client as it was.
        ("\"v1\"", "\"v1\"", "ETag: \"v1\"\r\n"),
        ("\"v1\"", "W/\"v0\"", "ETag: \"v1\"\r\n"),
        ("\"v1\"", "*", "ETag: \"v1\"\r\n"),
        ("W/\"v1\"", "W/\"v1\"", "ETag: W/\"v1\"\r\n"),
    ] {
        let backend = Backend::start(move |mut conn, _| async move {
            conn.request().await?;
            conn.write(format!("HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n")).await
        })
        .await;
        let router = web(&[&backend]);
        let mut client = router.connect().await;
        client.send(ask_for(&format!("Accept-Encoding: gzip\r\nIf-None-Match: {known}\r\n"))).await;
        let head = client.head().await.unwrap();
        assert!(head.contains(&format!("HTTP/1.1 304 Not Modified\r\n{expected}Conn")), "{head}");
    }
}

// RFC 9110 §9.3.2: the fields of GET, but for those that only the content could tell.
#[tokio::test]
async fn head_gets_the_head_of_get_and_the_connection_goes_on() {
    let fields =
        "Content-Type: text/html\r\nETag: \"v1\"\r\nVary: Cookie\r\nAccept-Ranges: bytes\r\n";
    let backend = answering("200 OK", fields, page()).await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    for _ in 0..2 {
        client.send("HEAD / HTTP/1.1\r\nHost: web.example\r\nAccept-Encoding: gzip\r\n\r\n").await;
        assert_eq!(
            client.head().await.unwrap(),
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nETag: W/\"v1\"\r\nVary: Cookie\r\n\
             Vary: Accept-Encoding\r\nContent-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n"
        );
    }
    assert_eq!(backend.connections(), 1);
}

#[tokio::test]
async fn entity_tags_become_weak_and_vary_is_told_once() {
    for (fields, tag, vary) in [
        ("ETag: \"v1\"\r\n", "W/\"v1\"", "Accept-Encoding"),
        ("ETag: W/\"v1\"\r\nVary: accept-encoding\r\n", "W/\"v1\"", "accept-encoding"),
        ("ETag: \"\"\r\nVary: *\r\n", "W/\"\"", "*"),
    ] {
        let fields: &'static str = format!("Content-Type: text/html\r\n{fields}").leak();
        let backend = answering("200 OK", fields, page()).await;
        let router = web(&[&backend]);
        let mut client = router.connect().await;
        client.send(ask_for("Accept-Encoding: gzip\r\n")).await;
        let head = client.head().await.unwrap();
        assert!(head.contains(&format!("ETag: {tag}\r\n")), "{head}");
        assert_eq!(head.matches("Vary: ").count(), 1, "{head}");
        assert!(head.contains(&format!("Vary: {vary}\r\n")), "{head}");
        assert!(!head.contains("Content-Length"), "{head}");
        assert_eq!(decoded("gzip", &chunks(&mut client).await), page());
    }
}

/// A backend that sends what the test says, when it says so.
async fn live(media: &'static str) -> (Backend, mpsc::Sender<Option<&'static str>>) {
    let (say, said) = mpsc::channel::<Option<&'static str>>(1);
    let said = Arc::new(Mutex::new(said));
    let backend = Backend::start(move |mut conn: Conn, _| {
        let said = said.clone();
        async move {
            conn.request().await?;
            conn.write(format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nTransfer-Encoding: chunked\r\n\r\n"
            ))
            .await?;
            while let Some(piece) = said.lock().await.recv().await? {
                conn.write(format!("{:x}\r\n{piece}\r\n", piece.len())).await?;
            }
            conn.write("0\r\n\r\n").await
        }
    })
    .await;
    (backend, say)
}

fn with(compression: Compression, limits: EngineLimits, backend: &Backend) -> Router {
    let settings = Settings { compression: Arc::new(compression), ..Settings::default() };
    let mut router = Router::start(Setup { workers: 1, settings, limits, ..Setup::default() });
    router.app("web", &[], &[backend.addr]);
    router
}

#[tokio::test]
async fn each_event_of_a_stream_reaches_the_client_at_once() {
    let types = Box::new(["text/event-stream".into()]);
    for coding in ["gzip", "br", "zstd"] {
        let (backend, say) = live("text/event-stream").await;
        let compression = Compression { types: types.clone(), ..Compression::default() };
        let router = with(compression, EngineLimits::default(), &backend);
        let mut client = router.connect().await;
        client.send(ask_for(&format!("Accept-Encoding: {coding}\r\n"))).await;
        let head = within(client.head()).await.unwrap();
        assert!(head.contains(&format!("Content-Encoding: {coding}\r\n")), "{head}");
        let mut encoded = Vec::new();
        let mut plain = String::new();
        for event in ["data: one\n\n", "data: two\n\n", "data: three\n\n"] {
            say.send(Some(event)).await.unwrap();
            plain.push_str(event);
            while decoded(coding, &encoded) != plain {
                encoded.extend(within(client.chunk()).await);
            }
        }
        say.send(None).await.unwrap();
        encoded.extend(chunks(&mut client).await);
        assert_eq!(decoded(coding, &encoded), plain);
    }
}

#[tokio::test]
async fn http_1_0_gets_a_coded_body_that_ends_with_the_connection() {
    let backend = answering("200 OK", "Content-Type: text/html\r\n", page()).await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    client.send("GET / HTTP/1.0\r\nHost: web.example\r\nAccept-Encoding: gzip\r\n\r\n").await;
    assert_eq!(
        client.head().await.unwrap(),
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nVary: Accept-Encoding\r\nContent-Encoding: gzip\r\n\
         Connection: close\r\n\r\n"
    );
    assert_eq!(decoded("gzip", &client.rest_bytes().await), page());
}

#[tokio::test]
async fn http_2_gets_coded_bodies_too() {
    let backend = answering("200 OK", "Content-Type: text/html\r\n", page()).await;
    let router = web(&[&backend]);
    let mut client = http2::open(tokio::net::TcpStream::connect(router.http).await.unwrap()).await;
    let mut request = http2::get("/");
    request.headers_mut().insert("accept-encoding", "br, gzip;q=0.1".parse().unwrap());
    let response = within(client.send_request(request)).await.unwrap();
    let field = |name| response.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!(field("content-encoding"), Some("br"));
    assert_eq!((field("content-length"), field("transfer-encoding")), (None, None));
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    assert_eq!(decoded("br", &body), page());
}

#[tokio::test]
async fn beyond_as_many_as_may_be_compressed_responses_pass_as_they_are() {
    let (backend, say) = live("text/html").await;
    let other = answering("200 OK", "Content-Type: text/html\r\n", page()).await;
    let limits = EngineLimits { compressions: 1, ..EngineLimits::default() };
    let mut router = with(Compression::default(), limits, &backend);
    router.app("other", &[], &[other.addr]);
    let mut open = router.connect().await;
    open.send(ask_for("Accept-Encoding: gzip\r\n")).await;
    assert!(open.head().await.unwrap().contains("Content-Encoding: gzip\r\n"));
    let request = "GET / HTTP/1.1\r\nHost: other.example\r\nAccept-Encoding: gzip\r\n\r\n";
    assert!(router.ask(request).await.ends_with(&page()));
    // The encoder is given back with the end of the body.
    say.send(None).await.unwrap();
    chunks(&mut open).await;
    let mut client = router.connect().await;
    client.send(request).await;
    assert!(client.head().await.unwrap().contains("Content-Encoding: gzip\r\n"));
    assert_eq!(decoded("gzip", &chunks(&mut client).await), page());
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_made_to_look_whole() {
    let backend = Backend::start(|mut conn, _| async move {
        conn.request().await?;
        conn.write("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 1000\r\n\r\nhalf")
            .await
    })
    .await;
    let router = web(&[&backend]);
    let mut client = router.connect().await;
    client.send(ask_for("Accept-Encoding: gzip\r\n")).await;
    client.head().await.unwrap();
    let rest = client.rest().await;
    assert!(!rest.ends_with("0\r\n\r\n"), "{rest:?}");
}
