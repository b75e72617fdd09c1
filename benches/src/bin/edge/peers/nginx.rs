//! nginx, as a proxy and as the backend.

use std::{fs, io, path::Path, process::Command};

use super::Place;

/// One process without access log; connections live on, as they do in the other proxies.
pub(super) fn proxy(program: &Path, place: Place<'_>) -> io::Result<Command> {
    let Place { http, https, upstream, certificate, folder, .. } = place;
    let (chain, key) = (certificate.chain.display(), certificate.key.display());
    let text = format!(
        "upstream backend {{
            server {upstream};
            keepalive 1024;
            keepalive_requests 1000000000;
        }}
        server {{
            listen {http};
            listen {https} ssl http2;
            ssl_protocols TLSv1.2 TLSv1.3;
            ssl_certificate {chain};
            ssl_certificate_key {key};
            location / {{
                proxy_pass http://backend;
                {PROXY}
            }}
        }}"
    );
    command(program, &text, folder)
}

/// Without these lines nginx opens a connection to the backend for each request.
pub(crate) const PROXY: &str = "proxy_http_version 1.1;
                proxy_set_header Host $host;
                proxy_set_header Connection \"\";";

/// nginx as one process, with `http` as its `http` section.
pub(crate) fn command(program: &Path, http: &str, folder: &Path) -> io::Result<Command> {
    write(http, folder)?;
    Ok(with(program, "daemon off; master_process off;", folder))
}

/// nginx as a master and its worker; SIGHUP makes it read again what was [written](write).
pub(crate) fn reloading(program: &Path, folder: &Path) -> Command {
    with(program, "daemon off;", folder)
}

fn with(program: &Path, directives: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(["-e", "stderr", "-g", directives]);
    command.arg("-p").arg(folder).arg("-c").arg(folder.join("nginx.conf"));
    command
}

/// Writes the configuration in one step.
pub(crate) fn write(http: &str, folder: &Path) -> io::Result<()> {
    let path = folder.display();
    let text = format!(
        "worker_processes 1;
        pid {path}/pid;
        error_log stderr;
        events {{ worker_connections 8192; }}
        http {{
            access_log off;
            keepalive_requests 1000000000;
            keepalive_timeout 1h;
            client_body_temp_path {path}/body;
            proxy_temp_path {path}/proxy;
            fastcgi_temp_path {path}/fastcgi;
            uwsgi_temp_path {path}/uwsgi;
            scgi_temp_path {path}/scgi;
            {http}
        }}"
    );
    let new = folder.join("nginx.conf.new");
    fs::write(&new, text)?;
    fs::rename(new, folder.join("nginx.conf"))
}
