//! What a connection costs that waits for its next request.

use std::sync::Arc;

use fairlead_benches::{Column, Row, Scenario, stats::slope};
use rustls::ClientConfig;

use crate::{
    BenchError, certificate,
    load::{Client as _, LoadError, Target, http1::Connection},
    peers::Peer,
    stage::Stage,
};

pub(super) const NAME: &str = "idle";

/// At how many numbers of connections the memory is read: the first is where the slope begins, when
/// the first connections have filled what the process keeps in any case.
const STEPS: usize = 4;

pub(super) async fn run(stage: &Stage) -> Result<Scenario, BenchError> {
    let tls = certificate::client([&stage.certificate], &[b"http/1.1"])?;
    let peers = &stage.peers.found;
    let mut rows: Vec<_> = peers.iter().map(|peer| Row::new(peer.name)).collect();
    for round in 0..stage.extent.starts {
        for turn in 0..peers.len() {
            let number = (round + turn) % peers.len();
            let (peer, row) = (&peers[number], &mut rows[number]);
            let sample = vec![
                per_connection(stage, peer, None).await? / 1024.0,
                per_connection(stage, peer, Some(&tls)).await? / 1024.0,
            ];
            eprintln!("{NAME}, round {}: {} {sample:.1?} KiB", round + 1, peer.name);
            row.samples.push(sample);
        }
    }
    let (n, starts) = (stage.extent.idle, stage.extent.starts);
    Ok(Scenario {
        name: NAME,
        title: "Idle connections".to_owned(),
        setting: format!(
            "Memory (Pss) by which a process just started grows for each connection that has had one answer and waits, from {} to {n} connections, by least squares; {starts} starts of each; 0 errors.",
            n / STEPS
        ),
        columns: vec![Column::compared("KiB in the clear", 1), Column::compared("KiB over TLS", 1)],
        rows,
    })
}

/// In bytes.
async fn per_connection(
    stage: &Stage,
    peer: &Peer,
    tls: Option<&Arc<ClientConfig>>,
) -> Result<f64, BenchError> {
    let running = stage.start(peer).await?;
    let address = if tls.is_some() { running.https } else { running.http };
    let target = Target { tls: tls.cloned(), ..stage.small(address) };
    let failed = |source| BenchError::Load { peer: peer.name, source };
    let step = stage.extent.idle.div_ceil(STEPS);
    let (mut open, mut points) = (Vec::new(), Vec::new());
    for _ in 0..STEPS {
        for _ in 0..step {
            open.push(answered(&target).await.map_err(failed)?);
        }
        points.push((open.len() as f64, running.process.pss()? as f64));
    }
    // All are still there.
    for connection in &mut open {
        connection.exchange().await.map_err(failed)?;
    }
    Ok(slope(&points))
}

async fn answered(target: &Target) -> Result<Connection, LoadError> {
    let mut connection = Connection::open(target).await?;
    connection.exchange().await?;
    Ok(connection)
}
