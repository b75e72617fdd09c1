//! How much there may be of it.

use super::{Passed, Refused, cases};

/// A head with `n` fields, `Host` among them.
fn fields(n: usize) -> &'static str {
    let rest: String = (1..n).map(|i| format!("x-{i}: y\r\n")).collect();
    format!("GET / HTTP/1.1\r\nHost: web.example\r\n{rest}\r\n").leak()
}

/// A head with a field of `n` bytes.
fn field(n: usize) -> &'static str {
    format!("GET / HTTP/1.1\r\nHost: web.example\r\nx: {}\r\n\r\n", "y".repeat(n)).leak()
}

/// Two chunks, the first with an extension of `n` bytes.
fn extension(n: usize) -> &'static str {
    format!("{CHUNKED}5;{}\r\nhello\r\n0\r\n\r\n", "x".repeat(n)).leak()
}

/// A chunk, and trailers of `n` bytes.
fn trailers(n: usize) -> &'static str {
    format!("{CHUNKED}5\r\nhello\r\n0\r\nx: {}\r\n\r\n", "y".repeat(n)).leak()
}

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n";
const PASSED: &str = "POST / HTTP/1.1\r\nHost: web.example\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";

cases! {
    one_hundred_fields, "RFC 6585 §5": fields(100).as_bytes() => Passed(fields(100));
    more_than_100_fields, "RFC 6585 §5":
        fields(101).as_bytes() => Refused(431), engine Passed(fields(101));
    more_than_256_fields, "RFC 6585 §5": fields(257).as_bytes() => Refused(400);
    a_head_of_60_kib, "RFC 6585 §5": field(60 << 10).as_bytes() => Passed(field(60 << 10));
    a_head_of_65_kib, "RFC 6585 §5": field(65 << 10).as_bytes() => Refused(431),
        engine Passed(field(65 << 10));
    a_chunk_extension_of_4_kib, "RFC 9112 §7.1.1": extension(4 << 10).as_bytes() => Passed(PASSED);
    a_chunk_extension_of_64_kib, "RFC 9112 §7.1.1": extension(64 << 10).as_bytes() => Refused(400);
    trailers_of_4_kib, "RFC 9112 §7.1.2": trailers(4 << 10).as_bytes() => Passed(PASSED);
    trailers_of_128_kib, "RFC 9112 §7.1.2": trailers(128 << 10).as_bytes() => Refused(400);
}
