//! Answers that the router gives itself.

use bytes::Bytes;
use fairlead_router_core::{Reply, strict::ALLOWED_METHODS};
use http::{
    HeaderValue, Method, StatusCode,
    header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, EXPECT},
};
use pingora_error::{Error, ErrorSource, ErrorType, Result};
use pingora_http::ResponseHeader;
use pingora_proxy::Session;

use crate::context::Context;

/// Answers a request whose connection stays in order: what is left of its body is read and thrown
/// away, so that the next request can follow.
///
/// # Errors
/// When the client is gone.
pub(crate) async fn reply(session: &mut Session, reply: &Reply, context: &Context) -> Result<()> {
    // Who waits for 100 (Continue) may leave the body out, and nobody could tell what comes next.
    let keeps = !session.req_header().headers.contains_key(EXPECT);
    session.set_close_on_response_before_downstream_finish(!keeps);
    send(session, reply, context).await
}

/// Answers a request that failed. Its connection ends (HTTP/1).
///
/// # Errors
/// When the client is gone.
pub(crate) async fn refuse(session: &mut Session, reply: &Reply, context: &Context) -> Result<()> {
    session.set_keepalive(None);
    send(session, reply, context).await
}

/// Ends a request that was answered here in a way that the answer is seen, whatever is left of its
/// body. May take as long as `EngineLimits::body_discard`.
pub(crate) async fn settle(session: &mut Session) {
    if session.is_http2() {
        // A stream that is dropped before its body has come is reset, and the reset may overtake the answer.
        let _ = session.drain_request_body().await;
    } else if session.get_keepalive().is_none() {
        session.shutdown().await;
    }
}

async fn send(session: &mut Session, reply: &Reply, context: &Context) -> Result<()> {
    let mut reply = reply.clone();
    if let Some(pages) = context.pages() {
        pages.dress(&mut reply);
    }
    let mut head = ResponseHeader::build(reply.status, Some(5))?;
    head.insert_header(CONTENT_LENGTH, HeaderValue::from(reply.body.len()))?;
    if !reply.body.is_empty() {
        head.insert_header(CONTENT_TYPE, HeaderValue::from_static(reply.content_type))?;
    }
    if reply.status == StatusCode::METHOD_NOT_ALLOWED {
        head.insert_header(ALLOW, HeaderValue::from_static(ALLOWED_METHODS))?;
    }
    if let Some(seconds) = reply.retry_after {
        head.insert_header("Retry-After", HeaderValue::from(seconds))?;
    }
    if let Some(location) = &reply.location {
        head.insert_header("Location", location.as_str())?;
    }
    context.mark_response(&mut head)?;
    let is_head = session.req_header().method == Method::HEAD;
    let body = if is_head { Bytes::new() } else { reply.body.clone() };
    let downstream = session.as_downstream_mut();
    downstream.write_response_header(Box::new(head)).await?;
    downstream.write_response_body(body, true).await
}

/// What to tell the client about `error`; nothing where the client is gone.
pub(crate) fn answer_to(error: &Error) -> Option<Reply> {
    use ErrorType::{
        ConnectTimedout, ConnectionClosed, H2Error, HTTPStatus, ReadError, ReadTimedout,
        WriteError, WriteTimedout,
    };
    match (error.esource(), error.etype()) {
        (_, HTTPStatus(503)) => Some(Reply::unavailable()),
        (_, HTTPStatus(413)) => Some(Reply::too_large()),
        (_, HTTPStatus(408)) | (ErrorSource::Downstream, ReadTimedout) => Some(text(
            StatusCode::REQUEST_TIMEOUT,
            "The rest of this request did not come in time.\n",
        )),
        (
            ErrorSource::Downstream,
            ReadError | WriteError | WriteTimedout | ConnectionClosed | H2Error,
        ) => None,
        (ErrorSource::Downstream, _) => {
            Some(text(StatusCode::BAD_REQUEST, "This request is malformed.\n"))
        }
        (_, ConnectTimedout | ReadTimedout | WriteTimedout) => Some(Reply::gateway_timeout()),
        _ => Some(Reply::bad_gateway()),
    }
}

const fn text(status: StatusCode, body: &'static str) -> Reply {
    Reply {
        status,
        content_type: "text/plain; charset=utf-8",
        location: None,
        maintenance: false,
        retry_after: None,
        body: Bytes::from_static(body.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_its_status() {
        let status = |error: Box<Error>| answer_to(&error).map(|reply| reply.status.as_u16());
        for (kind, upstream, downstream) in [
            (ErrorType::ConnectTimedout, Some(504), Some(400)),
            (ErrorType::ReadTimedout, Some(504), Some(408)),
            (ErrorType::WriteTimedout, Some(504), None),
            (ErrorType::ConnectRefused, Some(502), Some(400)),
            (ErrorType::ConnectionClosed, Some(502), None),
            (ErrorType::ReadError, Some(502), None),
            (ErrorType::InvalidHTTPHeader, Some(502), Some(400)),
            (ErrorType::HTTPStatus(503), Some(503), Some(503)),
            (ErrorType::HTTPStatus(408), Some(408), Some(408)),
            (ErrorType::HTTPStatus(413), Some(413), Some(413)),
        ] {
            assert_eq!(status(Error::new_up(kind.clone())), upstream, "{kind:?} upstream");
            assert_eq!(status(Error::new_down(kind.clone())), downstream, "{kind:?} downstream");
        }
    }
}
