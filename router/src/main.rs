//! The edge router as a program: flags in, signals, exit code out.
#![forbid(unsafe_code)]

use std::{io::IsTerminal as _, process::ExitCode, time::Duration};

use clap::Parser as _;
use fairlead_router::{Flags, Router, RouterOptions, WaitFlags, wait};
use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Fairlead's edge router: watches the Kubernetes API and serves HTTP for annotated Services.
#[derive(Debug, clap::Parser)]
#[command(name = "fairlead-router", version, args_conflicts_with_subcommands = true)]
struct Program {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Waits until every ready replica has a revision in effect; fails at the deadline and names
    /// the others
    Wait(WaitFlags),
}

fn main() -> ExitCode {
    // Before anything else: other crates install another provider where there is none.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let Program { command, flags } = Program::parse();
    // Standard output is the access log's.
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(flags.log()))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();

    let run = Builder::new_current_thread().enable_all().build().map_err(Into::into).and_then(
        |runtime| match command {
            None => runtime.block_on(run(flags.options())),
            Some(Command::Wait(flags)) => runtime.block_on(async {
                let config = kube::Config::infer().await.map_err(no_api)?;
                wait(flags, kube::Client::try_from(config)?).await.map_err(Into::into)
            }),
        },
    );
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn no_api(error: kube::config::InferConfigError) -> String {
    format!("no Kubernetes API to read from: {error}; set KUBECONFIG")
}

/// As many files as the system allows: each connection is one, and each under way two.
fn raise_limit(connections: usize) {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(files) if files < 2 * connections as u64 => tracing::warn!(
            files,
            connections,
            "too few open files are allowed for --max-connections: raise the hard limit, or lower the flag"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "cannot raise the limit for open files"),
    }
}

async fn run(options: RouterOptions) -> Result<(), Box<dyn std::error::Error>> {
    raise_limit(options.max_connections.get());
    let mut stop = Stop::new()?;
    let mut config = kube::Config::infer().await.map_err(no_api)?;
    // Longer than a watch may be silent; a server that went away without a word is noticed.
    config.read_timeout = Some(Duration::from_secs(300));
    let router = Router::start(options, kube::Client::try_from(config)?)?;
    tracing::info!(
        http = ?router.addr(fairlead_router::HTTP),
        https = ?router.addr(fairlead_router::HTTPS),
        admin = %router.admin_addr(),
        "listening"
    );
    tokio::select! {
        () = async {
            router.ready().await;
            tracing::info!("ready");
            std::future::pending::<()>().await;
        } => {}
        () = stop.asked() => {}
    }
    tracing::info!("shutting down");
    tokio::select! {
        cut = router.shutdown() => tracing::info!(cut, "stopped"),
        () = stop.asked() => return Err("stopped at once by a second signal".into()),
    }
    Ok(())
}

/// The signals that ask for an end.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
