//! The run: peers in turn, round after round, so that what else the machine does hits all alike.

use std::{net::SocketAddr, time::Duration};

use fairlead_test_support::find_peer;
use serde::Serialize;
use tokio::time;

use crate::{
    BenchError, Options, backend,
    load::{Pool, Run},
    machine,
    peers::{self, HOST, Peer},
    process::{Process, ProcessError},
};

/// Not counted, before each measurement: connections are opened and caches warm.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long a peer may take to give its first right answer.
const READY: Duration = Duration::from_secs(30);

/// One measurement of one peer.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Sample {
    /// CPU time of its process per request, in microseconds.
    pub(crate) cpu_us: f64,
    /// The part of it in the process's own code, not the kernel's.
    pub(crate) user_us: f64,
    /// Latency from when a request was due, in microseconds.
    pub(crate) p50_us: u32,
    pub(crate) p99_us: u32,
    pub(crate) p999_us: u32,
}

/// All measurements of one peer.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// In the order of the rounds.
    pub(crate) samples: Vec<Sample>,
}

/// A whole run.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) machine: String,
    pub(crate) rate: u32,
    pub(crate) connections: usize,
    pub(crate) rounds: usize,
    pub(crate) seconds: u32,
    /// The backend without a proxy first, then the proxies.
    pub(crate) rows: Vec<Row>,
}

/// Starts everything, measures, and ends everything.
pub(crate) async fn compare(options: &Options) -> Result<Comparison, BenchError> {
    let (proxy_core, other_cores) = machine::split()?.map_err(BenchError::Cores)?;
    let machine = machine::describe();
    machine::pin(&other_cores)?;
    let folder = tempfile::tempdir()?;
    let nginx = find_peer("nginx");
    let upstream = peers::free_address()?;
    let backend = backend::start(nginx.as_deref(), upstream, folder.path(), &other_cores)?;
    let mut peers = vec![Peer { process: backend, address: upstream }];
    ready(&mut peers[0]).await?;
    peers.extend(peers::start(
        nginx.as_deref(),
        options.fairlead.as_deref(),
        upstream,
        folder.path(),
        &proxy_core,
    )?);
    for peer in &mut peers[1..] {
        ready(peer).await?;
    }

    let mut rows: Vec<_> =
        peers.iter().map(|peer| Row { name: peer.process.name, samples: Vec::new() }).collect();
    for round in 0..options.rounds {
        // Each round begins with another peer, so that none is always the first after a pause.
        for turn in 0..peers.len() {
            let number = (round + turn) % peers.len();
            let Peer { process, address } = &peers[number];
            let sample = measure(process, *address, options).await?;
            eprintln!(
                "round {} of {}: {:<12} {:.1} µs CPU per request",
                round + 1,
                options.rounds,
                process.name,
                sample.cpu_us
            );
            rows[number].samples.push(sample);
        }
    }
    let Options { rate, connections, rounds, seconds, .. } = *options;
    Ok(Comparison { machine, rate, connections, rounds, seconds, rows })
}

fn request() -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: edge\r\nAccept: */*\r\n\r\n")
        .into_bytes()
}

/// Waits until the peer answers rightly.
async fn ready(peer: &mut Peer) -> Result<(), BenchError> {
    let attempts = async {
        let mut reason = "none".to_owned();
        let deadline = time::Instant::now() + READY;
        while time::Instant::now() < deadline {
            peer.process.check()?;
            match attempt(peer.address).await {
                None => return Ok(()),
                Some(error) => reason = error,
            }
            time::sleep(Duration::from_millis(20)).await;
        }
        Err(ProcessError::NotReady { name: peer.process.name, limit: READY.as_secs(), reason })
    };
    Ok(attempts.await?)
}

/// One request; why it failed.
async fn attempt(address: SocketAddr) -> Option<String> {
    let mut pool = match Pool::connect(address, 1, request()).await {
        Ok(pool) => pool,
        Err(error) => return Some(error.to_string()),
    };
    match pool.run(1, Duration::from_millis(1)).await {
        Ok(run) => run.last_error.map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

async fn measure(
    process: &Process,
    address: SocketAddr,
    options: &Options,
) -> Result<Sample, BenchError> {
    let peer = process.name;
    let failed = |source| BenchError::Load { peer, source };
    let length = Duration::from_secs(options.seconds.into());
    let mut pool = Pool::connect(address, options.connections, request()).await.map_err(failed)?;
    pool.run(options.rate, WARM_UP).await.map_err(failed)?;
    let before = process.cpu()?;
    let run = pool.run(options.rate, length).await.map_err(failed)?;
    let cpu = process.cpu()? - before;
    let Run { latencies, errors, last_error } = run;
    let requests = latencies.len() as u64 + errors;
    if let Some(error) = last_error {
        eprintln!("{peer}: {error}");
        return Err(BenchError::Failed { peer, errors, requests });
    }
    let per_request = |time: Duration| time.as_secs_f64() * 1e6 / latencies.len() as f64;
    Ok(Sample {
        cpu_us: per_request(cpu.user + cpu.system),
        user_us: per_request(cpu.user),
        p50_us: quantile(&latencies, 0.5),
        p99_us: quantile(&latencies, 0.99),
        p999_us: quantile(&latencies, 0.999),
    })
}

/// The smallest value that at least the share `q` of the sorted values does not exceed; 0 of none.
fn quantile(sorted: &[u32], q: f64) -> u32 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let values: Vec<u32> = (1..=1000).collect();
        assert_eq!(
            (quantile(&values, 0.5), quantile(&values, 0.99), quantile(&values, 0.999)),
            (500, 990, 999)
        );
        assert_eq!((quantile(&[7], 0.5), quantile(&[7], 0.999), quantile(&[], 0.5)), (7, 7, 0));
    }
}
