//! Fairlead's router beside its peers, in one run on one machine. What is compared, how, and what it
//! does not show is in `docs/benchmarks/README.md`; each scenario is a file in `scenarios/`.
#![forbid(unsafe_code)]

mod api;
mod backend;
mod certificate;
mod fleet;
mod load;
mod options;
mod peers;
mod scenarios;
mod stage;

use std::{io, net::SocketAddr, process::ExitCode};

use clap::{Parser, Subcommand};
use fairlead_benches::{ProcessError, Report, UnknownScenario, callgrind::CountError, chosen};

use self::{
    api::ApiError,
    certificate::CertificateError,
    load::LoadError,
    options::Options,
    peers::{bare_hyper, bare_pingora, bare_pingora::BareArgs},
    stage::Stage,
};

// The bare proxies are this binary, and the system's allocator would cost them a sixth of their CPU:
// the comparison is with each at its best.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compares Fairlead's router with nginx, HAProxy, Envoy and bare proxies on hyper and Pingora.
#[derive(Parser, Debug)]
struct Cli {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    options: Options,
}

/// What this binary is when it is a part of its own measurement.
#[derive(Subcommand, Debug)]
enum Role {
    /// A Pingora proxy that does nothing but proxy.
    #[command(hide = true, name = bare_pingora::ROLE)]
    BarePingora(BareArgs),
    /// A hyper proxy that does nothing but proxy.
    #[command(hide = true, name = bare_hyper::ROLE)]
    BareHyper(BareArgs),
    /// What is proxied to, where nginx is missing.
    #[command(hide = true)]
    Backend { address: SocketAddr, other: SocketAddr },
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("{peer}: {source}; figures with errors mean nothing")]
    Load { peer: &'static str, source: LoadError },
    #[error("{peer}: {seen}; figures with errors mean nothing")]
    Unexpected { peer: &'static str, seen: String },
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error(transparent)]
    Count(#[from] CountError),
    #[error("two cores are needed, one of them for the proxy alone; this process may use {0}")]
    Cores(usize),
    #[error(transparent)]
    Scenario(#[from] UnknownScenario),
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn main() -> ExitCode {
    // Before anything else: other crates install another provider where there is none.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    let result = match cli.role {
        Some(Role::BarePingora(args)) => bare_pingora::serve(args),
        Some(Role::BareHyper(args)) => {
            bare_hyper::serve(&args).map_err(|error| io::Error::other(error).into())
        }
        Some(Role::Backend { address, other }) => {
            backend::serve(address, other).map_err(BenchError::from)
        }
        None => compare(&cli.options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("edge: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), BenchError> {
    let scenarios = chosen(&scenarios::ALL, &options.scenarios)?;
    // Before this process gives up a core.
    let machine = fairlead_benches::machine::describe();
    let stage = Stage::new(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report {
        name: "edge",
        title: "The edge: Fairlead beside its peers",
        date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        machine,
        programs: stage.peers.programs.clone(),
        subject: "Fairlead",
        references: vec!["nginx", "bare Pingora"],
        scenarios: Vec::new(),
    };
    for scenario in scenarios {
        let found = runtime.block_on(scenario.run(&stage))?;
        report.scenarios.extend(found);
    }
    println!("{}", report.markdown());
    if let Some(folder) = &options.write {
        report.write(folder)?;
    }
    Ok(())
}
