//! HAProxy.

use std::{fs, io, path::Path, process::Command};

use super::Place;

/// One thread; connections to the backend are shared by all clients.
pub(super) fn proxy(program: &Path, place: Place<'_>) -> io::Result<Command> {
    let Place { http, https, upstream, certificate, folder, .. } = place;
    let both = certificate.both.display();
    let text = format!(
        "frontend all
            bind {http}
            bind {https} ssl crt {both} alpn h2,http/1.1
            default_backend all
        backend all
            server one {upstream}\n"
    );
    command(program, &text, folder)
}

/// HAProxy as one process that serves `proxies`.
pub(crate) fn command(program: &Path, proxies: &str, folder: &Path) -> io::Result<Command> {
    write(proxies, folder)?;
    Ok(with(program, &["-q", "-db"], folder))
}

/// HAProxy as a master and its worker; SIGUSR2 makes it read again what was [written](write).
pub(crate) fn reloading(program: &Path, folder: &Path) -> Command {
    with(program, &["-q", "-db", "-W"], folder)
}

fn with(program: &Path, options: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(options).arg("-f").arg(folder.join("haproxy.cfg"));
    command
}

/// Writes the configuration in one step.
pub(crate) fn write(proxies: &str, folder: &Path) -> io::Result<()> {
    let text = format!(
        "global
            nbthread 1
            maxconn 8192
        defaults
            mode http
            http-reuse always
            timeout connect 30s
            timeout client 1h
            timeout server 1h
        {proxies}"
    );
    let new = folder.join("haproxy.cfg.new");
    fs::write(&new, text)?;
    fs::rename(new, folder.join("haproxy.cfg"))
}
