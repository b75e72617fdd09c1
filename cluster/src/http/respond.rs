//! Responses.

use std::convert::Infallible;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WARNING};
use http::{Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};

use crate::status::Status;

/// A response; its body may be endless.
pub(super) type Reply = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// A JSON body.
pub(super) fn json(code: StatusCode, body: impl Into<Bytes>) -> Reply {
    reply(code, "application/json", body)
}

/// A plain text body.
pub(super) fn text(code: StatusCode, body: &'static str) -> Reply {
    reply(code, "text/plain; charset=utf-8", body)
}

/// A refusal.
pub(super) fn refusal(status: &Status) -> Reply {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = json(code, status.body().to_string().into_bytes());
    if let Some(seconds) = status.details.as_ref().and_then(|details| details.retry_after) {
        reply.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    reply
}

/// Adds warnings, which kubectl shows to people.
pub(super) fn warn(reply: &mut Reply, warnings: &[String]) {
    for warning in warnings {
        let escaped = warning.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{escaped}\"")) {
            reply.headers_mut().append(WARNING, value);
        }
    }
}

/// A whole body.
pub(super) fn reply(code: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Reply {
    stream(code, media_type, Full::new(body.into()).boxed_unsync())
}

/// A body that comes piece by piece.
pub(super) fn stream(
    code: StatusCode,
    media_type: &'static str,
    body: UnsyncBoxBody<Bytes, Infallible>,
) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = code;
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    reply
}
