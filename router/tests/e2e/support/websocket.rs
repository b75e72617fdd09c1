//! The client's end of a WebSocket.

use std::net::SocketAddr;

use futures::{SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use super::within;

pub(crate) struct WebSocket(WebSocketStream<TcpStream>);

impl WebSocket {
    pub(crate) async fn open(address: SocketAddr, host: &str) -> Self {
        let opening = async {
            let stream = TcpStream::connect(address).await.unwrap();
            client_async(format!("ws://{host}/socket"), stream).await.unwrap()
        };
        let (socket, response) = within("a WebSocket", opening).await;
        assert_eq!(response.status(), 101);
        Self(socket)
    }

    /// Sends `text` and gives back what came.
    pub(crate) async fn echo(&mut self, text: &str) -> Result<String, String> {
        within("an echo", async {
            self.0.send(Message::text(text)).await.map_err(|error| error.to_string())?;
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => Ok(text.to_string()),
                other => Err(format!("{other:?}")),
            }
        })
        .await
    }

    /// Waits until the connection is gone.
    pub(crate) async fn closed(&mut self) {
        within("the WebSocket is closed", async {
            while let Some(Ok(message)) = self.0.next().await {
                if message.is_close() {
                    return;
                }
            }
        })
        .await;
    }
}
