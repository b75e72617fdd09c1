//! Many apps, all with the same backend, as each proxy is told of them.

use std::{fmt::Write as _, fs, io, net::SocketAddr, path::Path};

use crate::{
    api::{Api, ApiError, App},
    peers::nginx,
    stage::HOST,
};

/// The host of an app.
pub(crate) fn host(app: &str) -> String {
    format!("{app}.{HOST}")
}

/// The name of the app with a number.
pub(crate) fn name(number: usize) -> String {
    format!("app-{number}")
}

/// Gives the API the apps with these numbers.
pub(crate) fn populate(
    api: &Api,
    mut numbers: impl Iterator<Item = usize>,
    endpoint: SocketAddr,
) -> Result<(), ApiError> {
    numbers.try_for_each(|number| {
        let name = name(number);
        let app = App { name: &name, domains: host(&name), certificates: None };
        api.add(&app, endpoint)
    })
}

/// The `http` section of nginx for `n` apps.
pub(crate) fn nginx(n: usize, listen: SocketAddr, upstream: SocketAddr) -> String {
    let mut text = format!(
        "server_names_hash_max_size 131072;
        server_names_hash_bucket_size 128;
        server {{ listen {listen} default_server; return 404; }}\n"
    );
    for name in (0..n).map(name) {
        let _ = write!(
            text,
            "upstream {name} {{ server {upstream}; keepalive 16; }}
            server {{
                listen {listen};
                server_name {};
                location / {{
                    proxy_pass http://{name};
                    {}
                }}
            }}\n",
            host(&name),
            nginx::PROXY
        );
    }
    text
}

/// The proxies of HAProxy for `n` apps, with the map from hosts to them in `folder`.
pub(crate) fn haproxy(
    n: usize,
    listen: SocketAddr,
    upstream: SocketAddr,
    folder: &Path,
) -> io::Result<String> {
    let map = folder.join("hosts.map");
    let mut text = format!(
        "frontend all
            bind {listen}
            use_backend %[req.hdr(host),lower,map({},none)]
        backend none
            http-request deny deny_status 404\n",
        map.display()
    );
    let mut hosts = String::new();
    for name in (0..n).map(name) {
        let _ = writeln!(hosts, "{} {name}", host(&name));
        let _ = writeln!(text, "        backend {name}\n            server one {upstream}");
    }
    fs::write(map, hosts)?;
    Ok(text)
}
