//! Hashes that stand for content, so that clients ask for it once.

use std::hash::Hasher;

use http::HeaderMap;
use http::header::{ETAG, HeaderValue, IF_NONE_MATCH};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Empty};

use super::respond::Reply;

/// The hash of a body. Tells versions of one document apart; keeps nobody from forging one.
pub(super) fn of(body: &[u8]) -> String {
    #[expect(deprecated, reason = "the same in every process, unlike a random state")]
    let mut hasher = std::hash::SipHasher::new();
    hasher.write(body);
    format!("{:016X}", hasher.finish())
}

/// The reply with its hash, or 304 where the client has it.
pub(super) fn conditional(headers: &HeaderMap, hash: &str, reply: impl FnOnce() -> Reply) -> Reply {
    let tag = format!("\"{hash}\"");
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut reply = match known {
        Some(known) if known.split(',').any(|known| known.trim() == tag) => {
            let mut unchanged = Response::new(Empty::new().boxed_unsync());
            *unchanged.status_mut() = StatusCode::NOT_MODIFIED;
            unchanged
        }
        _ => reply(),
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        reply.headers_mut().insert(ETAG, tag);
    }
    reply
}
