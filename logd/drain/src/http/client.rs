//! One connection to one receiver.

use std::error::Error as _;
use std::io::{self, Write as _};
use std::pin::pin;
use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, HOST, USER_AGENT},
};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Answer, Request, retry_after, secrets::Secrets};
use crate::{
    Failure, FailureKind, OpenError, Stage,
    dial::Dialer,
    target::{Endpoint, Http, Secret},
    witness::tell,
};

/// Bytes of an answer, at most, where a format does not say otherwise.
const ANSWER_CAP: usize = 64 * 1024;
/// A connection may take so long to end.
const CLOSE: Duration = Duration::from_secs(5);
/// A connection is not kept that is not ready for the next request so long after an answer.
const READY: Duration = Duration::from_secs(1);
/// A connection that nothing was sent over for so long is not used again: receivers and what stands
/// before them close such ones, often after a minute.
const IDLE: Duration = Duration::from_secs(50);

/// What is the same for all requests of a drain.
pub(crate) struct Settings {
    /// The receiver as requests name it.
    pub(crate) host: HeaderValue,
    /// Path and query.
    pub(crate) path: http::uri::PathAndQuery,
    /// Whose request it is and what is in it.
    pub(crate) headers: HeaderMap,
    /// Bodies are compressed.
    pub(crate) gzip: bool,
    /// Bytes of an answer, at most.
    pub(crate) answer_cap: usize,
    /// What no answer is to repeat.
    secrets: Secrets,
}

/// Posts requests, one at a time.
pub(crate) struct Client {
    dialer: Dialer,
    settings: Settings,
    connection: Option<Connection>,
    /// The last request was sent twice.
    repeated: bool,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// Ends the connection where nothing is under way; without this word it breaks.
    end: oneshot::Sender<()>,
    made: Instant,
    used: Instant,
    /// Nothing was sent over it so far.
    new: bool,
}

/// Why there is no answer.
enum Unanswered {
    /// Nothing of the request has left.
    Unsent(Failure),
    /// The receiver may have it.
    Unknown(Failure),
}

impl Client {
    pub(crate) fn new(dialer: Dialer, settings: Settings) -> Self {
        Self { dialer, settings, connection: None, repeated: false }
    }

    /// Connects where there is no connection that can be used.
    ///
    /// # Errors
    /// Where there is none then.
    pub(crate) async fn connect(&mut self) -> Result<(), Failure> {
        self.connection = match self.kept() {
            Some(kept) => Some(kept),
            None => Some(self.connected().await?),
        };
        Ok(())
    }

    /// Posts a request and gives its answer, whatever its status is. A kept connection may have been
    /// closed by the receiver: what was not sent then goes over a new one, and so does what may have
    /// been sent if it is `repeatable`.
    ///
    /// # Errors
    /// Where there is no answer; the connection is closed.
    pub(crate) async fn post(
        &mut self,
        request: Request,
        repeatable: bool,
    ) -> Result<Answer, Failure> {
        let request = self.settings.request(request).await?;
        let mut sent = false;
        self.repeated = false;
        let (new, kept) = match self.kept() {
            Some(new) if new.new => (Some(new), None),
            kept => (None, kept),
        };
        if let Some(kept) = kept {
            match self.exchange(kept, request.clone()).await {
                Ok(answer) => return Ok(answer),
                Err(Unanswered::Unsent(_)) => {}
                Err(Unanswered::Unknown(failure))
                    if repeatable && failure.kind == FailureKind::Connect =>
                {
                    sent = true;
                }
                Err(Unanswered::Unknown(failure)) => return Err(failure),
            }
        }
        let new = match new {
            Some(new) => Ok(new),
            None => self.connected().await,
        };
        let new = new.map_err(|failure| if sent { failure.at(Stage::Sent) } else { failure })?;
        let answer = self.exchange(new, request).await;
        self.repeated = sent && !matches!(answer, Err(Unanswered::Unsent(_)));
        answer.map_err(|unanswered| match unanswered {
            Unanswered::Unsent(failure) if !sent => failure.at(Stage::Reached),
            Unanswered::Unsent(failure) | Unanswered::Unknown(failure) => failure,
        })
    }

    /// Whether the last request may have arrived twice.
    pub(crate) fn repeated(&self) -> bool {
        self.repeated
    }

    /// The failure without the drain's secrets.
    pub(crate) fn discreet(&self, failure: Failure) -> Failure {
        let Self { settings: Settings { secrets, .. }, .. } = self;
        let message = secrets.hide(failure.message);
        let answer = failure.answer.map(|answer| secrets.hide(answer));
        Failure { message, answer, ..failure }
    }

    /// What the receiver said, without the drain's secrets.
    pub(crate) fn said(&self, text: String) -> String {
        self.settings.secrets.hide(text)
    }

    /// Closes the connection.
    pub(crate) fn close(&mut self) {
        if let Some(Connection { sender, end, .. }) = self.connection.take() {
            drop(sender);
            // Where it has ended already nobody hears it.
            let _ = end.send(());
        }
    }

    fn kept(&mut self) -> Option<Connection> {
        let kept = self.connection.as_ref()?;
        let young = kept.new || kept.made.elapsed() < self.dialer.timeouts().age;
        if !young || kept.used.elapsed() >= IDLE || !kept.new && !kept.sender.is_ready() {
            self.close();
        }
        self.connection.take()
    }

    async fn connected(&self) -> Result<Connection, Failure> {
        let stream = self.dialer.stream().await?;
        let handshake = handshake(TokioIo::new(stream)).await;
        let (sender, connection) =
            handshake.map_err(|error| self.failure(&error).at(Stage::Reached))?;
        let (end, ended) = oneshot::channel();
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            tokio::select! {
                _ = &mut connection => {}
                said = ended => if said.is_ok() {
                    let _ = timeout(CLOSE, connection).await;
                },
            }
        });
        let made = Instant::now();
        Ok(Connection { sender, end, made, used: made, new: true })
    }

    /// Posts over a connection, and keeps it if it can be used again.
    async fn exchange(
        &mut self,
        mut connection: Connection,
        request: http::Request<Full<Bytes>>,
    ) -> Result<Answer, Unanswered> {
        let limit = self.dialer.timeouts().stall;
        let end = Instant::now() + limit;
        let late = |_| {
            let text = format!("no whole answer after {limit:?}");
            Failure::new(FailureKind::Timeout, text)
        };
        let answer = timeout_at(end, connection.sender.try_send_request(request)).await;
        let answer = answer.map_err(|e| Unanswered::Unknown(late(e)))?.map_err(|mut error| {
            let unsent = error.take_message().is_some();
            let failure = self.failure(error.error());
            if unsent { Unanswered::Unsent(failure) } else { Unanswered::Unknown(failure) }
        })?;
        let (head, body) = answer.into_parts();
        tell(|| format!("the answer is {}", head.status));
        let body = timeout_at(end, self.body(body)).await.map_err(late).flatten();
        // Who does not take a request may not have read it to its end, and never do so.
        let whole = body.is_ok() && head.status.is_success();
        if whole && matches!(timeout(READY, connection.sender.ready()).await, Ok(Ok(()))) {
            (connection.used, connection.new) = (Instant::now(), false);
            self.connection = Some(connection);
        }
        let retry_after = retry_after::of(&head.headers, SystemTime::now());
        Ok(Answer { status: head.status, body, retry_after })
    }

    /// Reads a body to its end.
    async fn body(&self, mut body: Incoming) -> Result<Vec<u8>, Failure> {
        let cap = self.settings.answer_cap;
        let mut whole = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| self.failure(&error))?;
            let Ok(data) = frame.into_data() else { continue };
            if whole.len() + data.len() > cap {
                let text = format!("an answer of more than {cap} bytes");
                return Err(Failure::new(FailureKind::Protocol, text));
            }
            whole.extend_from_slice(&data);
        }
        Ok(whole)
    }

    fn failure(&self, error: &hyper::Error) -> Failure {
        let cause = error.source();
        if let Some(error) = cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
            return self.dialer.failure(error);
        }
        let kind = if error.is_parse() { FailureKind::Protocol } else { FailureKind::Connect };
        let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
        Failure::new(kind, format!("{error}{cause}"))
    }
}

impl Settings {
    /// For a receiver; `behind` is what stands behind the URL's path.
    pub(crate) fn new(target: &Http, behind: &str) -> Result<Self, OpenError> {
        let Http { endpoint: Endpoint { host, port }, tls, path, user } = target;
        let usual = if *tls { 443 } else { 80 };
        let host = if *port == usual { host.to_string() } else { format!("{host}:{port}") };
        let path = match behind {
            "" => path.expose().to_owned(),
            behind => format!("{}{behind}", path.expose().trim_end_matches('/')),
        };
        let mut settings = Self {
            host: host.parse().map_err(|_| OpenError::Path)?,
            path: path.parse().map_err(|_| OpenError::Path)?,
            headers: HeaderMap::new(),
            gzip: false,
            answer_cap: ANSWER_CAP,
            secrets: Secrets::of(target),
        };
        if let Some(user) = user {
            let pair = format!("{}:{}", user.name.expose(), user.password.expose());
            settings.header(AUTHORIZATION, &format!("Basic {}", STANDARD.encode(pair)));
        }
        Ok(settings)
    }

    /// Sends a token as one who is known by it: `Authorization: SCHEME TOKEN`.
    pub(crate) fn token(&mut self, scheme: &str, token: Option<&Secret>) -> Result<(), OpenError> {
        let Some(token) = token else { return Ok(()) };
        if self.headers.contains_key(AUTHORIZATION) {
            return Err(OpenError::UserAndToken);
        }
        self.secrets.add(token.expose());
        self.header(AUTHORIZATION, &format!("{scheme} {}", token.expose()));
        Ok(())
    }

    /// Sends a header with all requests; its value is known to be visible ASCII.
    pub(crate) fn header(&mut self, name: HeaderName, value: &str) {
        self.secrets.add(value);
        let mut value = HeaderValue::from_str(value).expect("visible ASCII");
        // Nobody formats requests; who ever does is not to show tokens.
        value.set_sensitive(true);
        self.headers.insert(name, value);
    }

    async fn request(
        &self,
        Request { headers, body }: Request,
    ) -> Result<http::Request<Full<Bytes>>, Failure> {
        let body = match self.gzip {
            // It takes milliseconds, in which others are to go on.
            true => spawn_blocking(move || gzip(&body)).await.map_err(io::Error::other).flatten(),
            false => Ok(body),
        };
        let body = body.map_err(|error| {
            Failure::new(FailureKind::Protocol, format!("gzip: {error}")).at(Stage::Own)
        })?;
        let mut request = http::Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone().into();
        let all = request.headers_mut();
        all.insert(HOST, self.host.clone());
        let agent = concat!("fairlead/", env!("CARGO_PKG_VERSION"));
        all.insert(USER_AGENT, HeaderValue::from_static(agent));
        all.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if self.gzip {
            all.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        all.extend(self.headers.clone());
        all.extend(headers);
        Ok(request)
    }
}

fn gzip(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut gzip = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    gzip.write_all(body)?;
    gzip.finish()
}
