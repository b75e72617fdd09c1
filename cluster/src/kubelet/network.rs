//! Addresses and ports of pods.
//!
//! All of 127.0.0.0/8 leads to this machine, so every pod gets an address of its own and programs
//! that bind it do not meet. Programs that bind all addresses do: for them the ports differ too.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;

use crate::controllers::object::Fields;
use crate::port_map::PortMap;

/// Ports that pods get, from here up to where the system's own choices begin: a port that it may
/// give to an outgoing connection could be taken before the pod's program binds it.
const FIRST_PORT: u16 = 15_000;

/// Where the system's own choices begin if that cannot be read.
const EPHEMERAL_PORT: u16 = 32_768;

/// How many ports are tried before the choice is left to the system.
const TRIES: usize = 200;

/// Addresses and ports in use. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Network {
    used: Arc<Mutex<Used>>,
}

#[derive(Debug, Default)]
struct Used {
    addresses: HashSet<Ipv4Addr>,
    ports: HashSet<u16>,
}

/// What a pod holds until it ends: an address, and a port for each container that declares `PORT`.
#[derive(Debug)]
pub(super) struct Lease {
    network: Network,
    address: Ipv4Addr,
    /// By container.
    ports: Vec<(String, u16)>,
}

impl Network {
    /// Takes an address for a pod, and a port for each of these containers.
    pub(super) fn lease(&self, containers: impl IntoIterator<Item = String>) -> Lease {
        let mut used = self.used.lock();
        let address = loop {
            let [a, b, c] = [fastrand::u8(1..255), fastrand::u8(..), fastrand::u8(1..255)];
            // 127.0.x.x is left to whatever else runs on this machine.
            let address = Ipv4Addr::new(127, a, b, c);
            if used.addresses.insert(address) {
                break address;
            }
        };
        let ports = containers.into_iter().map(|container| (container, free_port(&mut used.ports)));
        let ports = ports.collect();
        drop(used);
        Lease { network: self.clone(), address, ports }
    }
}

impl Lease {
    pub(super) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The port that a container listens on in place of the one it declares.
    pub(super) fn port(&self, container: &str) -> Option<u16> {
        self.ports.iter().find(|(name, _)| name == container).map(|(_, port)| *port)
    }

    /// What the pod's annotation records.
    pub(super) fn port_map(&self, containers: &[Value]) -> PortMap {
        let mut map = PortMap::default();
        for container in containers {
            if let Some(actual) = self.port(container.text("/name")) {
                map.insert(declared_port(container), actual);
            }
        }
        map
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut used = self.network.used.lock();
        used.addresses.remove(&self.address);
        for (_, port) in &self.ports {
            used.ports.remove(port);
        }
    }
}

/// Finds a port that nobody listens on, on any address: the program may bind all of them.
fn free_port(used: &mut HashSet<u16>) -> u16 {
    let range = FIRST_PORT..ephemeral_start().max(FIRST_PORT + 1);
    let free = |port: u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port));
    for _ in 0..TRIES {
        let port = fastrand::u16(range.clone());
        if free(port).is_ok() && used.insert(port) {
            return port;
        }
    }
    // Hardly a port is left in the range; the system knows of others.
    let chosen = free(0).and_then(|listener| listener.local_addr()).map_or(0, |addr| addr.port());
    used.insert(chosen);
    chosen
}

fn ephemeral_start() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let start = range.ok().and_then(|range| range.split_whitespace().next()?.parse().ok());
    start.unwrap_or(EPHEMERAL_PORT)
}

/// Whether a container asks for a port of its own: it has `PORT` in its env, or its command (as
/// resolved from the image table) or args mention it as `$(PORT)`, `$PORT` or `${PORT}`.
pub(super) fn declares_port(container: &Value, argv: &[String]) -> bool {
    container.list("/env").iter().any(|entry| entry["name"] == "PORT")
        || argv.iter().any(|text| mentions_port(text))
}

fn mentions_port(text: &str) -> bool {
    text.match_indices('$').any(|(at, _)| {
        let after = &text[at + 1..];
        let bare = after.strip_prefix("PORT");
        let bare =
            bare.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        bare || after.starts_with("(PORT)") || after.starts_with("{PORT}")
    })
}

/// The port that `PORT` stands for: the container's port named `http`, else its first, else the
/// number that the spec gives `PORT`. `None` where it says no number at all.
pub(super) fn declared_port(container: &Value) -> Option<u16> {
    let ports = container.list("/ports");
    let named = ports.iter().find(|port| port["name"] == "http").or_else(|| ports.first());
    let spec = || {
        let entry = container.list("/env").iter().find(|entry| entry["name"] == "PORT")?;
        entry.text("/value").parse().ok()
    };
    named
        .and_then(|port| u16::try_from(port.int("/containerPort")?).ok())
        .or_else(spec)
        .filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn addresses_and_ports_are_distinct_and_come_back() {
        let network = Network::default();
        let leases: Vec<Lease> = (0..50).map(|_| network.lease(["web".to_owned()])).collect();
        let addresses: HashSet<Ipv4Addr> = leases.iter().map(Lease::address).collect();
        let ports: HashSet<_> = leases.iter().map(|lease| lease.port("web")).collect();
        assert_eq!((addresses.len(), ports.len()), (50, 50));
        for lease in &leases {
            assert!(lease.address().is_loopback() && lease.address() != Ipv4Addr::LOCALHOST);
            let at = (lease.address(), lease.port("web").expect("leased"));
            TcpListener::bind(at).expect("free on the pod's address");
        }
        drop(leases);
        let used = network.used.lock();
        assert!(used.addresses.is_empty() && used.ports.is_empty());
    }

    #[test]
    fn port_is_declared_in_env_or_by_use() {
        let plain = json!({"name": "web"});
        for (argv, expected) in [
            (["python3", "-m", "http.server", "$(PORT)"], true),
            (["sh", "-c", "exec server --port $PORT", ""], true),
            (["sh", "-c", "exec server --port=${PORT}", ""], true),
            (["sh", "-c", "exec server $PORTS $(PORT", ""], false),
            (["server", "", "", "PORT"], false),
        ] {
            assert_eq!(declares_port(&plain, &argv.map(str::to_owned)), expected, "{argv:?}");
        }
        assert!(declares_port(&json!({"env": [{"name": "PORT"}]}), &[]));
    }

    #[test]
    fn port_stands_for_the_http_port_the_first_or_the_number_given() {
        let env = json!([{"name": "PORT", "value": "5000"}]);
        let ports = json!([{"containerPort": 9090}, {"name": "http", "containerPort": 8080}]);
        for (container, expected) in [
            (json!({"ports": ports, "env": env}), Some(8080)),
            (json!({"ports": [{"containerPort": 9090}], "env": env}), Some(9090)),
            (json!({"env": env}), Some(5000)),
            (json!({"env": [{"name": "PORT"}]}), None),
            (json!({}), None),
        ] {
            assert_eq!(declared_port(&container), expected, "{container}");
        }
    }
}
