//! Envoy, with a static configuration.

use std::{fs, io, net::SocketAddr, path::Path, process::Command};

use serde_json::{Value, json};

use super::Place;
use crate::certificate::Files;

/// One app that has every host.
pub(super) fn proxy(program: &Path, place: Place<'_>) -> io::Result<Command> {
    let everything = json!({"name": "all", "domains": ["*"], "routes": [route("backend")]});
    let listeners = [
        listener("http", place.http, std::slice::from_ref(&everything), None),
        listener("https", place.https, &[everything], Some(tls(place.certificate))),
    ];
    command(program, place.folder, &listeners, &[cluster("backend", place.upstream)])
}

/// Apps by host and name, in the clear, each with a cluster of its own.
pub(crate) fn fleet(
    program: &Path,
    place: Place<'_>,
    apps: impl Iterator<Item = (String, String)>,
) -> io::Result<Command> {
    let (hosts, clusters): (Vec<_>, Vec<_>) = apps
        .map(|(host, name)| {
            let cluster = cluster(&name, place.upstream);
            (json!({"name": name, "domains": [host], "routes": [route(&name)]}), cluster)
        })
        .unzip();
    let listeners = [listener("http", place.http, &hosts, None)];
    command(program, place.folder, &listeners, &clusters)
}

/// One worker thread.
fn command(
    program: &Path,
    folder: &Path,
    listeners: &[Value],
    clusters: &[Value],
) -> io::Result<Command> {
    let file = folder.join("envoy.json");
    let text = json!({"static_resources": {"listeners": listeners, "clusters": clusters}});
    fs::write(&file, text.to_string())?;
    let mut command = Command::new(program);
    command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c"]);
    command.arg(file);
    Ok(command)
}

fn tls(certificate: &Files) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "alpn_protocols": ["h2", "http/1.1"],
                "tls_certificates": [{
                    "certificate_chain": {"filename": certificate.chain},
                    "private_key": {"filename": certificate.key},
                }],
            },
        },
    })
}

fn route(cluster: &str) -> Value {
    json!({"match": {"prefix": "/"}, "route": {"cluster": cluster}})
}

fn cluster(name: &str, upstream: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "30s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}],
        },
    })
}

fn listener(name: &str, listen: SocketAddr, hosts: &[Value], tls: Option<Value>) -> Value {
    let mut chain = json!({
        "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": name,
                "route_config": {"virtual_hosts": hosts},
                "http_filters": [{
                    "name": "envoy.filters.http.router",
                    "typed_config": {
                        "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                    },
                }],
            },
        }],
    });
    if let Some(tls) = tls {
        chain["transport_socket"] = tls;
    }
    json!({"name": name, "address": address(listen), "filter_chains": [chain]})
}

fn address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip(), "port_value": address.port()}})
}
