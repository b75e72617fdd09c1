//! logd's side of a stream.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Either, Empty};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::body::Frames;
use crate::client::{PATH, WireError};
use crate::frame::{Decoder, from_logd};
use crate::message::{End, FromLogd, FromSender, LogdHello, SenderHello, VERSION};

/// Streams on one connection, at most.
const STREAMS: u32 = 16;
/// Bytes that a sender may have on the way before logd has taken what came.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
const HEAD_CAP: u32 = 16 << 10;
/// A sender that went away without a word is noticed after both.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(4);
/// For a connection's first stream that is let in.
const ADMISSION: Duration = Duration::from_secs(10);
/// For the hello, and for a sender to take its last message.
const PATIENCE: Duration = Duration::from_secs(5);
const QUEUE: usize = 16;

/// A stream that a sender opened, after the hellos.
#[derive(Debug)]
pub struct Stream<I> {
    /// Who it is, as the authenticator said.
    pub identity: I,
    /// What the sender said first.
    pub hello: SenderHello,
    /// From the sender.
    pub receiver: Receiver,
    /// To the sender.
    pub sender: Sender,
}

/// Serves streams on an accepted connection until its end. A stream that is malformed ends alone.
///
/// `authenticate` sees each request's head; what it refuses with a status gets that status.
/// `hello` is what logd says first. `handle` runs for each stream; it is dropped with the connection.
///
/// # Errors
/// Where the connection breaks, or no stream of it is let in for 10 s.
pub async fn serve<S, I, A, H, F>(
    stream: S,
    hello: LogdHello,
    authenticate: A,
    handle: H,
) -> Result<(), WireError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    I: Send + 'static,
    A: Fn(&Parts) -> Result<I, StatusCode> + Send + Sync + 'static,
    H: Fn(Stream<I>) -> F + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let handle = Arc::new(handle);
    let tasks = Arc::new(parking_lot::Mutex::new(tokio::task::JoinSet::new()));
    let admitted = Arc::new(AtomicBool::new(false));
    let admit = admitted.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = match accept(request, &authenticate) {
            Err(status) => {
                let mut answer = Response::new(Either::Right(Empty::new()));
                *answer.status_mut() = status;
                answer
            }
            Ok((identity, body)) => {
                admit.store(true, Relaxed);
                let (frames, answer) = Frames::channel(QUEUE);
                let receiver = Receiver { body, decoder: Decoder::default() };
                let (hello, handle) = (hello.clone(), handle.clone());
                let mut tasks = tasks.lock();
                while tasks.try_join_next().is_some() {}
                tasks.spawn(async move {
                    let sender = Sender { frames };
                    if let Some(stream) = greet(identity, receiver, sender, hello).await {
                        handle(stream).await;
                    }
                });
                Response::new(Either::Left(answer))
            }
        };
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD_CAP)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    match timeout(ADMISSION, connection.as_mut()).await {
        Ok(served) => Ok(served?),
        Err(_) if admitted.load(Relaxed) => Ok(connection.await?),
        Err(_) => Err(WireError::NoStream),
    }
}

fn accept<I>(
    request: Request<Incoming>,
    authenticate: &impl Fn(&Parts) -> Result<I, StatusCode>,
) -> Result<(I, Incoming), StatusCode> {
    let (parts, body) = request.into_parts();
    if parts.uri.path() != PATH {
        return Err(StatusCode::NOT_FOUND);
    }
    if parts.method != Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    Ok((authenticate(&parts)?, body))
}

/// Exchanges hellos; says why where that fails.
async fn greet<I>(
    identity: I,
    mut receiver: Receiver,
    sender: Sender,
    own: LogdHello,
) -> Option<Stream<I>> {
    let reason = match timeout(PATIENCE, receiver.next()).await {
        Ok(Ok(Some(FromSender::Hello(hello)))) if hello.version == VERSION => {
            sender.send(&FromLogd::Hello(own)).await.ok()?;
            return Some(Stream { identity, hello, receiver, sender });
        }
        // It learns from logd's own hello which version that is.
        Ok(Ok(Some(FromSender::Hello(_)))) => {
            sender.send(&FromLogd::Hello(own)).await.ok()?;
            return None;
        }
        Ok(Ok(_)) => WireError::NoHello.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "no hello in time".to_owned(),
    };
    sender.end(reason).await;
    None
}

/// From a sender.
#[derive(Debug)]
pub struct Receiver {
    body: Incoming,
    decoder: Decoder,
}

impl Receiver {
    /// The next message; `None` at the end of what the sender says. Nothing is lost where the future
    /// is dropped before it is done.
    ///
    /// # Errors
    /// Where the connection breaks, or something malformed comes: then tell the sender with
    /// [`Sender::end`].
    pub async fn next(&mut self) -> Result<Option<FromSender>, WireError> {
        loop {
            if let Some(message) = self.decoder.sender()? {
                return Ok(Some(message));
            }
            let Some(frame) = self.body.frame().await else {
                // A sender that died shows as an end as well.
                let whole = self.decoder.is_empty() && self.body.is_end_stream();
                return if whole { Ok(None) } else { Err(WireError::Closed) };
            };
            if let Some(data) = frame?.data_ref() {
                self.decoder.push(data);
            }
        }
    }
}

/// To a sender. Clones send on the same stream, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct Sender {
    frames: mpsc::Sender<Bytes>,
}

impl Sender {
    /// Sends a message; waits while the sender takes no more.
    ///
    /// # Errors
    /// Where the stream has ended.
    pub async fn send(&self, message: &FromLogd) -> Result<(), WireError> {
        self.frames.send(from_logd(message)?).await.map_err(|_| WireError::Closed)
    }

    /// Says why the stream ends, to a sender that still listens.
    pub async fn end(&self, reason: String) {
        let _ = timeout(PATIENCE, self.send(&FromLogd::End(End { reason }))).await;
    }
}
