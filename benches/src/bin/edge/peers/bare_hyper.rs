//! The least that a proxy on hyper can be: one thread, connections to the backend kept in a list, no
//! limits, no timeouts, no retries. What a second HTTP engine would have to be measured against.

use std::{
    cell::RefCell,
    io,
    net::SocketAddr,
    path::Path,
    pin::Pin,
    process::Command,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, Uri,
    header::{CONNECTION, HOST},
};
use hyper::{
    body::{Body, Frame, Incoming, SizeHint},
    client::conn::http1::{SendRequest, handshake},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{LocalSet, spawn_local},
};
use tokio_rustls::TlsAcceptor;

use super::{Place, bare_pingora::BareArgs};

/// The name of its role.
pub(crate) const ROLE: &str = "bare-hyper";

/// This program in that role.
pub(super) fn proxy(program: &Path, place: Place<'_>) -> io::Result<Command> {
    Ok(BareArgs::command(program, ROLE, place))
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Connections to the backend that wait for a request.
struct Pool {
    upstream: SocketAddr,
    idle: RefCell<Vec<SendRequest<Incoming>>>,
}

/// The body of an answer; its connection waits for the next request once it has ended.
struct Returning {
    body: Incoming,
    sender: Option<SendRequest<Incoming>>,
    pool: Rc<Pool>,
}

/// Serves until it is killed.
pub(crate) fn serve(args: &BareArgs) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let tls = TlsAcceptor::from(Arc::new(tls(args)?));
    runtime.block_on(LocalSet::new().run_until(async {
        let (http, https) =
            (TcpListener::bind(args.http).await?, TcpListener::bind(args.https).await?);
        let pool = Rc::new(Pool { upstream: args.upstream, idle: RefCell::default() });
        loop {
            let pool = pool.clone();
            tokio::select! {
                plain = http.accept() => {
                    let stream = without_delay(plain?.0)?;
                    spawn_local(http1::Builder::new().serve_connection(
                        TokioIo::new(stream),
                        service_fn(move |request| exchange(pool.clone(), request)),
                    ));
                }
                secure = https.accept() => {
                    let (stream, tls) = (without_delay(secure?.0)?, tls.clone());
                    spawn_local(async move {
                        // Who breaks a connection off is not told.
                        let _ = serve_tls(stream, tls, pool).await;
                    });
                }
            }
        }
    }))
}

fn tls(args: &BareArgs) -> Result<ServerConfig, Error> {
    let chain = CertificateDer::pem_file_iter(&args.chain)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&args.key)?;
    let mut tls = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

fn without_delay(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn serve_tls(stream: TcpStream, tls: TlsAcceptor, pool: Rc<Pool>) -> Result<(), Error> {
    let stream = tls.accept(stream).await?;
    let service = service_fn(move |request| exchange(pool.clone(), request));
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        http2::Builder::new(LocalExecutor).serve_connection(TokioIo::new(stream), service).await?;
    } else {
        http1::Builder::new().serve_connection(TokioIo::new(stream), service).await?;
    }
    Ok(())
}

async fn exchange(
    pool: Rc<Pool>,
    mut request: Request<Incoming>,
) -> Result<Response<Returning>, Error> {
    // HTTP/2 has the host in the target; the backend gets HTTP/1.1.
    if let Some(authority) = request.uri().authority() {
        let host = HeaderValue::from_str(authority.as_str())?;
        request.headers_mut().insert(HOST, host);
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = Uri::try_from(path)?;
        *request.version_mut() = http::Version::HTTP_11;
    }
    request.headers_mut().remove(CONNECTION);
    let mut sender = pool.sender().await?;
    let response = sender.send_request(request).await?;
    let (mut head, body) = response.into_parts();
    head.headers.remove(CONNECTION);
    let sender = Some(sender);
    Ok(Response::from_parts(head, Returning { body, sender, pool }.returned_if_empty()))
}

impl Pool {
    async fn sender(&self) -> Result<SendRequest<Incoming>, Error> {
        loop {
            let idle = self.idle.borrow_mut().pop();
            let Some(mut sender) = idle else { break };
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let stream = without_delay(TcpStream::connect(self.upstream).await?)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        spawn_local(connection);
        Ok(sender)
    }
}

impl Returning {
    fn give_back(&mut self) {
        if let Some(sender) = self.sender.take() {
            self.pool.idle.borrow_mut().push(sender);
        }
    }

    fn returned_if_empty(mut self) -> Self {
        if self.body.is_end_stream() {
            self.give_back();
        }
        self
    }
}

impl Body for Returning {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if self.body.is_end_stream() {
            self.give_back();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Runs what HTTP/2 needs on this thread.
#[derive(Clone)]
struct LocalExecutor;

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor
where
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}
