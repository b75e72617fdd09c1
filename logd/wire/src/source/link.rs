//! The stream to one logd, connected again whenever it breaks.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Uri};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::client::{self, Connection, Endpoint, WireError};
use crate::members::Member;
use crate::message::{FromLogd, FromSender};

/// Between attempts to connect: doubled from the shortest to the longest.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// What a sender shows to logd, and whom it trusts.
#[derive(Clone, Default)]
pub struct Credentials {
    /// A file with the bearer token, read for each connection so that it may be replaced.
    pub token: Option<PathBuf>,
    /// For `https`.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("token", &self.token).finish_non_exhaustive()
    }
}

impl Credentials {
    /// For this logd.
    ///
    /// # Errors
    /// Where the token cannot be read.
    pub async fn endpoint(&self, member: &Member) -> io::Result<Endpoint> {
        let token = match &self.token {
            Some(file) => Some(authorization(file).await?),
            None => None,
        };
        let Member { url, server_name, .. } = member.clone();
        Ok(Endpoint { url, server_name, tls: self.tls.clone(), token })
    }
}

async fn authorization(file: &Path) -> io::Result<HeaderValue> {
    let token = tokio::fs::read_to_string(file).await?;
    let value = HeaderValue::try_from(format!("Bearer {}", token.trim()));
    let mut value = value.ok().filter(|_| !token.trim().is_empty()).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "it must hold a token on one line")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// What happens on a link.
#[derive(Debug)]
pub(super) enum Event {
    /// A stream is open; what it is given is sent.
    Up(mpsc::UnboundedSender<FromSender>),
    /// logd says something.
    Said(FromLogd),
    /// The stream is over.
    Down,
}

/// Ends when dropped.
#[derive(Debug)]
pub(super) struct Link(JoinHandle<()>);

impl Drop for Link {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub(super) fn start(
    member: Member,
    credentials: Credentials,
    name: String,
    events: mpsc::Sender<(Uri, Event)>,
) -> Link {
    Link(tokio::spawn(async move {
        let (mut wait, url) = (SHORTEST, &member.url);
        loop {
            let problem = match attempt(&member, &credentials, &name).await {
                Ok(connection) => {
                    wait = SHORTEST;
                    exchange(url, connection, &events).await
                }
                Err(problem) => problem,
            };
            tracing::warn!(logd = %url, %problem, "there is no stream to logd");
            if events.is_closed() {
                return;
            }
            // Spread out, so that not all senders come back at once.
            tokio::time::sleep(wait.mul_f64(fastrand::f64() / 2.0 + 0.5)).await;
            wait = (wait * 2).min(LONGEST);
        }
    }))
}

async fn attempt(
    member: &Member,
    credentials: &Credentials,
    name: &str,
) -> Result<Connection, String> {
    let endpoint = credentials.endpoint(member).await;
    let endpoint = endpoint.map_err(|error| format!("token {:?}: {error}", credentials.token))?;
    client::connect(&endpoint, name).await.map_err(|error| error.to_string())
}

/// Until the stream is over. Returns why.
async fn exchange(
    url: &Uri,
    connection: Connection,
    events: &mpsc::Sender<(Uri, Event)>,
) -> String {
    let Connection { mut sender, mut receiver, .. } = connection;
    // What waits in it is bounded by what the source keeps.
    let (out, mut messages) = mpsc::unbounded_channel();
    let _ = events.send((url.clone(), Event::Up(out))).await;
    let send = async {
        while let Some(message) = messages.recv().await {
            if let Err(error) = sender.send(&message).await {
                return error;
            }
        }
        WireError::Closed
    };
    let receive = async {
        loop {
            match receiver.next().await {
                Ok(FromLogd::End(end)) => return WireError::Ended(end.reason),
                Ok(message) => {
                    let _ = events.send((url.clone(), Event::Said(message))).await;
                }
                Err(error) => return error,
            }
        }
    };
    let error = tokio::select! {
        error = send => error,
        error = receive => error,
    };
    let _ = events.send((url.clone(), Event::Down)).await;
    error.to_string()
}
