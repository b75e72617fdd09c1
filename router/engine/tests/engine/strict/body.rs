//! Chunks (RFC 9112 §7.1). What was passed on before the mistake breaks off for the endpoint too.

use super::{Other, Passed, Refused, cases};

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
        => Other(&[200, 200], &[PASSED, "GET /n HTTP/1.1\r\nHost: web.example\r\n\r\n"]);
}
