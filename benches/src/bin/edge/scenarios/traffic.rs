//! What requests cost: peers in turn, round after round, so that what else the machine does hits all
//! alike.

use std::time::Duration;

use fairlead_benches::{Column, Process, Row, Scenario, process::own_cpu, stats::quantile};

use crate::{
    BenchError,
    backend::{LARGE, LARGE_PATH, SMALL, SMALL_PATH},
    certificate,
    load::{
        self, Client, LoadError, Target,
        http1::{Connecting, Connection},
        http2,
    },
    stage::{HOST, Stage},
};

/// One kind of traffic.
pub(crate) struct Traffic {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) protocol: Protocol,
    /// The large body, not the small one.
    pub(crate) large: bool,
    /// Requests per second, below what the slowest peer can do.
    pub(crate) rate: u32,
}

/// How the clients speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.1 in the clear on so many connections.
    Http1 { connections: usize },
    /// HTTP/1.1 over TLS on so many connections.
    Http1Tls { connections: usize },
    /// HTTP/2 over TLS on so many connections, each with so many requests at a time.
    Http2Tls { connections: usize, streams: usize },
    /// HTTP/1.1 on a new TLS connection for each request, at most so many at a time.
    NewTls { connections: usize },
}

impl Traffic {
    pub(crate) async fn run(&self, stage: &Stage) -> Result<Scenario, BenchError> {
        let extent = stage.extent;
        let mut running = Vec::new();
        for peer in &stage.peers.found {
            running.push(stage.start(peer).await?);
        }
        let mut runs = vec![Measured {
            process: &stage.backend.process,
            row: Row::beside("no proxy, in the clear (the backend's CPU)"),
            target: Target { tls: None, ..self.target(stage, stage.backend.address)? },
            protocol: Protocol::Http1 { connections: self.protocol.requests_at_a_time() },
        }];
        for peer in &running {
            let address = if self.protocol.is_tls() { peer.https } else { peer.http };
            runs.push(Measured {
                process: &peer.process,
                row: Row::new(peer.process.name),
                target: self.target(stage, address)?,
                protocol: self.protocol,
            });
        }
        for round in 0..extent.rounds {
            // Each round begins with another peer, so that none is always the first after a pause.
            for turn in 0..runs.len() {
                let number = (round + turn) % runs.len();
                let run = &mut runs[number];
                let sample = self.measure(run, stage).await?;
                eprintln!(
                    "{}, round {} of {}: {} {:.1} µs",
                    self.name,
                    round + 1,
                    extent.rounds,
                    run.row.name,
                    sample[0]
                );
                run.row.samples.push(sample);
            }
        }
        Ok(Scenario {
            name: self.name,
            title: self.title.to_owned(),
            setting: self.setting(stage),
            columns: vec![
                Column::compared("CPU µs per request", 1),
                Column::beside("of it user", 1),
                Column::weighed("p50 µs", 0),
                Column::weighed("p99 µs", 0),
                Column::weighed("p99.9 µs", 0),
                Column::beside("load's core, %", 0),
            ],
            rows: runs.into_iter().map(|run| run.row).collect(),
        })
    }

    fn target(&self, stage: &Stage, address: std::net::SocketAddr) -> Result<Target, BenchError> {
        let protocol: &[u8] =
            if matches!(self.protocol, Protocol::Http2Tls { .. }) { b"h2" } else { b"http/1.1" };
        let tls = || certificate::client([&stage.certificate], &[protocol]);
        let tls = self.protocol.is_tls().then(tls).transpose()?;
        let (path, body) = if self.large { (LARGE_PATH, LARGE) } else { (SMALL_PATH, SMALL.len()) };
        Ok(Target { address, host: HOST.to_owned(), path, body, tls })
    }

    async fn measure(&self, run: &Measured<'_>, stage: &Stage) -> Result<Vec<f64>, BenchError> {
        let peer = run.process.name;
        let failed = |source| BenchError::Load { peer, source };
        let n = run.protocol.requests_at_a_time();
        match run.protocol {
            Protocol::Http1 { .. } | Protocol::Http1Tls { .. } => {
                let clients = load::all(n, |_| Connection::open(&run.target)).await;
                self.apply(clients.map_err(failed)?, run, stage).await
            }
            Protocol::Http2Tls { connections, streams } => {
                let clients = load::all(connections, |_| http2::open(&run.target, streams)).await;
                let clients = clients.map_err(failed)?.into_iter().flatten().collect();
                self.apply(clients, run, stage).await
            }
            Protocol::NewTls { .. } => {
                let clients = (0..n).map(|_| Connecting(run.target.clone())).collect();
                self.apply(clients, run, stage).await
            }
        }
    }

    /// A value for each column.
    async fn apply<C: Client>(
        &self,
        mut clients: Vec<C>,
        run: &Measured<'_>,
        stage: &Stage,
    ) -> Result<Vec<f64>, BenchError> {
        let process = run.process;
        let failed = |source: LoadError| BenchError::Load { peer: process.name, source };
        let [warm_up, length] =
            [stage.extent.warm_up, stage.extent.seconds].map(Duration::from_secs_f64);
        load::run(&mut clients, self.rate, warm_up).await.map_err(failed)?;
        let (before, own_before) = (process.cpu()?, own_cpu()?);
        let latencies = load::run(&mut clients, self.rate, length).await.map_err(failed)?;
        let (cpu, own) = (process.cpu()? - before, own_cpu()? - own_before);
        let per_request = |time: Duration| time.as_secs_f64() * 1e6 / latencies.len() as f64;
        Ok(vec![
            per_request(cpu.total),
            per_request(cpu.user()),
            quantile(&latencies, 0.5),
            quantile(&latencies, 0.99),
            quantile(&latencies, 0.999),
            own.total.as_secs_f64() / length.as_secs_f64() * 100.0,
        ])
    }

    fn setting(&self, stage: &Stage) -> String {
        let (rate, extent) = (self.rate, stage.extent);
        let size = if self.large { "16 KiB" } else { "80 bytes" };
        let how = match self.protocol {
            Protocol::Http1 { connections } => {
                format!("HTTP/1.1 over {connections} keep-alive connections")
            }
            Protocol::Http1Tls { connections } => {
                format!("HTTP/1.1 over {connections} keep-alive TLS 1.3 connections")
            }
            Protocol::Http2Tls { connections, streams } => {
                format!(
                    "HTTP/2 over {connections} TLS 1.3 connections, up to {streams} requests at a time on each, HTTP/1.1 to the backend"
                )
            }
            Protocol::NewTls { connections } => {
                format!(
                    "a new TLS 1.3 connection for each request (full handshake, X25519), at most {connections} at a time"
                )
            }
        };
        format!(
            "{how}; answers of {size}; {rate} requests/s, open loop; {} rounds of {} s each, in turn; 0 errors.",
            extent.rounds, extent.seconds
        )
    }
}

/// One of those measured.
struct Measured<'a> {
    process: &'a Process,
    row: Row,
    target: Target,
    protocol: Protocol,
}

impl Protocol {
    fn is_tls(self) -> bool {
        !matches!(self, Self::Http1 { .. })
    }

    fn requests_at_a_time(self) -> usize {
        match self {
            Self::Http1 { connections }
            | Self::Http1Tls { connections }
            | Self::NewTls { connections } => connections,
            Self::Http2Tls { connections, streams } => connections * streams,
        }
    }
}
