//! What a probe or a hook does: HTTP GET, TCP connect, a command, or nothing for a while.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::paths::Mounts;
use super::process::Program;
use super::seconds;
use super::supervision::Supervision;
use crate::controllers::object::Fields;
use crate::port_map::PortMap;

/// How much of a failed command's output is shown.
const OUTPUT: usize = 1024;

/// Something to do to a container.
#[derive(Debug, Clone)]
pub(super) enum Handler {
    Http {
        address: SocketAddr,
        request: Request<()>,
    },
    Tcp {
        address: SocketAddr,
    },
    Exec {
        program: Program,
    },
    Sleep {
        time: Duration,
    },
    /// Always fails, saying why.
    Invalid {
        why: String,
    },
}

/// Where and as what a container runs, as far as its handlers need it.
pub(super) struct Target<'a> {
    pub(super) address: Ipv4Addr,
    pub(super) ports: &'a PortMap,
    pub(super) container: &'a Value,
    pub(super) program: &'a Program,
    pub(super) mounts: &'a Mounts,
}

impl Handler {
    /// Does it.
    ///
    /// # Errors
    /// Why it failed.
    pub(super) async fn run(&self, supervision: &Supervision) -> Result<(), String> {
        match self {
            Self::Http { address, request } => http(*address, request).await,
            Self::Tcp { address } => connect(*address).await.map(drop),
            Self::Exec { program } => exec(program, supervision).await,
            Self::Sleep { time } => {
                sleep(*time).await;
                Ok(())
            }
            Self::Invalid { why } => Err(why.clone()),
        }
    }

    /// Reads a probe or a hook.
    pub(super) fn of(target: &Target<'_>, spec: &Value) -> Self {
        let invalid = |why: &str| Self::Invalid { why: why.to_owned() };
        let address = |action: &Value| {
            // A host of its own would let a pod make this machine call others.
            let port = port(target, &action["port"])?;
            Some(SocketAddr::from((target.address, port)))
        };
        let no_port = "port is neither a number nor the name of a port of the container";
        if let Some(action) = spec.get("httpGet").filter(|action| action.is_object()) {
            if action["scheme"] == "HTTPS" {
                return invalid("probes over HTTPS are not supported here");
            }
            let Some(address) = address(action) else { return invalid(no_port) };
            request(action, address).map_or_else(
                |error| Self::Invalid { why: error.to_string() },
                |request| Self::Http { address, request },
            )
        } else if let Some(action) = spec.get("tcpSocket").filter(|action| action.is_object()) {
            address(action).map_or_else(|| invalid(no_port), |address| Self::Tcp { address })
        } else if spec["exec"].is_object() {
            let argv = spec.list("/exec/command").iter();
            let real =
                |argument: &Value| target.mounts.replace(argument.as_str().unwrap_or_default());
            let argv = argv.map(real).collect();
            Self::Exec { program: Program { argv, ..target.program.clone() } }
        } else if let Some(time) = spec.int("/sleep/seconds") {
            Self::Sleep { time: seconds(time) }
        } else {
            invalid("of httpGet, tcpSocket and exec one is needed")
        }
    }
}

fn port(target: &Target<'_>, port: &Value) -> Option<u16> {
    let declared = match port {
        Value::String(name) => {
            let mut ports = target.container.list("/ports").iter();
            let named = ports.find(|port| port["name"] == *name);
            named.map_or_else(|| name.parse().ok(), |port| port.int("/containerPort"))?
        }
        other => other.as_i64()?,
    };
    Some(target.ports.actual(u16::try_from(declared).ok()?))
}

fn request(action: &Value, address: SocketAddr) -> Result<Request<()>, http::Error> {
    let path = match action.text("/path") {
        "" => "/".to_owned(),
        path if path.starts_with('/') => path.to_owned(),
        path => format!("/{path}"),
    };
    let mut request = Request::get(path);
    let mut host = address.to_string();
    for header in action.list("/httpHeaders") {
        let (name, value) = (header.text("/name"), header.text("/value"));
        if name.eq_ignore_ascii_case("host") {
            value.clone_into(&mut host);
        } else {
            request = request.header(name, value);
        }
    }
    request
        .header("host", host)
        .header("user-agent", "kube-probe/1.36")
        .header("accept", "*/*")
        .header("connection", "close")
        .body(())
}

async fn connect(address: SocketAddr) -> Result<TcpStream, String> {
    TcpStream::connect(address).await.map_err(|error| format!("dial tcp {address}: {error}"))
}

async fn http(address: SocketAddr, request: &Request<()>) -> Result<(), String> {
    let failed = |error: hyper::Error| format!("GET http://{address}{}: {error}", request.uri());
    let stream = TokioIo::new(connect(address).await?);
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(stream).await.map_err(failed)?;
    // Ends when the exchange has, or is dropped.
    tokio::spawn(connection);
    let exchange = sender.send_request(request.clone().map(|()| Empty::<Bytes>::new()));
    let response = exchange.await.map_err(failed)?;
    let status = response.status();
    if (200..400).contains(&status.as_u16()) {
        Ok(())
    } else {
        Err(format!("HTTP probe failed with statuscode: {}", status.as_u16()))
    }
}

async fn exec(program: &Program, supervision: &Supervision) -> Result<(), String> {
    let mut process = program.start(supervision).await.map_err(|error| error.to_string())?;
    let Some((stdout, stderr)) = process.output() else { return Ok(()) };
    let mut shown = Vec::new();
    let read = async {
        // What is over the limit is not read on: the end of the attempt ends the command.
        let both = stdout.chain(stderr);
        both.take(OUTPUT as u64).read_to_end(&mut shown).await
    };
    let (_, code) = tokio::join!(read, process.wait());
    match code {
        0 => Ok(()),
        code => {
            let shown = String::from_utf8_lossy(&shown);
            Err(format!("command exited with status {code}: {}", shown.trim_end()))
        }
    }
}
