//! What senders send, from the wire into the store.

mod stream;

use std::{sync::Arc, time::Duration};

use fairlead_wire::{client::WireError, message::LogdHello, server};
use http::{StatusCode, request::Parts};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    auth::{Auth, Grant, Role},
    store::Store,
};

/// Connections at a time; further ones wait to be accepted.
const CONNECTIONS: usize = 4_096;
/// Limit for a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// What connections of senders are served with.
pub(crate) struct Senders {
    pub(crate) hello: LogdHello,
    pub(crate) auth: Arc<Auth>,
    pub(crate) store: Store,
    pub(crate) tls: Option<TlsAcceptor>,
}

impl Senders {
    /// Serves senders for ever.
    pub(crate) async fn serve(self: Arc<Self>, listener: TcpListener) {
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(permit) = permits.clone().acquire_owned().await else { return };
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept on the senders' address");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let senders = self.clone();
            tokio::spawn(async move {
                // The sender left, or broke a limit: it comes again.
                if let Err(error) = senders.connection(stream).await {
                    tracing::debug!(%error, "a sender's connection ended");
                }
                drop(permit);
            });
        }
    }

    async fn connection(self: Arc<Self>, stream: TcpStream) -> Result<(), WireError> {
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return self.streams(stream, false).await };
        let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.accept(stream)).await else { return Ok(()) };
        // The handshake has verified what it showed.
        let known = stream.get_ref().1.peer_certificates().is_some();
        self.streams(stream, known).await
    }

    /// `known`: its certificate says that it may send.
    async fn streams<S>(self: Arc<Self>, stream: S, known: bool) -> Result<(), WireError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (auth, store) = (self.auth.clone(), self.store.clone());
        let authenticate = move |parts: &Parts| {
            if known { Ok(Grant::ingest()) } else { grant(&auth, parts) }
        };
        let handle = move |stream| stream::take(store.clone(), stream);
        server::serve(stream, self.hello.clone(), authenticate, handle).await
    }
}

/// What the bearer of a token may send.
fn grant(auth: &Auth, parts: &Parts) -> Result<Grant, StatusCode> {
    let grant = auth.grant(&parts.headers).ok_or(StatusCode::UNAUTHORIZED)?;
    if grant.is_for(Role::Ingest) { Ok(grant) } else { Err(StatusCode::FORBIDDEN) }
}
