//! What senders send, from the wire into the store.

mod stream;

use std::{sync::Arc, time::Duration};

use fairlead_wire::{
    client::WireError,
    message::LogdHello,
    server,
    slots::{Slot, Slots},
};
use http::{StatusCode, request::Parts};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    auth::{Auth, Grant, Role},
    store::Store,
};

/// Connections at a time.
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
        let serve = |stream, slot| {
            let senders = self.clone();
            async move {
                // The sender left, or broke a limit: it comes again.
                if let Err(error) = senders.connection(stream, slot).await {
                    tracing::debug!(%error, "a sender's connection ended");
                }
            }
        };
        Slots::new(CONNECTIONS).serve(listener, "senders'", serve).await;
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        slot: Arc<Slot>,
    ) -> Result<(), WireError> {
        let _ = stream.set_nodelay(true);
        let Some(tls) = &self.tls else { return self.streams(stream, slot, false).await };
        let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.accept(stream)).await else { return Ok(()) };
        // The handshake has verified what it showed.
        let known = stream.get_ref().1.peer_certificates().is_some();
        self.streams(stream, slot, known).await
    }

    /// `known`: its certificate says that it may send.
    async fn streams<S>(
        self: Arc<Self>,
        stream: S,
        slot: Arc<Slot>,
        known: bool,
    ) -> Result<(), WireError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (auth, store) = (self.auth.clone(), self.store.clone());
        let authenticate = move |parts: &Parts| {
            let grant = if known { Grant::ingest() } else { grant(&auth, parts)? };
            // It no longer gives way to those that nobody knows.
            if slot.hold() { Ok(grant) } else { Err(StatusCode::SERVICE_UNAVAILABLE) }
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
