//! Starting with many apps: how long until they are served, and how much memory they take.

use std::{
    net::SocketAddr,
    path::Path,
    time::{Duration, Instant},
};

use fairlead_benches::{Column, Process, Row, Scenario, stats::slope};
use tokio::time;

use crate::{
    BenchError,
    api::Api,
    fleet,
    load::Target,
    peers::{Peer, envoy, haproxy, nginx},
    stage::{self, Stage},
};

pub(super) const NAME: &str = "start";

/// Who takes part. nginx, HAProxy and Envoy read a file that somebody has written already; Fairlead
/// reads the API. The bare proxies know no apps.
const PEERS: [&str; 4] = ["nginx", "HAProxy", "Envoy", "Fairlead"];

pub(super) async fn run(stage: &Stage) -> Result<Scenario, BenchError> {
    let sizes = stage.extent.started;
    let peers: Vec<_> = PEERS.iter().filter_map(|name| stage.peers.named(name)).collect();
    let mut rows: Vec<_> = peers.iter().map(|peer| Row::new(peer.name)).collect();
    for round in 0..stage.extent.starts {
        let mut found = vec![Vec::<Started>::new(); peers.len()];
        let api = Api::start(&stage.folder()?)?;
        let mut known = 0;
        for &n in sizes {
            fleet::populate(&api, known..n, stage.backend.address)?;
            known = n;
            for turn in 0..peers.len() {
                let number = (round + turn) % peers.len();
                let (peer, found) = (&peers[number], &mut found[number]);
                let started = start(stage, peer, n, &api.kubeconfig).await?;
                eprintln!(
                    "{NAME}, round {}: {} with {n} apps in {:.0} ms, {:.1} MiB",
                    round + 1,
                    peer.name,
                    started.milliseconds,
                    started.mebibytes
                );
                found.push(started);
            }
        }
        for (row, found) in rows.iter_mut().zip(found) {
            let memory: Vec<_> = sizes
                .iter()
                .zip(&found)
                .map(|(n, found)| (*n as f64, found.mebibytes * 1024.0))
                .collect();
            let mut sample: Vec<_> = found.iter().map(|found| found.milliseconds).collect();
            sample.extend(found.iter().map(|found| found.mebibytes));
            sample.push(slope(&memory));
            row.samples.push(sample);
        }
    }
    let most = sizes.iter().max();
    let column = |n: &usize, name: &str, digits| {
        let name = format!("{name} {n} apps");
        if Some(n) == most { Column::compared(name, digits) } else { Column::weighed(name, digits) }
    };
    let times = sizes.iter().map(|n| column(n, "ms to serve", 0));
    let memory = sizes.iter().map(|n| column(n, "MiB with", 1));
    Ok(Scenario {
        name: NAME,
        title: "Start and memory with many apps".to_owned(),
        setting: format!(
            "From the start of the process to the first right answer for the last app, and its memory (Pss) {} s later. An app is a host with one endpoint of its own: a Service and an EndpointSlice for Fairlead, which lists them from the API; for the others a configuration file that is there already (what a controller needs to write it is not counted). KiB per app by least squares; {} starts of each.",
            stage.extent.settle, stage.extent.starts
        ),
        columns: times.chain(memory).chain([Column::compared("KiB per app", 2)]).collect(),
        rows,
    })
}

#[derive(Clone, Copy)]
struct Started {
    milliseconds: f64,
    mebibytes: f64,
}

async fn start(
    stage: &Stage,
    peer: &Peer,
    n: usize,
    kubeconfig: &Path,
) -> Result<Started, BenchError> {
    let upstream = stage.backend.address;
    let (mut command, address) = stage.place(kubeconfig, |place| {
        let failed = |source| fairlead_benches::ProcessError::Start { name: peer.name, source };
        let command = match peer.name {
            "nginx" => {
                let http = fleet::nginx(n, place.http, upstream);
                nginx::command(&peer.program, &http, place.folder).map_err(failed)
            }
            "HAProxy" => fleet::haproxy(n, place.http, upstream, place.folder)
                .and_then(|text| haproxy::command(&peer.program, &text, place.folder))
                .map_err(failed),
            "Envoy" => {
                let apps = (0..n).map(fleet::name).map(|name| (fleet::host(&name), name));
                envoy::fleet(&peer.program, place, apps).map_err(failed)
            }
            _ => peer.command(place),
        };
        Ok((command?, place.http))
    })?;
    let begun = Instant::now();
    let mut process = Process::start(peer.name, &mut command, &stage.proxy_core)?;
    stage::ready(&mut process, &last(stage, address, n), stage::ASK).await?;
    let milliseconds = begun.elapsed().as_secs_f64() * 1e3;
    time::sleep(Duration::from_secs_f64(stage.extent.settle)).await;
    let mebibytes = process.pss()? as f64 / 1024.0 / 1024.0;
    Ok(Started { milliseconds, mebibytes })
}

fn last(stage: &Stage, address: SocketAddr, n: usize) -> Target {
    Target { host: fleet::host(&fleet::name(n - 1)), ..stage.small(address) }
}
