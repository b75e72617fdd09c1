//! A receiver that does as its script says.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read as _};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The number of its connection, from 0.
    pub(crate) connection: usize,
    /// Method, path and version.
    pub(crate) line: String,
    /// By lower-case names.
    pub(crate) headers: BTreeMap<String, String>,
    /// Without its compression.
    pub(crate) body: Vec<u8>,
}

/// What comes of a request.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A whole answer, and the connection is kept.
    Whole(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Half of the body, then the connection ends.
    Half(Vec<u8>),
    /// A byte now and then.
    Slow(Vec<u8>),
    /// None; the connection ends.
    Nothing,
    /// None at all.
    Silence,
}

impl Reply {
    pub(crate) fn status(status: u16, body: &str) -> Self {
        Self::Whole(status, Vec::new(), body.into())
    }
}

/// What happens before a request is looked at, in order of requests.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The connection is reset in the middle of its body.
    Reset,
}

type Answers = Box<dyn FnMut(&Request) -> Reply + Send>;

struct Script {
    answers: Answers,
    faults: VecDeque<Fault>,
    requests: Vec<Request>,
}

/// A receiver. It ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) port: u16,
    script: Arc<Mutex<Script>>,
}

impl Receiver {
    /// One that answers each request by that.
    pub(crate) async fn new(answers: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        Self::start(answers, None).await
    }

    /// One with TLS.
    pub(crate) async fn secure(
        tls: ServerConfig,
        answers: impl FnMut(&Request) -> Reply + Send + 'static,
    ) -> Self {
        Self::start(answers, Some(Arc::new(tls).into())).await
    }

    async fn start(
        answers: impl FnMut(&Request) -> Reply + Send + 'static,
        tls: Option<TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script =
            Script { answers: Box::new(answers), faults: VecDeque::new(), requests: Vec::new() };
        let receiver = Self { port, script: Arc::new(Mutex::new(script)) };
        let serving = receiver.clone();
        tokio::spawn(async move {
            for connection in 0.. {
                let (tcp, _) = listener.accept().await.unwrap();
                let (serving, tls) = (serving.clone(), tls.clone());
                tokio::spawn(async move {
                    // What fails here the sink under test has seen as well.
                    let _ = match tls {
                        None => serving.plain(tcp, connection).await,
                        Some(tls) => match tls.accept(tcp).await {
                            Ok(stream) => serving.serve(stream, connection).await.map(drop),
                            Err(error) => Err(error),
                        },
                    };
                });
            }
        });
        receiver
    }

    /// What happens before the next requests are looked at.
    pub(crate) fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.script.lock().faults = faults.into_iter().collect();
    }

    /// All that came so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.script.lock().requests.clone()
    }

    async fn plain(&self, tcp: TcpStream, connection: usize) -> io::Result<()> {
        let tcp = self.serve(tcp, connection).await?;
        if let Some(tcp) = tcp {
            socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO))?;
        }
        Ok(())
    }

    /// Serves a connection to its end; gives it back where it is to be reset.
    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut stream: S,
        connection: usize,
    ) -> io::Result<Option<S>> {
        loop {
            let Some((line, headers)) = head(&mut stream).await? else { return Ok(None) };
            let length: usize = headers["content-length"].parse().unwrap();
            let fault = self.script.lock().faults.pop_front();
            if let Some(Fault::Reset) = fault {
                stream.read_exact(&mut vec![0; length / 2]).await?;
                return Ok(Some(stream));
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            if headers.get("content-encoding").is_some_and(|coding| coding == "gzip") {
                let mut plain = Vec::new();
                flate2::read::GzDecoder::new(&*body).read_to_end(&mut plain)?;
                body = plain;
            }
            let request = Request { connection, line, headers, body };
            let reply = {
                let mut script = self.script.lock();
                script.requests.push(request.clone());
                (script.answers)(&request)
            };
            match reply {
                Reply::Whole(status, headers, body) => {
                    let headers: String = headers
                        .iter()
                        .map(|(name, value)| format!("{name}: {value}\r\n"))
                        .collect();
                    let head = format!(
                        "HTTP/1.1 {status} Said\r\n{headers}Content-Length: {}\r\n\r\n",
                        body.len()
                    );
                    stream.write_all(&[head.as_bytes(), &body].concat()).await?;
                }
                Reply::Half(body) => {
                    stream.write_all(&ok(&body)).await?;
                    stream.write_all(&body[..body.len() / 2]).await?;
                    stream.shutdown().await?;
                    return Ok(None);
                }
                Reply::Slow(body) => {
                    stream.write_all(&ok(&body)).await?;
                    for byte in body {
                        stream.write_all(&[byte]).await?;
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
                Reply::Nothing => return Ok(None),
                Reply::Silence => std::future::pending().await,
            }
        }
    }
}

fn ok(body: &[u8]) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into()
}

/// Reads a request's line and headers; none at the end of the connection.
async fn head(
    stream: &mut (impl AsyncRead + Unpin),
) -> io::Result<Option<(String, BTreeMap<String, String>)>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) if head.is_empty() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.trim_end().split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_ascii_lowercase(), value.to_owned())
    };
    Ok(Some((line, lines.map(header).collect())))
}
