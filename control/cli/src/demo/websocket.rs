//! `/ws`: a WebSocket that sends each message back.

use axum::{
    body::Body,
    extract::Request,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        handshake::server::create_response_with_body,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

/// Longest message taken, in bytes; a longer one ends the connection.
const LONGEST_MESSAGE: usize = 1 << 20;

/// Answers the handshake (RFC 6455 section 4.2) and echoes until the client or `stopped` ends it.
pub(super) async fn upgrade(mut request: Request, stopped: watch::Receiver<()>) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    match create_response_with_body(&request, Body::empty) {
        Ok(response) => {
            tokio::spawn(echo(upgrade, stopped));
            response
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

async fn echo(upgrade: OnUpgrade, stopped: watch::Receiver<()>) {
    let Ok(upgraded) = upgrade.await else { return };
    let config = WebSocketConfig::default().max_message_size(Some(LONGEST_MESSAGE));
    let socket =
        WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    // A client that breaks the protocol or leaves ends its own connection and nothing else.
    let _ = answer(socket, stopped).await;
}

async fn answer(
    mut socket: WebSocketStream<TokioIo<Upgraded>>,
    mut stopped: watch::Receiver<()>,
) -> Result<(), tungstenite::Error> {
    loop {
        tokio::select! {
            message = socket.next() => match message.transpose()? {
                Some(message @ (Message::Text(_) | Message::Binary(_))) => socket.send(message).await?,
                // The library answers pings and the closing handshake itself.
                Some(_) => (),
                None => return Ok(()),
            },
            _ = stopped.changed() => {
                let frame = CloseFrame { code: CloseCode::Away, reason: "stopping".into() };
                return socket.close(Some(frame)).await;
            }
        }
    }
}
