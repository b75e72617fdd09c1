//! Fields of a response that concern one connection only (RFC 9110 §7.6.1). Those of requests, and
//! what HTTP/2 forbids, are taken out by Pingora.

use http::{HeaderName, header};
use pingora_http::ResponseHeader;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Most names that a `Connection` field may nominate; the rest are left in.
const NOMINATIONS: usize = 16;

/// Takes hop-by-hop fields out of a response that does not switch protocols. `Transfer-Encoding`
/// stays: it tells how the body is to be written on. Trailers are not passed on over HTTP/1, so
/// their announcement is not either.
pub(crate) fn strip_response(response: &mut ResponseHeader) {
    if response.headers.contains_key(header::CONNECTION) {
        let nominated: Vec<HeaderName> = response
            .headers
            .get_all(header::CONNECTION)
            .iter()
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            .take(NOMINATIONS)
            .map(<[u8]>::trim_ascii)
            .filter(|name| !OPTIONS.iter().any(|option| name.eq_ignore_ascii_case(option)))
            .filter_map(|name| HeaderName::from_bytes(name).ok())
            .filter(|name| !FRAMING.contains(name))
            .collect();
        for name in &nominated {
            response.remove_header(name);
        }
        response.remove_header(&header::CONNECTION);
    }
    for name in [&KEEP_ALIVE, &PROXY_CONNECTION, &header::UPGRADE, &header::TRAILER] {
        response.remove_header(name);
    }
}

/// What a `Connection` field mostly says: no names of fields.
const OPTIONS: [&[u8]; 2] = [b"keep-alive", b"close"];

/// Fields that the body depends on are not for anybody to nominate.
const FRAMING: [HeaderName; 2] = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_concerns_the_connection_is_taken_out_and_the_rest_left() {
        let mut response = ResponseHeader::build(200, None).unwrap();
        for (name, value) in [
            ("Connection", "close, X-Hop, Content-Length"),
            ("Keep-Alive", "timeout=5"),
            ("X-Hop", "1"),
            ("X-End", "2"),
            ("Upgrade", "h2c"),
            ("Trailer", "X-Sum"),
            ("Content-Length", "3"),
        ] {
            response.append_header(name, value).unwrap();
        }
        strip_response(&mut response);
        let mut left: Vec<_> = response.headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "x-end"]);
    }
}
