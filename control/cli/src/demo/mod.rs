//! `fairlead demo`: the small web application of the examples. Its pages show what a router did to
//! a request, and what a request looks like while an application is slow, streams or stops.

mod pages;
#[cfg(test)]
mod tests;
mod websocket;

use std::{future::Future, io, net::SocketAddr};

use clap::Args;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// A small web application to try a router with.
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoArgs {
    /// Address to listen on.
    #[arg(long, env = "HOST", default_value = "127.0.0.1")]
    pub(crate) host: String,
    /// Port to listen on; 0 picks one.
    #[arg(long, env = "PORT", default_value_t = 8000)]
    pub(crate) port: u16,
    /// Name of the application, shown on its page.
    #[arg(long, env = "APP", default_value = "demo")]
    pub(crate) app: String,
    /// Name of this instance, shown on its page.
    #[arg(long, env = "POD_NAME", default_value = "none")]
    pub(crate) pod: String,
    /// First word of the page; change it to see a release arrive.
    #[arg(long, env = "GREETING", default_value = "Hello")]
    pub(crate) greeting: String,
}

/// Why the server did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The address is taken or not this machine's.
    #[error(
        "cannot listen on {host}:{port}: {source}; choose with --host and --port (or HOST and PORT)"
    )]
    Bind {
        /// The address asked for.
        host: String,
        /// The port asked for.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The system refused a signal handler or the listening socket.
    #[error("the server stopped: {0}")]
    Io(#[from] io::Error),
}

/// A server that is bound and not yet answering.
#[derive(Debug)]
pub(crate) struct Demo {
    listener: TcpListener,
    address: SocketAddr,
    args: DemoArgs,
}

/// Serves on this thread until SIGTERM or SIGINT, then finishes the requests at hand.
///
/// # Errors
/// When the address cannot be bound or the system refuses a signal handler.
pub(crate) fn run(args: DemoArgs) -> Result<(), DemoError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let demo = Demo::bind(args).await?;
        println!("listening on http://{}", demo.local_addr());
        demo.serve(async move {
            tokio::select! {
                _ = terminate.recv() => (),
                _ = interrupt.recv() => (),
            }
        })
        .await
    })
}

impl Demo {
    /// Binds the address.
    ///
    /// # Errors
    /// When it is taken or not this machine's.
    pub(crate) async fn bind(args: DemoArgs) -> Result<Self, DemoError> {
        let listener =
            TcpListener::bind((args.host.as_str(), args.port)).await.map_err(|source| {
                DemoError::Bind { host: args.host.clone(), port: args.port, source }
            })?;
        Ok(Self { address: listener.local_addr()?, listener, args })
    }

    /// The bound address.
    #[must_use]
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` completes; then accepts no connection, finishes the requests at hand,
    /// and closes WebSockets with code 1001 (RFC 6455 section 7.4.1: going away).
    ///
    /// # Errors
    /// When the listening socket fails.
    pub(crate) async fn serve(
        self,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), DemoError> {
        let (stopping, stopped) = watch::channel(());
        let app = pages::routes(self.args, stopped);
        axum::serve(self.listener, app)
            .with_graceful_shutdown({
                let stopping = stopping.clone();
                async move {
                    stop.await;
                    stopping.send_replace(());
                }
            })
            .await?;
        // Upgraded connections are out of the server's hands; each holds a receiver until it ends.
        stopping.closed().await;
        Ok(())
    }
}
