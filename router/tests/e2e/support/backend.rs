//! Scripted pods: HTTP servers on loopback addresses.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
};

/// A pod. Ends, with all its connections, when dropped.
pub(crate) struct Backend {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Backend {
    /// Answers every request with 200 and `name` as the body.
    pub(crate) async fn named(name: &str) -> Self {
        let name = name.to_owned();
        Self::answering(move |_| Response::new(Full::from(name.clone()))).await
    }

    /// Answers with what `answer` makes of the request's head.
    pub(crate) async fn answering(
        answer: impl Fn(Request<Incoming>) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        let answer = Arc::new(answer);
        let requests = Arc::new(AtomicUsize::new(0));
        let seen = requests.clone();
        Self::accepting(requests, move |stream| {
            let (answer, seen) = (answer.clone(), seen.clone());
            async move {
                let service = service_fn(move |request| {
                    seen.fetch_add(1, Relaxed);
                    let answer = answer(request);
                    async move { Ok::<_, Infallible>(answer) }
                });
                // The router closes connections when it likes.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            }
        })
        .await
    }

    /// Answers with `name` once the whole request has come, for `/slow` after `time`. What came as
    /// bodies is noted in `bodies`.
    pub(crate) async fn noting(name: &str, time: Duration, bodies: Arc<Mutex<Vec<Bytes>>>) -> Self {
        let name = name.to_owned();
        Self::accepting(Arc::default(), move |stream| {
            let (name, bodies) = (name.clone(), bodies.clone());
            async move {
                let service = service_fn(move |request: Request<Incoming>| {
                    let (name, bodies) = (name.clone(), bodies.clone());
                    async move {
                        let slow = request.uri().path() == "/slow";
                        let body = request.into_body().collect().await?.to_bytes();
                        if !body.is_empty() {
                            bodies.lock().push(body);
                        }
                        if slow {
                            tokio::time::sleep(time).await;
                        }
                        Ok::<_, hyper::Error>(Response::new(Full::<Bytes>::from(name)))
                    }
                });
                // The router closes connections when it likes.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            }
        })
        .await
    }

    /// Accepts connections and never answers.
    pub(crate) async fn silent() -> Self {
        Self::accepting(Arc::default(), |stream| async move {
            let _open = stream;
            std::future::pending::<()>().await;
        })
        .await
    }

    /// Reads to the end of what comes and tells how many bytes that were.
    pub(crate) async fn counting() -> Self {
        Self::accepting(Arc::default(), |mut stream| async move {
            let count = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            // The client may be gone.
            let _ = stream.write_all(format!("{} bytes\n", count.unwrap_or(0)).as_bytes()).await;
        })
        .await
    }

    /// Echoes what comes, byte by byte.
    pub(crate) async fn echoing_bytes() -> Self {
        Self::accepting(Arc::default(), |mut stream| async move {
            let (mut read, mut write) = stream.split();
            let _ = tokio::io::copy(&mut read, &mut write).await;
        })
        .await
    }

    /// Echoes the messages of WebSockets.
    pub(crate) async fn echoing() -> Self {
        Self::accepting(Arc::default(), |stream| async move {
            use futures::{SinkExt as _, StreamExt as _};
            let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
            while let Some(Ok(message)) = socket.next().await {
                if message.is_text() && socket.send(message).await.is_err() {
                    return;
                }
            }
        })
        .await
    }

    /// Does not even accept: its queue is full, so that whoever connects waits.
    pub(crate) async fn unreachable() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        // One that does not get through within the time of many is one too many.
        while let Ok(stream) =
            tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
        {
            queued.push(stream.unwrap());
        }
        let task = tokio::spawn(async move {
            let _open = (listener, queued);
            std::future::pending::<()>().await;
        });
        Self { address, requests: Arc::default(), task }
    }

    async fn accepting<F>(
        requests: Arc<AtomicUsize>,
        serve: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                tokio::select! {
                    Ok((stream, _)) = listener.accept() => {
                        connections.spawn(serve(stream));
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Self { address, requests, task }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests have come.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Relaxed)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}
