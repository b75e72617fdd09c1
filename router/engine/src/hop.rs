//! Fields of a response that concern one connection only (RFC 9110 §7.6.1), and those that say where
//! its body ends. Those of requests, and what HTTP/2 forbids, are taken out by Pingora.

use http::{
    HeaderName, HeaderValue, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use pingora_error::{Error, ErrorType, Result};
use pingora_http::ResponseHeader;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Fields that end here. Trailers are not passed on over HTTP/1, so their announcement is not
/// either.
const HOP_BY_HOP: [HeaderName; 5] = [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, UPGRADE, TRAILER];

/// Most names that a `Connection` field may nominate; the rest are left in.
const NOMINATIONS: usize = 16;

/// What a `Connection` field mostly says: no names of fields.
const OPTIONS: [&[u8]; 2] = [b"keep-alive", b"close"];

/// Fields that the body depends on are not for anybody to nominate.
const FRAMING: [HeaderName; 2] = [CONTENT_LENGTH, TRANSFER_ENCODING];

/// Takes hop-by-hop fields out of a response that does not switch protocols. `Transfer-Encoding`
/// stays: it tells how the body is to be written on.
pub(crate) fn strip_response(response: &mut ResponseHeader) {
    let found = HOP_BY_HOP.map(|name| response.headers.contains_key(name));
    if found[0] {
        let nominated: Vec<HeaderName> = response
            .headers
            .get_all(CONNECTION)
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
    }
    for (name, found) in HOP_BY_HOP.into_iter().zip(found) {
        if found {
            response.remove_header(&name);
        }
    }
}

/// Makes the end of the body clear to everybody: one length at most, no length where there is no
/// body, chunks in no other coding, and none in HTTP/1.0.
///
/// # Errors
/// A transfer coding that a client might read otherwise (RFC 9112 §6.1, §7).
pub(crate) fn frame_response(response: &mut ResponseHeader) -> Result<()> {
    let mut codings = response.headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        let known = coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
        if !known || response.version != Version::HTTP_11 {
            let reason = "a transfer coding that is not just chunked";
            return Err(Error::explain(ErrorType::InvalidHTTPHeader, reason).into_up());
        }
    }
    // RFC 9110 §8.6, RFC 9112 §6.1: neither belongs there.
    if response.status == StatusCode::NO_CONTENT || response.status.is_informational() {
        response.remove_header(&CONTENT_LENGTH);
        response.remove_header(&TRANSFER_ENCODING);
    }
    let mut lengths = response.headers.get_all(CONTENT_LENGTH).iter();
    if let Some(length) = lengths.next()
        && (lengths.next().is_some() || length.as_bytes().contains(&b','))
    {
        // Pingora has refused lengths that differ.
        let first = length.as_bytes().split(|byte| *byte == b',').next().unwrap_or_default();
        let first = HeaderValue::from_bytes(first.trim_ascii()).map_err(|_| {
            Error::explain(ErrorType::InvalidHTTPHeader, "Content-Length").into_up()
        })?;
        response.insert_header(CONTENT_LENGTH, first)?;
    }
    // RFC 9110 §2.5: the version is ours, not the endpoint's.
    if response.version == Version::HTTP_10 {
        response.set_version(Version::HTTP_11);
    }
    Ok(())
}

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
