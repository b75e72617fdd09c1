//! nginx, as a proxy and as the backend.

use std::{fs, io, net::SocketAddr, path::Path, process::Command};

use super::Place;
use crate::process::{Process, ProcessError};

pub(super) fn start(program: &Path, place: Place<'_>) -> Result<Process, ProcessError> {
    let Place { listen, upstream, folder, cores } = place;
    let name = "nginx";
    let http = format!(
        "upstream backend {{
            server {upstream};
            keepalive 1024;
            keepalive_requests 1000000000;
        }}
        server {{
            listen {listen};
            location / {{
                proxy_pass http://backend;
                proxy_http_version 1.1;
                proxy_set_header Host $host;
                proxy_set_header Connection \"\";
            }}
        }}"
    );
    let command = command(program, &http, &folder.join("nginx"));
    Process::start(
        name,
        &mut command.map_err(|source| ProcessError::Start { name, source })?,
        cores,
    )
}

/// The part of a configuration that answers every request with `body`.
pub(crate) fn backend(listen: SocketAddr, body: &str) -> String {
    format!(
        "server {{ listen {listen}; location / {{ default_type text/plain; return 200 \"{body}\"; }} }}"
    )
}

/// One worker without access log; connections live on, as they do in the other proxies.
pub(crate) fn command(program: &Path, http: &str, folder: &Path) -> io::Result<Command> {
    let path = folder.display();
    let text = format!(
        "daemon off;
        master_process off;
        worker_processes 1;
        pid {path}/pid;
        error_log stderr;
        events {{ worker_connections 4096; }}
        http {{
            access_log off;
            keepalive_requests 1000000000;
            client_body_temp_path {path}/body;
            proxy_temp_path {path}/proxy;
            fastcgi_temp_path {path}/fastcgi;
            uwsgi_temp_path {path}/uwsgi;
            scgi_temp_path {path}/scgi;
            {http}
        }}"
    );
    fs::create_dir_all(folder)?;
    let file = folder.join("nginx.conf");
    fs::write(&file, text)?;
    let mut command = Command::new(program);
    command.arg("-e").arg("stderr").arg("-p").arg(folder).arg("-c").arg(file);
    Ok(command)
}
