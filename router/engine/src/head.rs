//! What a request's head must be before anything else is asked of it.

use std::borrow::Cow;

use fairlead_router_core::normalise_host;
use http::{Version, header::HOST};
use pingora_http::RequestHeader;
use pingora_proxy::Session;

/// A `Host` that is missing or unusable: 400 (RFC 9112 §3.2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadHost;

/// The host that `request` is for, ready for look-up; `None` where HTTP/1.0 named none.
///
/// Several `Host` lines, userinfo, and a `Host` that differs from the target's authority have been
/// refused by the parser.
pub(crate) fn host(request: &RequestHeader) -> Result<Option<Cow<'_, str>>, BadHost> {
    let authority = match received(request) {
        None if request.version < Version::HTTP_11 => return Ok(None),
        None => return Err(BadHost),
        Some(authority) => authority,
    };
    let text = str::from_utf8(authority).map_err(|_| BadHost)?;
    normalise_host(text).map(Some).ok_or(BadHost)
}

/// `:authority` of HTTP/2, else the field `Host`, as it came.
pub(crate) fn received(request: &RequestHeader) -> Option<&[u8]> {
    match request.uri.authority() {
        Some(authority) => Some(authority.as_str().as_bytes()),
        None => request.headers.get(HOST).map(|host| host.as_bytes()),
    }
}

/// The bytes of a request's head; for HTTP/2 as its fields are counted (RFC 9113 §6.5.2).
pub(crate) fn size(session: &Session) -> usize {
    if !session.is_http2() {
        return session.as_downstream().to_h1_raw().len();
    }
    let request = session.req_header();
    let fields = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32);
    fields.sum::<usize>() + request.raw_path().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, host: Option<&str>) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        request.set_version(version);
        if let Some(host) = host {
            request.insert_header(HOST, host).unwrap();
        }
        request
    }

    #[test]
    fn http_1_1_needs_a_usable_host() {
        for (version, given, expected) in [
            (Version::HTTP_11, Some("Web.Example:8080"), Ok(Some("web.example"))),
            (Version::HTTP_11, None, Err(BadHost)),
            (Version::HTTP_11, Some(""), Err(BadHost)),
            (Version::HTTP_11, Some("a b"), Err(BadHost)),
            (Version::HTTP_10, None, Ok(None)),
            (Version::HTTP_10, Some("web.example"), Ok(Some("web.example"))),
            (Version::HTTP_10, Some("a/b"), Err(BadHost)),
        ] {
            let request = request(version, given);
            let host = host(&request);
            assert_eq!(host.as_ref().map(|host| host.as_deref()), expected.as_ref().copied());
        }
    }

    #[test]
    fn http_2_has_its_authority() {
        let mut request = request(Version::HTTP_2, None);
        request.set_uri("https://Web.Example/path".parse().unwrap());
        assert_eq!(host(&request), Ok(Some("web.example".into())));
    }
}
