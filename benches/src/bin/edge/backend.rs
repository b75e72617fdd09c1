//! What is proxied to: small and large bodies, from nginx where there is one, else from here. A
//! second address answers with another small body, so that a change of endpoints can be seen.

use std::{convert::Infallible, fs, io, net::SocketAddr, path::Path, process::Command};

use bytes::Bytes;
use fairlead_benches::{Process, ProcessError, machine::Cores};
use http_body_util::Full;
use hyper::{Response, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::peers::nginx;

/// The body at [`SMALL_PATH`].
pub(crate) const SMALL: &str =
    "Eighty bytes, a small answer: what is measured is the proxy and not the payload.";
/// The body there of the second address.
pub(crate) const OTHER: &str =
    "Eighty other bytes: a request that gets them went to the second of two endpoints";
pub(crate) const SMALL_PATH: &str = "/";
pub(crate) const LARGE_PATH: &str = "/large";
/// Bytes of the body at [`LARGE_PATH`].
pub(crate) const LARGE: usize = 16 * 1024;

/// A running backend.
pub(crate) struct Backend {
    pub(crate) process: Process,
    /// Where [`SMALL`] and the large body are.
    pub(crate) address: SocketAddr,
    /// Where [`OTHER`] is.
    pub(crate) other: SocketAddr,
}

/// Starts it on `cores`.
pub(crate) fn start(
    nginx: Option<&Path>,
    [address, other]: [SocketAddr; 2],
    folder: &Path,
    cores: &Cores,
) -> Result<Backend, ProcessError> {
    let name = "backend";
    let failed = |source| ProcessError::Start { name, source };
    let mut command = match nginx {
        Some(program) => {
            let folder = folder.join(name);
            fs::create_dir(&folder).map_err(failed)?;
            let large = folder.join("large");
            fs::write(&large, large_body()).map_err(failed)?;
            let http = configuration(address, other, &large);
            nginx::command(program, &http, &folder).map_err(failed)?
        }
        None => {
            let mut command = Command::new(std::env::current_exe().map_err(failed)?);
            command.arg("backend").arg(address.to_string()).arg(other.to_string());
            command
        }
    };
    Ok(Backend { process: Process::start(name, &mut command, cores)?, address, other })
}

fn configuration(address: SocketAddr, other: SocketAddr, large: &Path) -> String {
    format!(
        "open_file_cache max=10;
        sendfile on;
        server {{
            listen {address};
            location / {{ default_type text/plain; return 200 \"{SMALL}\"; }}
            location {LARGE_PATH} {{ alias {}; }}
        }}
        server {{
            listen {other};
            location / {{ default_type text/plain; return 200 \"{OTHER}\"; }}
        }}",
        large.display()
    )
}

/// No byte like the next, so that nobody can compress it by the way.
fn large_body() -> Vec<u8> {
    (0..LARGE).map(|i| (i % 251) as u8).collect()
}

/// Answers every request, for ever.
pub(crate) fn serve(address: SocketAddr, other: SocketAddr) -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let large = Bytes::from(large_body());
        tokio::try_join!(
            answer(address, Bytes::from_static(SMALL.as_bytes()), large.clone()),
            answer(other, Bytes::from_static(OTHER.as_bytes()), large),
        )?;
        Ok(())
    })
}

async fn answer(listen: SocketAddr, small: Bytes, large: Bytes) -> io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (small, large) = (small.clone(), large.clone());
        let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let body = if request.uri().path() == LARGE_PATH { &large } else { &small };
            let response = Response::new(Full::new(body.clone()));
            async { Ok::<_, Infallible>(response) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_small_bodies_have_eighty_bytes() {
        assert_eq!((SMALL.len(), OTHER.len()), (80, 80));
    }
}
