//! Asking the logd that has an app for what a reader has asked this one.
//!
//! The request goes on with the reader's own token, which the other one judges as it would the
//! reader's. It says that it was forwarded, and is answered where it arrives: it goes no further,
//! whatever that logd thinks of who has the app.

use std::{convert::Infallible, io, time::Duration};

use axum::{
    body::{Body, BodyDataStream, Bytes},
    http::{
        HeaderName, Request, StatusCode,
        header::{
            ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HOST,
            WWW_AUTHENTICATE,
        },
        request::Parts,
        uri::PathAndQuery,
    },
    response::{IntoResponse as _, Response},
};
use bytes::BytesMut;
use fairlead_wire::members::Member;
use futures::{Stream, StreamExt as _};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use thiserror::Error;
use tokio::{net::TcpStream, time::timeout};

use super::{
    Api,
    logs::LAST_EVENT_ID,
    serve::{BUFFER, KEEPALIVE},
};
use crate::{app::AppId, peers::Place};

/// Says that a request was forwarded.
const FORWARDED: HeaderName = HeaderName::from_static("fairlead-forwarded");
/// What is passed on of a request, and of its answer.
const ASKED: [HeaderName; 3] = [AUTHORIZATION, ACCEPT, LAST_EVENT_ID];
const ANSWERED: [HeaderName; 4] =
    [CONTENT_TYPE, CACHE_CONTROL, WWW_AUTHENTICATE, HeaderName::from_static("x-accel-buffering")];
/// Until there is a connection, and until the answer begins.
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(30);
/// Bytes of a line that are kept until the rest comes; more than any line has.
const LINE: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, Error)]
enum AskError {
    #[error("its URL has no host and port")]
    Address,
    #[error("cannot connect: {0}")]
    Connect(#[from] io::Error),
    #[error("it does not answer in time")]
    Silent,
    #[error("it broke off: {0}")]
    Broken(#[from] hyper::Error),
    #[error(transparent)]
    Request(#[from] axum::http::Error),
}

/// What the app's owner answers; none where `place` is this logd, or the request comes from another.
pub(super) async fn to_owner(
    api: &Api,
    app: &AppId,
    place: &Place,
    parts: &Parts,
    follow: bool,
) -> Option<Response> {
    let Place::There(owner) = place else { return None };
    let peers = api.peers.as_ref().filter(|_| !parts.headers.contains_key(FORWARDED))?;
    api.reading.forwarded.add(1);
    let answer = timeout(ANSWER, ask(owner, parts)).await.unwrap_or(Err(AskError::Silent));
    let (head, body) = match answer {
        Ok(answer) => answer.into_parts(),
        Err(error) => {
            api.reading.unanswered.add(1);
            tracing::debug!(logd = owner.name, %error, "a forwarded request has no answer");
            let text = format!("{}, the logd that has this app, does not answer.\n", owner.name);
            return Some((StatusCode::SERVICE_UNAVAILABLE, text).into_response());
        }
    };
    let endless = follow && head.status == StatusCode::OK;
    let body = if endless {
        let left = peers.clone().left(app.clone(), place.clone());
        let lines = whole_lines(Body::new(body).into_data_stream()).map(Ok::<_, Infallible>);
        Body::from_stream(lines.take_until(Box::pin(left)))
    } else {
        Body::new(body)
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = head.status;
    // Where it breaks off, that shows in its length.
    let length = Some(CONTENT_LENGTH).filter(|_| !endless);
    for name in ANSWERED.into_iter().chain(length) {
        if let Some(value) = head.headers.get(&name) {
            answer.headers_mut().insert(name, value.clone());
        }
    }
    Some(answer)
}

async fn ask(owner: &Member, parts: &Parts) -> Result<Response<Incoming>, AskError> {
    let authority = owner.url.authority().ok_or(AskError::Address)?;
    let port = authority.port_u16().ok_or(AskError::Address)?;
    let connect = TcpStream::connect((authority.host().trim_matches(['[', ']']), port));
    let stream = timeout(CONNECT, connect).await.map_err(|_| AskError::Silent)??;
    stream.set_nodelay(true)?;
    // One that went away without a word is noticed though nothing comes.
    SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    let (mut requests, connection) =
        http1::Builder::new().max_buf_size(BUFFER).handshake(TokioIo::new(stream)).await?;
    // It ends with the answer, or when that is dropped; what breaks it shows there.
    tokio::spawn(connection);
    let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let mut request = Request::builder()
        .method(parts.method.clone())
        .uri(path)
        .header(HOST, authority.as_str())
        .header(FORWARDED, "true");
    for name in ASKED {
        if let Some(value) = parts.headers.get(&name) {
            request = request.header(name, value);
        }
    }
    Ok(requests.send_request(request.body(Body::empty())?).await?)
}

/// What comes, up to the last whole line: the end of the owner is an end like any other.
fn whole_lines(body: BodyDataStream) -> impl Stream<Item = Bytes> + Send {
    futures::stream::unfold((body, BytesMut::new()), |(mut body, mut rest)| async {
        loop {
            let piece = body.next().await?.ok()?;
            rest.extend_from_slice(&piece);
            let end = memchr::memrchr(b'\n', &rest).map(|at| at + 1);
            if let Some(end) = end.or_else(|| (rest.len() > LINE).then_some(rest.len())) {
                return Some((rest.split_to(end).freeze(), (body, rest)));
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(pieces: Vec<Result<&'static str, io::Error>>) -> Vec<Bytes> {
        let body = Body::from_stream(futures::stream::iter(pieces));
        whole_lines(body.into_data_stream()).collect().await
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_ends_after_a_whole_line() {
        let broken = || Err(io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!(lines(vec![Ok("a\nb"), Ok("c\nd"), broken()]).await, ["a\n", "bc\n"]);
        assert_eq!(lines(vec![Ok("a"), Ok("\n")]).await, ["a\n"]);
        assert_eq!(lines(vec![broken()]).await, [""; 0]);
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let long: &str = Box::leak("x".repeat(LINE).into());
        assert_eq!(lines(vec![Ok(long), Ok("x"), Ok("y")]).await, [format!("{long}x")]);
    }
}
