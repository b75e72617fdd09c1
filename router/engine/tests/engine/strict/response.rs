//! What applications answer: no client takes one response for two, or another's for its own.

use crate::support::{Backend, Router, Setup, backend::OK};

/// An answer of an application, and what a client gets.
pub(super) struct Answer {
    pub(super) name: &'static str,
    pub(super) section: &'static str,
    given: &'static str,
    expected: Got,
    /// Without the rules.
    engine: Got,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Got {
    /// The router says that the application did not give a valid answer.
    Invalid,
    /// The client gets this, but for `Date`, and then the end of the connection.
    Passed(&'static str),
}
use Got::{Invalid, Passed};

const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 45\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Connection: close\r\n\r\nThe application did not give a valid answer.\n";

const GET: &str = "GET / HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n\r\n";

/// What a client gets for `request` where the application answers `given`.
async fn got(strict: bool, request: &str, given: &'static str) -> String {
    let backend = Backend::start(move |mut conn, _| async move {
        conn.head().await?;
        conn.write(given).await
    })
    .await;
    let mut router = Router::start(if strict { Setup::default() } else { Setup::bare() });
    router.app("web", &[], &[backend.addr]);
    let mut client = router.connect().await;
    client.send(request).await;
    let answer = client.rest().await;
    answer.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect()
}

impl Answer {
    async fn check(&self) {
        for (strict, expected) in [(true, self.expected), (false, self.engine)] {
            let got = got(strict, GET, self.given).await;
            let expected = match expected {
                Invalid => BAD_GATEWAY,
                Passed(answer) => answer,
            };
            assert_eq!(got, expected, "strict: {strict}");
        }
    }

    /// The line of the page, by what comes out.
    pub(super) async fn row(&self) -> String {
        let strict = got(true, GET, self.given).await;
        let engine = got(false, GET, self.given).await;
        let shown = |got: &str| match got == self.given.replacen("\r\n\r\n", CLOSE, 1) {
            _ if got == BAD_GATEWAY => "502".to_owned(),
            true => "passed on".to_owned(),
            false => format!("`{}`", got.replacen(CLOSE, "\r\n\r\n", 1).escape_debug()),
        };
        let decided = if strict == engine { "by the engine" } else { "by us" };
        let name = self.name.replace('_', " ");
        let (outcome, alone) = (shown(&strict), shown(&engine));
        format!("| {name} | {} | {outcome} | {alone} | {decided} |\n", self.section)
    }
}

const CLOSE: &str = "\r\nConnection: close\r\n\r\n";

macro_rules! answers {
    ($($name:ident, $section:literal: $given:expr => $expected:expr $(, engine $engine:expr)?;)*) => {
        pub(super) fn answers() -> Vec<Answer> {
            vec![$(Answer {
                name: stringify!($name),
                section: $section,
                given: $given,
                expected: $expected,
                engine: answers!(@engine $expected $(, $engine)?),
            }),*]
        }
        $(
            #[tokio::test]
            async fn $name() {
                let all = answers();
                all.iter().find(|answer| answer.name == stringify!($name)).unwrap().check().await;
            }
        )*
    };
    (@engine $expected:expr) => { $expected };
    (@engine $expected:expr, $engine:expr) => { $engine };
}

const PLAIN: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

answers! {
    an_answer_with_a_length, "RFC 9112 §6.2":
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" => Passed(PLAIN);
    an_answer_with_a_length_and_chunks, "RFC 9112 §6.3":
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        => Passed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    an_answer_with_the_same_length_twice, "RFC 9110 §8.6":
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"
        => Passed(PLAIN),
        engine Passed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    an_answer_with_a_list_of_lengths, "RFC 9110 §8.6":
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok"
        => Passed(PLAIN),
        engine Passed("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nConnection: close\r\n\r\nok");
    an_answer_with_two_lengths, "RFC 9112 §6.3":
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok" => Invalid;
    an_answer_with_a_length_that_is_none, "RFC 9112 §6.3":
        "HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nok" => Invalid;
    an_answer_in_another_coding, "RFC 9112 §6.1":
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        => Invalid,
        engine Passed("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    an_answer_in_chunks_twice, "RFC 9112 §7.1":
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        => Invalid,
        engine Passed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    an_answer_with_an_empty_coding, "RFC 9112 §6.1":
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding:\r\n\r\nok"
        => Invalid,
        engine Passed("HTTP/1.1 200 OK\r\nTransfer-Encoding: \r\nConnection: close\r\n\r\nok");
    an_answer_of_http_1_0_in_chunks, "RFC 9112 §6.1":
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        => Invalid,
        engine Passed("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    an_answer_of_http_1_0, "RFC 9110 §2.5":
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"
        => Passed(PLAIN),
        engine Passed("HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    an_answer_with_a_cr_in_a_field, "RFC 9110 §5.5":
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\rSet-Cookie: b\r\n\r\nok" => Invalid;
    an_answer_with_a_nul_in_a_field, "RFC 9110 §5.5":
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\0b\r\n\r\nok" => Invalid;
    an_answer_with_a_control_in_a_field, "RFC 9110 §5.5":
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\x01b\r\n\r\nok" => Invalid;
    an_answer_with_a_space_in_a_name, "RFC 9112 §5.1":
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX Y: 1\r\n\r\nok" => Invalid;
    an_answer_with_a_space_before_a_colon, "RFC 9112 §5.1":
        "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok" => Passed(PLAIN);
    an_answer_with_a_folded_field, "RFC 9112 §5.2":
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\r\n b\r\n\r\nok"
        => Passed("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a b\r\nConnection: close\r\n\r\nok");
    an_answer_with_bare_lfs, "RFC 9112 §2.2":
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nok" => Passed(PLAIN);
    an_answer_with_a_field_that_is_none, "RFC 9112 §5":
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nbad\r\n\r\nok" => Invalid;
    an_answer_with_a_status_that_is_none, "RFC 9112 §4":
        "HTTP/1.1 99 OK\r\nContent-Length: 2\r\n\r\nok" => Invalid;
    an_answer_of_another_version, "RFC 9112 §2.3":
        "HTTP/3.0 200 OK\r\nContent-Length: 2\r\n\r\nok" => Invalid;
    an_answer_that_is_none, "RFC 9112 §4": "nonsense\r\n\r\n" => Invalid;
    an_answer_without_content_that_has_a_length, "RFC 9110 §8.6":
        "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok"
        => Passed("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
        engine Passed("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
    an_answer_without_content_in_chunks, "RFC 9112 §6.1":
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
        => Passed("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"),
        engine Passed("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    an_answer_not_modified_with_a_length, "RFC 9110 §15.4.5":
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"
        => Passed("HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
    an_interim_answer_with_a_length, "RFC 9110 §8.6":
        "HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        => Passed("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"),
        engine Passed("HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    a_protocol_switch_that_nobody_asked_for, "RFC 9110 §7.8":
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\n\r\n" => Invalid;
    an_answer_longer_than_its_length, "RFC 9112 §6.3":
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
        => Passed(PLAIN);
    an_answer_in_a_chunk_that_is_none, "RFC 9112 §7.1":
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n"
        => Passed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
}

/// An endpoint that writes more than it was asked for has that read by nobody: its connection is
/// not used again (RFC 9112 §9.2).
#[tokio::test]
async fn what_nobody_asked_for_is_no_answer_to_the_next_request() {
    let backend = Backend::start(|mut conn, n| async move {
        loop {
            conn.head().await?;
            let evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
            conn.write(if n == 0 { format!("{OK}{evil}") } else { OK.to_owned() }).await?;
        }
    })
    .await;
    let router = crate::support::web(&[&backend]);
    for _ in 0..3 {
        let answer = router.ask("GET / HTTP/1.1\r\nHost: web.example\r\n\r\n").await;
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    }
    assert!(backend.connections() > 1);
}

/// RFC 9112 §6.1: a client of HTTP/1.0 knows no chunks.
#[tokio::test]
async fn a_client_of_http_1_0_gets_no_chunks() {
    let given = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let got = got(true, "GET / HTTP/1.0\r\nHost: web.example\r\n\r\n", given).await;
    assert_eq!(got, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok");
}

/// RFC 9110 §9.3.2.
#[tokio::test]
async fn an_answer_to_head_has_no_body_whatever_it_says() {
    let request = "HEAD / HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n\r\n";
    let got = got(true, request, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    assert_eq!(got, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
}
