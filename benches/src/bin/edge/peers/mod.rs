//! The proxies that are compared. Each listens on one address in the clear and on one with TLS (HTTP/2
//! or HTTP/1.1, as the client likes), and proxies to one backend over keep-alive connections, with one
//! worker and no access log.

pub(crate) mod bare_hyper;
pub(crate) mod bare_pingora;
pub(crate) mod envoy;
mod fairlead;
pub(crate) mod haproxy;
pub(crate) mod nginx;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use fairlead_benches::{
    Process, ProcessError, callgrind::Callgrind, machine::Cores, report::Program,
};
use fairlead_test_support::find_peer;

use crate::certificate::Files;

/// What a proxy is started with.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    pub(crate) upstream: SocketAddr,
    pub(crate) certificate: &'a Files,
    /// How the Kubernetes API is reached, where the routes are.
    pub(crate) kubeconfig: &'a Path,
    /// An empty folder of its own.
    pub(crate) folder: &'a Path,
}

/// Makes the command that runs a program as a proxy.
type Configure = fn(&Path, Place<'_>) -> io::Result<Command>;

/// One of those compared.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) program: PathBuf,
    configure: Configure,
}

/// A proxy that runs.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
}

impl Peer {
    /// How it is started at `place`.
    pub(crate) fn command(&self, place: Place<'_>) -> Result<Command, ProcessError> {
        let failed = |source| ProcessError::Start { name: self.name, source };
        (self.configure)(&self.program, place).map_err(failed)
    }

    /// Starts it on `cores`.
    pub(crate) fn start(&self, place: Place<'_>, cores: &Cores) -> Result<Running, ProcessError> {
        let process = Process::start(self.name, &mut self.command(place)?, cores)?;
        Ok(Running { process, http: place.http, https: place.https })
    }
}

/// Those whose program is there, and what is to be told of all.
pub(crate) struct Peers {
    pub(crate) found: Vec<Peer>,
    pub(crate) callgrind: Option<Callgrind>,
    pub(crate) programs: Vec<Program>,
}

impl Peers {
    /// Looks for those called `only`, for all where that is empty; `fairlead` is the router's binary.
    pub(crate) fn find(fairlead: Option<&Path>, only: &[String]) -> io::Result<Self> {
        let this = std::env::current_exe()?;
        let bare = |package| Some((this.clone(), locked_version(package)));
        let fetched = |name, argument| {
            let program = find_peer(name)?;
            let version = version(&program, argument)?;
            Some((program, version))
        };
        let fairlead =
            fairlead.and_then(|program| Some((program.to_owned(), version(program, "--version")?)));
        let kinds: [(&str, _, Configure); 6] = [
            ("nginx", fetched("nginx", "-v"), nginx::proxy),
            ("HAProxy", fetched("haproxy", "-v"), haproxy::proxy),
            ("Envoy", fetched("envoy", "--version"), envoy::proxy),
            ("bare hyper", bare("hyper"), bare_hyper::proxy),
            ("bare Pingora", bare("pingora-proxy"), bare_pingora::proxy),
            ("Fairlead", fairlead, fairlead::proxy),
        ];
        let callgrind = Callgrind::find();
        let mut peers = Self { found: Vec::new(), callgrind, programs: Vec::new() };
        let asked = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
        for (name, found, configure) in kinds.into_iter().filter(|(name, ..)| asked(name)) {
            let (program, version) = found.unzip();
            peers.programs.push(Program { name, version });
            peers.found.extend(program.map(|program| Peer { name, program, configure }));
        }
        let version = fetched("valgrind", "--version").map(|(_, version)| version);
        peers.programs.push(Program { name: "valgrind", version });
        Ok(peers)
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Peer> {
        self.found.iter().find(|peer| peer.name == name)
    }
}

/// The first thing in what `program` says of itself that looks like a version; `None` where it does not start.
fn version(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let words = text.split(|c: char| c.is_whitespace() || c == '/');
    let mut versions = words.map(|word| word.trim_start_matches(|c: char| !c.is_ascii_digit()));
    let is_version = |word: &&str| {
        let mut parts = word.split('.').map(|part| part.parse::<u32>().is_ok());
        parts.next() == Some(true) && parts.next() == Some(true)
    };
    versions.find(is_version).map(str::to_owned)
}

/// The version of a package that this program was built with.
fn locked_version(package: &str) -> String {
    let lock = include_str!("../../../../../Cargo.lock");
    let start = format!("name = \"{package}\"\nversion = \"");
    let version = lock.split_once(&start).and_then(|(_, rest)| rest.split('"').next());
    version.unwrap_or_default().to_owned()
}

/// `n` loopback addresses whose ports nobody has: most proxies cannot choose one themselves.
pub(crate) fn free_addresses<const N: usize>() -> io::Result<[SocketAddr; N]> {
    let mut addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); N];
    // All are held until all are known, so that no two are the same.
    let held = addresses.map(TcpListener::bind);
    for (address, listener) in addresses.iter_mut().zip(held) {
        *address = listener?.local_addr()?;
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locked_versions_are_those_of_the_build() {
        assert!(locked_version("hyper").starts_with("1."));
        assert_eq!(locked_version("no-such-package"), "");
    }

    #[test]
    fn addresses_differ() {
        let [a, b, c] = free_addresses().unwrap();
        assert!(a != b && b != c && a != c);
    }
}
