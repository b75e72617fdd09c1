//! What is proxied to: 80 bytes, from nginx where there is one, else from here.

use std::{convert::Infallible, io, net::SocketAddr, path::Path, process::Command};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Response, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::{
    machine::Cores,
    peers::nginx,
    process::{Process, ProcessError},
};

/// The body of every response.
pub(crate) const BODY: &str =
    "Eighty bytes, a small answer: what is measured is the proxy and not the payload.";

/// Starts it on `cores`.
pub(crate) fn start(
    nginx: Option<&Path>,
    listen: SocketAddr,
    folder: &Path,
    cores: &Cores,
) -> Result<Process, ProcessError> {
    let name = "backend";
    let failed = |source| ProcessError::Start { name, source };
    let mut command = match nginx {
        Some(program) => nginx::command(program, &nginx::backend(listen, BODY), &folder.join(name))
            .map_err(failed)?,
        None => {
            let mut command = Command::new(std::env::current_exe().map_err(failed)?);
            command.arg("backend").arg(listen.to_string());
            command
        }
    };
    Process::start(name, &mut command, cores)
}

/// Answers every request with [`BODY`], for ever.
pub(crate) fn serve(listen: SocketAddr) -> io::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind(listen).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let answer = service_fn(|_| async {
                Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(BODY.as_bytes()))))
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_body_has_eighty_bytes() {
        assert_eq!(super::BODY.len(), 80);
    }
}
