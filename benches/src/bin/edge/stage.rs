//! What all scenarios play on: cores, a certificate, the backend, and the API with one app.

use std::{
    cell::Cell,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use fairlead_benches::{
    Process, ProcessError,
    machine::{self, Cores},
};
use fairlead_test_support::find_peer;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tempfile::TempDir;
use tokio::time;

use crate::{
    BenchError,
    api::{Api, App},
    backend::{self, Backend, SMALL, SMALL_PATH},
    certificate::{Certificate, Files},
    load::{Client as _, LoadError, Target, http1::Connection},
    options::{Extent, Options},
    peers::{Peer, Peers, Place, Running, free_addresses},
};

/// The host that requests name.
pub(crate) const HOST: &str = "bench.localhost";
/// How long a peer may take to give its first right answer.
const READY: Duration = Duration::from_secs(60);
/// How often it is asked, unless asking would disturb.
pub(crate) const ASK: Duration = Duration::from_millis(1);

/// What a scenario finds when it begins.
pub(crate) struct Stage {
    pub(crate) extent: Extent,
    pub(crate) peers: Peers,
    pub(crate) certificate: Certificate,
    pub(crate) backend: Backend,
    pub(crate) api: Api,
    /// For what is measured, and nothing else.
    pub(crate) proxy_core: Cores,
    files: Files,
    folder: TempDir,
    folders: Cell<usize>,
}

impl Stage {
    /// Sets everything up, on the cores that are not the proxies'.
    pub(crate) fn new(options: &Options) -> Result<Self, BenchError> {
        let (proxy_core, other_cores) = machine::split()?.map_err(BenchError::Cores)?;
        machine::pin(&other_cores)?;
        allow_many_files()?;
        let folder = tempfile::tempdir()?;
        let peers = Peers::find(options.fairlead().as_deref(), &options.peers)?;
        let certificate = Certificate::of(HOST)?;
        let files = certificate.write(folder.path())?;
        let nginx = find_peer("nginx");
        let (addresses, in_folder) = (free_addresses()?, folder.path());
        let backend = backend::start(nginx.as_deref(), addresses, in_folder, &other_cores)?;
        let api = Api::start(&folder.path().join("api"))?;
        api.certify("bench", &certificate)?;
        let app = App {
            name: "bench",
            domains: HOST.to_owned(),
            certificates: Some(format!("{HOST}:bench")),
        };
        api.add(&app, backend.address)?;
        let extent = options.extent();
        let folders = Cell::new(0);
        Ok(Self { extent, peers, certificate, backend, api, proxy_core, files, folder, folders })
    }

    /// A new empty folder, which goes with the stage.
    pub(crate) fn folder(&self) -> Result<PathBuf, BenchError> {
        self.folders.set(self.folders.get() + 1);
        let folder = self.folder.path().join(self.folders.get().to_string());
        fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// Hands `start` a place of its own.
    pub(crate) fn place<T>(
        &self,
        kubeconfig: &Path,
        start: impl FnOnce(Place<'_>) -> Result<T, ProcessError>,
    ) -> Result<T, BenchError> {
        let [http, https] = free_addresses()?;
        let folder = self.folder()?;
        let (upstream, certificate) = (self.backend.address, &self.files);
        Ok(start(Place { http, https, upstream, certificate, kubeconfig, folder: &folder })?)
    }

    /// Starts `peer` and waits for its first right answer.
    pub(crate) async fn start(&self, peer: &Peer) -> Result<Running, BenchError> {
        let mut running =
            self.place(&self.api.kubeconfig, |place| peer.start(place, &self.proxy_core))?;
        ready(&mut running.process, &self.small(running.http), ASK).await?;
        Ok(running)
    }

    /// The small body from `address`, in the clear.
    pub(crate) fn small(&self, address: SocketAddr) -> Target {
        Target { address, host: HOST.to_owned(), path: SMALL_PATH, body: SMALL.len(), tls: None }
    }
}

/// Waits until `process` gives the right answer; it is asked at intervals of `ask`.
pub(crate) async fn ready(
    process: &mut Process,
    target: &Target,
    ask: Duration,
) -> Result<(), ProcessError> {
    let begun = Instant::now();
    loop {
        process.check()?;
        match attempt(target).await {
            Ok(()) => return Ok(()),
            Err(error) if begun.elapsed() > READY => {
                let (name, limit) = (process.name, READY.as_secs());
                return Err(ProcessError::NotReady { name, limit, reason: error.to_string() });
            }
            Err(_) => time::sleep(ask).await,
        }
    }
}

async fn attempt(target: &Target) -> Result<(), LoadError> {
    let exchange = async { Connection::open(target).await?.exchange().await };
    time::timeout(READY, exchange).await.map_err(|_| LoadError::Stalled)?
}

/// As many open files as the system lets this process and its children have.
fn allow_many_files() -> Result<(), BenchError> {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).map_err(std::io::Error::from)?;
    setrlimit(Resource::RLIMIT_NOFILE, most, most).map_err(std::io::Error::from)?;
    Ok(())
}
