//! The logger as a program: flags in, signals, exit code out.
#![forbid(unsafe_code)]

use std::{io::IsTerminal as _, process::ExitCode, time::Duration};

use clap::Parser as _;
use fairlead_logd::{Flags, Logd, LogdOptions, Peers, drains_of_deis};
use tokio::{
    runtime::Builder,
    signal::unix::{Signal, SignalKind, signal},
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

    let delay = flags.shutdown_delay();
    let lines = std::env::var("NUMBER_OF_LINES").ok().and_then(|lines| lines.parse().ok());
    let run = || -> Result<(), Box<dyn std::error::Error>> {
        let peers = flags.peers()?;
        let mut options = flags.options(lines)?;
        // Others' variables may be no text.
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let (of_deis, warnings) = drains_of_deis(variables);
        options.drains.platform.extend(of_deis);
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        let runtime = Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            if peers.is_some() || options.drains.needs_api() {
                let client = client().await?;
                options.peers =
                    peers.map(|(service, name)| Peers::follow(service, name, client.clone()));
                options.drains.client = Some(client);
            }
            run(options, delay).await
        })
    };
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn client() -> Result<kube::Client, Box<dyn std::error::Error>> {
    let mut config = kube::Config::infer().await.map_err(|error| {
        format!("no Kubernetes API: {error}; set KUBECONFIG, or leave out --peers, --namespace and --drain-namespaces")
    })?;
    // Longer than a watch may be silent; a server that went away without a word is noticed.
    config.read_timeout = Some(Duration::from_secs(300));
    Ok(kube::Client::try_from(config)?)
}

async fn run(options: LogdOptions, delay: Duration) -> Result<(), Box<dyn std::error::Error>> {
    let mut stop = Stop::new()?;
    let logd = Logd::start(options)?;
    tracing::info!(http = %logd.http_addr(), wire = %logd.wire_addr(), "listening");
    stop.asked().await;
    tracing::info!("shutting down");
    tokio::select! {
        () = logd.shutdown(delay) => {}
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
