//! Envoy, with a static configuration.

use std::{fs, io, net::SocketAddr, path::Path, process::Command};

use serde_json::{Value, json};

use super::Place;

/// One worker thread.
pub(super) fn proxy(program: &Path, place: Place<'_>) -> io::Result<Command> {
    let file = place.folder.join("envoy.json");
    fs::write(&file, configuration(place).to_string())?;
    let mut command = Command::new(program);
    command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "error", "-c"]);
    command.arg(file);
    Ok(command)
}

fn configuration(place: Place<'_>) -> Value {
    let Place { http, https, upstream, certificate, .. } = place;
    let tls = json!({
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
    });
    json!({
        "static_resources": {
            "listeners": [listener("http", http, None), listener("https", https, Some(tls))],
            "clusters": [{
                "name": "backend",
                "type": "STATIC",
                "connect_timeout": "30s",
                "load_assignment": {
                    "cluster_name": "backend",
                    "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(upstream)}}]}],
                },
            }],
        },
    })
}

fn listener(name: &str, listen: SocketAddr, tls: Option<Value>) -> Value {
    let mut chain = json!({
        "filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": name,
                "route_config": {
                    "virtual_hosts": [{
                        "name": "all",
                        "domains": ["*"],
                        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "backend"}}],
                    }],
                },
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
