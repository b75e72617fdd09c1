//! Where a body ends, as the head says.

use super::{Other, Passed, Refused, cases};

const PASSED: &str = "POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
const EMPTY: &str =
    "POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";

cases! {
    a_content_length, "RFC 9112 §6.2":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5\r\n\r\nhello"
        => Passed("POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5\r\n\r\nhello");
    chunks, "RFC 9112 §7.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        => Passed(PASSED);
    a_get_with_a_body, "RFC 9110 §9.3.1":
        b"GET / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5\r\n\r\nhello"
        => Passed("GET / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5\r\n\r\nhello");
    content_length_and_transfer_encoding, "RFC 9112 §6.3":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        => Refused(400),
        engine Passed(EMPTY);
    transfer_encoding_and_content_length, "RFC 9112 §6.3":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"
        => Refused(400),
        engine Passed(EMPTY);
    the_same_content_length_twice, "RFC 9112 §6.3":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"
        => Refused(400),
        engine Passed("POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello");
    a_list_of_equal_content_lengths, "RFC 9112 §6.3":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5, 5\r\n\r\nhello" => Refused(400),
        engine Passed("POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5, 5\r\n\r\nhello");
    two_content_lengths, "RFC 9112 §6.3":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\nhello"
        => Refused(400);
    an_empty_content_length, "RFC 9110 §8.6":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length:\r\n\r\nhello" => Refused(400);
    a_signed_content_length, "RFC 9110 §8.6":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: +5\r\n\r\nhello" => Refused(400);
    a_negative_content_length, "RFC 9110 §8.6":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: -5\r\n\r\nhello" => Refused(400);
    a_hexadecimal_content_length, "RFC 9110 §8.6":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 0x5\r\n\r\nhello" => Refused(400);
    a_content_length_beyond_all_numbers, "RFC 9110 §8.6":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 18446744073709551621\r\n\r\nhello"
        => Refused(400);
    a_content_length_with_a_space_in_it, "RFC 9110 §8.6":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 5 5\r\n\r\nhello" => Refused(400);
    transfer_encoding_twice, "RFC 9112 §6.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        => Refused(400),
        engine Passed(EMPTY);
    chunked_twice_in_a_list, "RFC 9112 §7.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"
        => Refused(501),
        engine Passed(EMPTY);
    another_coding_before_chunked, "RFC 9112 §6.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
        => Refused(501),
        engine Passed(EMPTY);
    another_coding_in_a_line_before_chunked, "RFC 9112 §6.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        => Refused(501),
        engine Passed(EMPTY);
    another_coding_after_chunked, "RFC 9112 §6.3":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"
        => Refused(400);
    a_coding_that_looks_like_chunked, "RFC 9112 §6.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"
        => Refused(400);
    a_vertical_tab_before_chunked, "RFC 9110 §5.5":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"
        => Refused(400);
    an_empty_transfer_encoding, "RFC 9112 §6.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello"
        => Refused(400);
    transfer_encoding_in_http_1_0, "RFC 9112 §6.1":
        b"POST / HTTP/1.0\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        => Refused(400);
    a_folded_transfer_encoding, "RFC 9112 §5.2":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"
        => Refused(400);
    a_name_with_a_space_before_the_colon, "RFC 9112 §5.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"
        => Refused(400);
    a_name_that_looks_like_a_length, "RFC 9110 §5.1":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nContent_Length: 5\r\nContent-Length: 0\r\n\r\n"
        => Passed("POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 0\r\n\r\n"),
        engine Passed("POST / HTTP/1.1\r\nHost: web.example\r\nContent_Length: 5\r\nContent-Length: 0\r\n\r\n");
    a_body_shorter_than_its_length, "RFC 9112 §8":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nContent-Length: 9\r\n\r\nhello"
        => Other(&[], &[]);
    chunks_without_an_end, "RFC 9112 §8":
        b"POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
        => Other(&[], &[]);
}
