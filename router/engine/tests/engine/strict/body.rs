//! Chunks (RFC 9112 §7.1). What was passed on before the mistake breaks off for the endpoint too.

use super::{Other, Passed, Refused, World, cases};

const PASSED: &str = "POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

cases! {
    a_chunk_extension, "RFC 9112 §7.1.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0;c\r\n\r\n"
        => Passed(PASSED);
    a_bare_lf_after_a_chunk_size, "RFC 9112 §7.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"
        => Refused(400);
    a_bare_lf_in_a_chunk_extension, "RFC 9112 §7.1.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5;a\nb\r\nhello\r\n0\r\n\r\n"
        => Passed(PASSED);
    a_bare_lf_after_a_chunk, "RFC 9112 §7.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n"
        => Refused(400);
    a_bare_cr_after_a_chunk_size, "RFC 9112 §7.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5\rXhello\r\n0\r\n\r\n"
        => Refused(400);
    a_chunk_longer_than_its_size, "RFC 9112 §7.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n"
        => Refused(400);
    a_chunk_size_with_a_prefix, "RFC 9112 §7.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"
        => Refused(400);
    a_signed_chunk_size, "RFC 9112 §7.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n"
        => Refused(400);
    a_negative_chunk_size, "RFC 9112 §7.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n"
        => Refused(400);
    an_empty_chunk_size, "RFC 9112 §7.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n"
        => Passed("POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    a_chunk_size_beyond_all_numbers, "RFC 9112 §7.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n"
        => Refused(400);
    a_space_before_a_chunk_size, "RFC 9112 §7.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n"
        => Refused(400);
    a_space_after_a_chunk_size, "RFC 9112 §7.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n"
        => Passed(PASSED);
    a_trailer, "RFC 9112 §7.1.2":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n\r\n"
        => Passed(PASSED);
    a_trailer_that_would_be_a_length, "RFC 9110 §6.5.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n"
        => Passed(PASSED);
    a_bare_lf_in_a_trailer, "RFC 9112 §7.1.2":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: 1\n\r\n"
        => Refused(400);
    bytes_after_the_last_chunk_are_the_next_request, "RFC 9112 §9.3.2":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\nGET /n HTTP/1.1\r\nHost: web.example\r\n\r\n"
        => Passed(PASSED),
        engine Other(&[200, 200], &[PASSED, "GET /n HTTP/1.1\r\nHost: web.example\r\n\r\n"]);
}

/// Whoever reads chunks otherwise, and so finds the next request elsewhere, finds none here.
#[tokio::test]
async fn nothing_behind_chunks_is_a_request() {
    let world = World::start(true).await;
    for case in cases() {
        let sent = [case.sent, b"GET /n HTTP/1.1\r\nHost: web.example\r\n\r\n"].concat();
        let seen = world.send(&sent, 1).await;
        assert!(seen.last && seen.answers.len() == 1, "{}: {seen:?}", case.name);
        assert!(seen.received.len() <= 1, "{}: {seen:?}", case.name);
        assert!(!seen.received.concat().contains("/n"), "{}: {seen:?}", case.name);
    }
}

/// An answer of the router's own.
#[tokio::test]
async fn nor_is_it_where_no_application_is_asked() {
    let world = World::start(true).await;
    let nowhere =
        "POST / HTTP/1.1\r\nHost: nowhere.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let sent = [nowhere, "GET /n HTTP/1.1\r\nHost: web.example\r\n\r\n"].concat();
    let seen = world.send(sent.as_bytes(), 1).await;
    assert!(seen.last && seen.answers == [404] && seen.received.is_empty(), "{seen:?}");
}
