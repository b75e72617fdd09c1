//! Sizes of requests, and compression of responses.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response};

use super::start;
use crate::support::{Answer, Backend};

fn post(host: &str, body: usize, chunked: bool) -> Request<Full<Bytes>> {
    let request = Request::post("/").header("host", host);
    let request = if chunked { request.header("transfer-encoding", "chunked") } else { request };
    request.body(Full::from(vec![b'x'; body])).unwrap()
}

#[tokio::test]
async fn row_15_body_size_gives_413_beyond_and_0_is_no_limit() {
    let web = Backend::answering(|request| {
        let length =
            request.headers().get("content-length").map(|v| v.to_str().unwrap().to_owned());
        Response::new(Full::from(length.unwrap_or_default()))
    })
    .await;
    let world = start(&web, &[]).await;
    let send = async |body, chunked| {
        let mut connection = world.connect().await;
        let Answer { status, body, .. } =
            connection.send(post("web.example", body, chunked)).await.unwrap();
        (status, body)
    };
    const MIB: usize = 1024 * 1024;
    let too_large = || (413, "The body of this request is too large.\n".to_owned());
    assert_eq!(send(MIB, false).await, (200, MIB.to_string()));
    assert_eq!(send(MIB + 1, false).await, too_large());
    world.set("bodySize", "2k").await;
    assert_eq!(send(2048, false).await, (200, "2048".to_owned()));
    assert_eq!(send(2049, false).await, too_large());
    assert_eq!(send(2048, true).await.0, 200);
    assert_eq!(send(2049, true).await, too_large());
    world.set("bodySize", "0").await;
    assert_eq!(send(3 * MIB, false).await, (200, (3 * MIB).to_string()));
    // An app's own limit.
    world.annotate("router.deis.io/bodySize", "1k").await;
    assert_eq!(send(1025, false).await, too_large());
}

#[tokio::test]
async fn row_16_gzip_has_types_a_least_length_a_level_and_vary() {
    let web = Backend::answering(|request| {
        let query = request.uri().query().unwrap_or_default();
        let (length, media) = query.split_once('&').unwrap();
        let words: String = (0..4_000_u64).map(|n| format!("{} ", n * n % 9_973)).collect();
        let body = words[..length.parse().unwrap()].to_owned();
        Response::builder().header("content-type", media).body(Full::from(body)).unwrap()
    })
    .await;
    let world = start(&web, &[]).await;
    let get = async |length: usize, media: &str| {
        let url = format!("http://web.example/?{length}&{media}");
        let answer = world.get_with(&url, &[("accept-encoding", "gzip")]).await;
        let field = |name| answer.header(name).map(ToOwned::to_owned);
        // Of compressed bodies a measure, not the length: the client takes them for text.
        (field("content-encoding"), field("vary"), answer.body.chars().count())
    };
    let gzip = || Some("gzip".to_owned());
    let vary = || Some("Accept-Encoding".to_owned());
    // By default: text from 256 bytes on.
    assert_eq!(get(255, "text/html").await, (None, None, 255));
    let (coding, varies, by_default) = get(10_000, "text/html").await;
    assert_eq!((coding, varies), (gzip(), vary()));
    assert!(by_default < 8_000, "{by_default}");
    assert_eq!(get(300, "application/json").await.0, gzip());
    assert_eq!(get(300, "image/png").await, (None, None, 300));

    world.set("gzip.minLength", "1000").await;
    assert_eq!(get(999, "text/html").await, (None, None, 999));
    assert_eq!(get(1000, "text/html").await.0, gzip());

    world.set("gzip.compLevel", "1").await;
    let least = get(10_000, "text/html").await.2;
    assert!(least > by_default, "{least} at level 1, {by_default} at level 5");

    // As nginx has it: HTML is always among them.
    world.set("gzip.types", "image/png font/opentype").await;
    assert_eq!(get(1000, "image/png").await.0, gzip());
    assert_eq!(get(1000, "text/html").await.0, gzip());
    assert_eq!(get(1000, "application/json").await, (None, None, 1000));

    world.set("gzip.vary", "off").await;
    assert_eq!(get(1000, "text/html").await.1, None);
    world.set("gzip.vary", "on").await;

    world.set("gzip.enabled", "false").await;
    assert_eq!(get(1000, "text/html").await, (None, None, 1000));
    world.annotate("router.fairlead.dev/gzip.enabled", "true").await;
    assert_eq!(get(1000, "text/html").await.0, gzip());
    world.set("gzip.enabled", "true").await;
    world.annotate("router.fairlead.dev/gzip.enabled", "false").await;
    assert_eq!(get(1000, "text/html").await, (None, None, 1000));

    for (name, value) in
        [("compLevel", "10"), ("types", "text"), ("vary", "yes"), ("minLength", "-1")]
    {
        world.set(&format!("gzip.{name}"), value).await;
    }
    let found = world.findings().await;
    let reasons: Vec<_> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["reason"].as_str().unwrap())
        .collect();
    assert_eq!(
        reasons,
        [
            "\"10\" is not a whole number from 1 to 9. The default stands",
            "\"-1\" is not a size; write a whole number of bytes, or of KiB, MiB or GiB with k, m or g, such as 10m. The default stands",
            "\"text\" is not a media type; write one such as application/json, or * for anything. The default stands",
            "\"yes\" is none of on, off, true, false. The default stands",
        ]
    );
}
