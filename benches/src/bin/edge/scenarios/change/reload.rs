//! Adding an app to nginx and HAProxy, by a new file and a reload.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use fairlead_benches::{Process, ticker::Ticker};
use nix::sys::signal::Signal;
use tokio::time;

use super::Took;
use crate::{
    BenchError, fleet,
    load::{Client as _, LoadError, Target, http1::Connection},
    peers::{Peer, free_addresses, haproxy, nginx},
    stage::{self, Stage},
};

/// How often a new connection asks what is served.
const ASK: Duration = Duration::from_micros(250);
/// Between two reloads, so that each meets a proxy at rest.
const REST: Duration = Duration::from_millis(200);
/// How long a reload may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A proxy that reloads.
struct Reloading {
    name: &'static str,
    signal: Signal,
    write: fn(usize, SocketAddr, SocketAddr, &Path) -> io::Result<()>,
    command: fn(&Path, &Path) -> Command,
}

const ALL: [Reloading; 2] = [
    Reloading {
        name: "nginx",
        signal: Signal::SIGHUP,
        write: |n, listen, upstream, folder| {
            nginx::write(&fleet::nginx(n, listen, upstream), folder)
        },
        command: nginx::reloading,
    },
    Reloading {
        name: "HAProxy",
        signal: Signal::SIGUSR2,
        write: |n, listen, upstream, folder| {
            haproxy::write(&fleet::haproxy(n, listen, upstream, folder)?, folder)
        },
        command: haproxy::reloading,
    },
];

pub(super) async fn run(stage: &Stage, apps: usize) -> Result<Vec<Took>, BenchError> {
    let mut all = Vec::new();
    for kind in &ALL {
        if let Some(peer) = stage.peers.named(kind.name) {
            let took = kind.run(stage, peer, apps).await?;
            all.push((format!("{}: add, by reload", kind.name), took));
        }
    }
    Ok(all)
}

impl Reloading {
    async fn run(&self, stage: &Stage, peer: &Peer, apps: usize) -> Result<Vec<f64>, BenchError> {
        let folder: PathBuf = stage.folder()?;
        let [listen] = free_addresses()?;
        let write = |n| (self.write)(n, listen, stage.backend.address, &folder);
        let app =
            |number| Target { host: fleet::host(&fleet::name(number)), ..stage.small(listen) };
        write(apps)?;
        let mut command = (self.command)(&peer.program, &folder);
        let process = Process::start(self.name, &mut command, &stage.proxy_core)?;
        let mut master = Master(process);
        let process = &mut master.0;
        stage::ready(process, &app(apps - 1), stage::ASK).await?;
        let mut took = Vec::new();
        for n in apps..apps + stage.extent.reloads {
            time::sleep(REST).await;
            let ticker = Ticker::new(ASK)?;
            let begun = Instant::now();
            write(n + 1)?;
            process.signal(self.signal)?;
            while let Err(error) = asked(&app(n)).await {
                if !matches!(error, LoadError::Wrong { status: 404, .. })
                    || begun.elapsed() > PATIENCE
                {
                    return Err(BenchError::Load { peer: self.name, source: error });
                }
                ticker.tick().await?;
            }
            took.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        Ok(took)
    }
}

async fn asked(target: &Target) -> Result<(), LoadError> {
    Connection::open(target).await?.exchange().await
}

/// A master. Told to end it ends its workers; killed it would leave them.
struct Master(Process);

impl Drop for Master {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _ = self.0.interrupt();
    }
}
