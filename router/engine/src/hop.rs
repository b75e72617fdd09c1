//! Fields that are not the same on both sides: those of a response that concern one connection only
//! (RFC 9110 §7.6.1), those that say where its body ends, and cookies. Fields of requests that
//! concern one connection, and what HTTP/2 forbids, are taken out by Pingora.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, COOKIE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use pingora_error::{Error, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Fields that end here. Trailers are not passed on over HTTP/1, so their announcement is not
/// either.
static HOP_BY_HOP: [HeaderName; 5] = [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, UPGRADE, TRAILER];

/// Most names that a `Connection` field may nominate; the rest are left in.
const NOMINATIONS: usize = 16;

/// What a `Connection` field mostly says: no names of fields.
const OPTIONS: [&[u8]; 2] = [b"keep-alive", b"close"];

/// Fields that the body depends on are not for anybody to nominate.
const FRAMING: [HeaderName; 2] = [CONTENT_LENGTH, TRANSFER_ENCODING];

/// Which fields a response has, of those that are looked at here. Found in one pass: to look each of
/// them up would cost several times as much, and most responses have none or one.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    hop_by_hop: [bool; HOP_BY_HOP.len()],
    codings: usize,
    lengths: usize,
    /// A length is a list.
    listed: bool,
}

impl Found {
    fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        for (name, value) in headers {
            if *name == CONTENT_LENGTH {
                found.lengths += 1;
                found.listed |= value.as_bytes().contains(&b',');
            } else if *name == TRANSFER_ENCODING {
                found.codings += 1;
            } else if let Some(at) = HOP_BY_HOP.iter().position(|hop| name == hop) {
                found.hop_by_hop[at] = true;
            }
        }
        found
    }
}

/// Takes hop-by-hop fields out of a response that does not switch protocols. With `strict`, makes
/// the end of the body clear to everybody as well.
///
/// # Errors
/// A transfer coding that a client might read otherwise (RFC 9112 §6.1, §7).
pub(crate) fn clean_response(response: &mut ResponseHeader, strict: bool) -> Result<()> {
    let found = Found::of(&response.headers);
    strip(response, found);
    if strict { frame(response, found) } else { Ok(()) }
}

/// `Transfer-Encoding` stays: it tells how the body is to be written on.
fn strip(response: &mut ResponseHeader, found: Found) {
    let [connection, ..] = found.hop_by_hop;
    if connection {
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
    for (name, found) in HOP_BY_HOP.iter().zip(found.hop_by_hop) {
        if found {
            response.remove_header(name);
        }
    }
}

/// Makes one line of the cookies that HTTP/2 clients send one by one: servers of HTTP/1 expect no
/// more (RFC 9113 §8.2.3).
///
/// # Errors
/// None in practice: the joined value has only bytes that were valid before.
pub(crate) fn join_cookies(request: &mut RequestHeader) -> Result<()> {
    let lines = request.headers.get_all(COOKIE);
    if lines.iter().nth(1).is_none() {
        return Ok(());
    }
    let joined = lines.iter().map(HeaderValue::as_bytes).collect::<Vec<_>>().join(&b"; "[..]);
    request.insert_header(COOKIE, joined)
}

/// Whether nothing follows a response's head, as far as that can be told by it: a head of gRPC with a
/// status is one that has the place of trailers.
pub(crate) fn is_whole(request: &RequestHeader, response: &ResponseHeader) -> bool {
    let length = response.headers.get(CONTENT_LENGTH);
    request.method == Method::HEAD
        || matches!(response.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || length.is_some_and(|length| length == "0")
        || response.headers.contains_key("grpc-status")
}

/// One length at most, no length where there is no body, chunks in no other coding, and none in HTTP/1.0.
fn frame(response: &mut ResponseHeader, found: Found) -> Result<()> {
    if found.codings > 0 {
        let coding = response.headers.get(TRANSFER_ENCODING).map(HeaderValue::as_bytes);
        let known = coding.is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"));
        if !known || found.codings > 1 || response.version != Version::HTTP_11 {
            let reason = "a transfer coding that is not just chunked";
            return Err(Error::explain(ErrorType::InvalidHTTPHeader, reason).into_up());
        }
    }
    // RFC 9110 §8.6, RFC 9112 §6.1: neither belongs there.
    if response.status == StatusCode::NO_CONTENT || response.status.is_informational() {
        response.remove_header(&CONTENT_LENGTH);
        response.remove_header(&TRANSFER_ENCODING);
    } else if found.lengths > 1 || found.listed {
        // Pingora has refused lengths that differ.
        let length = response.headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
        let first = length.and_then(|length| length.split(|byte| *byte == b',').next());
        let first = HeaderValue::from_bytes(first.unwrap_or_default().trim_ascii());
        let first = first.map_err(|_| {
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
        clean_response(&mut response, true).unwrap();
        let mut left: Vec<_> = response.headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "x-end"]);
    }
}
