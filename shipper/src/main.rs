//! The node agent as a program: flags in, signals, exit code out.
#![forbid(unsafe_code)]

use std::{io::IsTerminal as _, process::ExitCode, time::Duration};

use clap::Parser as _;
use fairlead_shipper::{Flags, Shipper, own_namespace};
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything else: other crates install another provider where there is none.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let flags = Flags::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(flags.log()))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();

    raise_limit();
    let run = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(run(flags)));
    match run {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// As many files as the system allows: each log that is written is one.
fn raise_limit() {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "cannot raise the limit for open files");
    }
}

async fn run(flags: Flags) -> Result<(), Box<dyn std::error::Error>> {
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let client = if flags.asks_api() {
        let mut config = kube::Config::infer()
            .await
            .map_err(|error| format!("no Kubernetes API: {error}; set KUBECONFIG or --no-api"))?;
        // Longer than a watch may be silent; a server that went away without a word is noticed.
        config.read_timeout = Some(Duration::from_secs(300));
        Some(kube::Client::try_from(config)?)
    } else {
        None
    };
    let options = flags.options(own_namespace())?;
    if !options.excluded_namespaces.is_empty() {
        tracing::info!(namespaces = ?options.excluded_namespaces, "not shipped");
    }
    let shipper = Shipper::start(options, client)?;
    tracing::info!(admin = %shipper.admin_addr(), "started");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    shipper.shutdown().await;
    tracing::info!("stopped");
    Ok(())
}
