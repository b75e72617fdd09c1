//! The connection to one logd: made again whenever it breaks.

use std::io;
use std::path::{Path, PathBuf};

use fairlead_wire::client::{self, Endpoint, WireError};
use fairlead_wire::members::Member;
use fairlead_wire::message::{FromLogd, FromSender, LogdHello};
use http::header::HeaderValue;
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::backoff::Backoff;
use crate::options::{Credentials, Token};

/// Names a logd among those there were in this process.
pub(crate) type LinkId = u32;

/// What a connection tells.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    /// There is a connection. What is sent to `out` is sent on it; what waits there is bounded by
    /// what may be unacknowledged, and what may wait of answers. Dropping it ends the connection.
    Up(LogdHello, mpsc::UnboundedSender<FromSender>),
    /// The connection took so many bytes of answers to fetches.
    Answered(u64),
    /// logd said something.
    Said(FromLogd),
    /// There is none any more.
    Down,
}

/// Why there is no connection.
#[derive(Debug, Error)]
enum LinkError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("the token file {0:?}: {1}")]
    Token(PathBuf, #[source] io::Error),
}

/// Keeps a connection until dropped.
#[derive(Debug)]
pub(crate) struct LinkTask(JoinHandle<()>);

impl Drop for LinkTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Begins to connect. Events go to `events`, with the link's id.
pub(crate) fn start(
    id: LinkId,
    member: Member,
    credentials: Credentials,
    name: String,
    events: mpsc::Sender<(LinkId, LinkEvent)>,
) -> LinkTask {
    LinkTask(tokio::spawn(async move {
        let mut backoff = Backoff::default();
        let mut told = false;
        loop {
            let conversation = async {
                let endpoint = endpoint(&member, &credentials)?;
                converse(id, &endpoint, &name, &events, &mut backoff).await.map_err(Into::into)
            };
            let error: LinkError = match conversation.await {
                Ok(()) => return,
                Err(error) => error,
            };
            // Told once for each time that it goes away, not for each attempt.
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(%error, logd = %member.url, "no connection to logd");
            }
            if events.send((id, LinkEvent::Down)).await.is_err() {
                return;
            }
            if backoff.is_fresh() {
                told = false;
            }
            tokio::time::sleep(backoff.next()).await;
        }
    }))
}

fn endpoint(member: &Member, credentials: &Credentials) -> Result<Endpoint, LinkError> {
    let token = match &credentials.token {
        None => None,
        Some(Token::Header(token)) => Some(token.clone()),
        Some(Token::File(file)) => {
            Some(token(file).map_err(|error| LinkError::Token(file.clone(), error))?)
        }
    };
    let Member { url, server_name, .. } = member.clone();
    Ok(Endpoint { url, server_name, tls: credentials.tls.clone(), token })
}

fn token(file: &Path) -> io::Result<HeaderValue> {
    let token = std::fs::read_to_string(file)?;
    let token = token.trim();
    let value = HeaderValue::try_from(format!("Bearer {token}")).ok();
    let mut value = value.filter(|_| !token.is_empty()).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "it must hold a token on one line")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// One connection. Returns in order where nobody listens any more.
async fn converse(
    id: LinkId,
    endpoint: &Endpoint,
    name: &str,
    events: &mpsc::Sender<(LinkId, LinkEvent)>,
    backoff: &mut Backoff,
) -> Result<(), WireError> {
    let client::Connection { mut sender, mut receiver, hello } =
        client::connect(endpoint, name).await?;
    tracing::info!(logd = %endpoint.url, instance = hello.instance, "connected");
    let (out, mut queue) = mpsc::unbounded_channel();
    if events.send((id, LinkEvent::Up(hello, out))).await.is_err() {
        return Ok(());
    }
    backoff.reset();
    let send = async {
        while let Some(message) = queue.recv().await {
            let answered = answered(&message);
            sender.send(&message).await?;
            if answered > 0 && events.send((id, LinkEvent::Answered(answered))).await.is_err() {
                break;
            }
        }
        Ok(())
    };
    let hear = async {
        loop {
            let said = receiver.next().await?;
            if let FromLogd::End(end) = said {
                return Err(WireError::Ended(end.reason));
            }
            if events.send((id, LinkEvent::Said(said))).await.is_err() {
                return Ok(());
            }
        }
    };
    tokio::select! {
        result = send => result,
        result = hear => result,
    }
}

/// Bytes of answers to fetches.
fn answered(message: &FromSender) -> u64 {
    let FromSender::Batches(batches) = message else { return 0 };
    let answers = batches.batches.iter().filter(|batch| batch.fetch != 0);
    answers.map(|batch| batch.to - batch.from).sum()
}
