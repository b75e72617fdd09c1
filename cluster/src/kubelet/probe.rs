//! One attempt of a probe: HTTP GET, TCP connect, or a command.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::paths::Mounts;
use super::process::Program;
use super::supervision::Supervision;
use crate::controllers::object::Fields;
use crate::port_map::PortMap;

/// How much of a failed command's output is shown.
const OUTPUT: usize = 1024;

/// A probe of a container's spec.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    check: Check,
    /// Before the first attempt.
    pub(super) initial_delay: Duration,
    /// Between attempts.
    pub(super) period: Duration,
    /// An attempt that takes longer has failed.
    timeout: Duration,
    /// Attempts in a row that must succeed before the probe does.
    pub(super) successes: u32,
    /// Attempts in a row that must fail before the probe does.
    pub(super) failures: u32,
    /// Instead of the pod's own, when the container is ended because of this probe.
    pub(super) grace: Option<i64>,
}

#[derive(Debug, Clone)]
enum Check {
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
    /// Always fails, saying why.
    Invalid {
        why: String,
    },
}

/// Where and as what a container runs, as far as its probes need it.
pub(super) struct Target<'a> {
    pub(super) address: Ipv4Addr,
    pub(super) ports: &'a PortMap,
    pub(super) container: &'a Value,
    pub(super) program: &'a Program,
    pub(super) mounts: &'a Mounts,
}

impl Probe {
    /// Reads `livenessProbe`, `readinessProbe` or `startupProbe`; `None` where there is none.
    pub(super) fn of(target: &Target<'_>, field: &str) -> Option<Self> {
        let spec = target.container.get(field).filter(|spec| spec.is_object())?;
        let number = |name: &str, default: u64| {
            spec[name].as_u64().filter(|number| *number > 0).unwrap_or(default)
        };
        let count = |name, default| u32::try_from(number(name, default)).unwrap_or(u32::MAX);
        Some(Self {
            check: check(target, spec),
            initial_delay: Duration::from_secs(number("initialDelaySeconds", 0)),
            period: Duration::from_secs(number("periodSeconds", 10)),
            timeout: Duration::from_secs(number("timeoutSeconds", 1)),
            successes: count("successThreshold", 1),
            failures: count("failureThreshold", 3),
            grace: spec.int("/terminationGracePeriodSeconds"),
        })
    }

    /// Makes one attempt.
    ///
    /// # Errors
    /// Why it failed.
    pub(super) async fn attempt(&self, supervision: &Supervision) -> Result<(), String> {
        let attempt = async {
            match &self.check {
                Check::Http { address, request } => http(*address, request).await,
                Check::Tcp { address } => connect(*address).await.map(drop),
                Check::Exec { program } => exec(program, supervision).await,
                Check::Invalid { why } => Err(why.clone()),
            }
        };
        let late = || Err(format!("no answer within {} s", self.timeout.as_secs()));
        timeout(self.timeout, attempt).await.unwrap_or_else(|_| late())
    }
}

fn check(target: &Target<'_>, spec: &Value) -> Check {
    let invalid = |why: &str| Check::Invalid { why: why.to_owned() };
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
            |error| Check::Invalid { why: error.to_string() },
            |request| Check::Http { address, request },
        )
    } else if let Some(action) = spec.get("tcpSocket").filter(|action| action.is_object()) {
        address(action).map_or_else(|| invalid(no_port), |address| Check::Tcp { address })
    } else if spec["exec"].is_object() {
        let argv = spec.list("/exec/command").iter();
        let real = |argument: &Value| target.mounts.replace(argument.as_str().unwrap_or_default());
        let argv = argv.map(real).collect();
        Check::Exec { program: Program { argv, ..target.program.clone() } }
    } else {
        invalid("of httpGet, tcpSocket and exec one is needed")
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
