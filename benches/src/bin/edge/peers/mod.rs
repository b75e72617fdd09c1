//! The proxies that are compared. Each listens on one address, proxies to one backend over
//! keep-alive connections, with one worker and no access log.

mod fairlead;
pub(crate) mod nginx;
mod pingora;

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
};

pub(crate) use self::pingora::serve as serve_bare_pingora;
use crate::{
    machine::Cores,
    process::{Process, ProcessError},
};

/// The host that every request names.
pub(crate) const HOST: &str = "bench.localhost";

/// A proxy that runs.
pub(crate) struct Peer {
    /// Its process.
    pub(crate) process: Process,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// What a proxy is started with.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) listen: SocketAddr,
    pub(crate) upstream: SocketAddr,
    /// An empty folder of its own.
    pub(crate) folder: &'a Path,
    pub(crate) cores: &'a Cores,
}

/// Where a proxy's program is, and how to start it.
struct Kind<'a> {
    name: &'static str,
    program: Option<&'a Path>,
    start: fn(&Path, Place<'_>) -> Result<Process, ProcessError>,
}

/// Starts the proxies whose program is there.
pub(crate) fn start(
    nginx: Option<&Path>,
    fairlead: Option<&Path>,
    upstream: SocketAddr,
    folder: &Path,
    cores: &Cores,
) -> Result<Vec<Peer>, ProcessError> {
    let this = std::env::current_exe().ok();
    let kinds = [
        Kind { name: "nginx", program: nginx, start: nginx::start },
        Kind { name: "bare Pingora", program: this.as_deref(), start: pingora::start },
        Kind { name: "Fairlead", program: fairlead, start: fairlead::start },
    ];
    let mut peers = Vec::new();
    for Kind { name, program, start } in kinds {
        let Some(program) = program else { continue };
        let failed = |source| ProcessError::Start { name, source };
        let folder = folder.join(name.replace(' ', "-"));
        std::fs::create_dir(&folder).map_err(failed)?;
        let listen = free_address().map_err(failed)?;
        let process = start(program, Place { listen, upstream, folder: &folder, cores })?;
        peers.push(Peer { process, address: listen });
    }
    Ok(peers)
}

/// A loopback address whose port nobody has: nginx cannot choose one itself.
pub(crate) fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}
