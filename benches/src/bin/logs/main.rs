//! Fairlead's log pipeline beside its peers, in one run on one machine. What is compared, how, and what
//! it does not show is in `docs/benchmarks/README.md`; each scenario is in a file of `scenarios/`.
#![forbid(unsafe_code)]

mod logd;
mod options;
mod peers;
mod roles;
mod scenarios;
mod stage;

use std::{io, process::ExitCode};

use clap::{Parser, Subcommand};
use fairlead_benches::{ProcessError, Report, UnknownScenario, chosen};

use self::{options::Options, stage::Stage};

// The ring is measured in this process, and its memory comes from here.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("two cores are needed, one of them for what is measured; this process may use {0}")]
    Cores(usize),
    #[error("{peer} stalled: {arrived} of {lines} lines arrived")]
    Stalled { peer: &'static str, arrived: u64, lines: u64 },
    #[error("{0}")]
    Role(String),
    #[error("logd: {0}")]
    Logd(String),
    #[error(transparent)]
    Scenario(#[from] UnknownScenario),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Compares Fairlead's log pipeline with rsyslog, and its ring with a locked queue.
#[derive(Parser, Debug)]
struct Cli {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    options: Options,
}

/// What this binary is where a part of the pipeline is to be a process that can be killed.
#[derive(Subcommand, Debug)]
enum Role {
    /// fairlead-shipper.
    #[command(hide = true)]
    Shipper(Box<fairlead_shipper::Flags>),
    /// fairlead-logd.
    #[command(hide = true)]
    Logd(Box<fairlead_logd::Flags>),
}

fn main() -> ExitCode {
    // Before anything else: other crates install another provider where there is none.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let cli = Cli::parse();
    let result = match cli.role {
        Some(Role::Shipper(flags)) => roles::shipper(*flags),
        Some(Role::Logd(flags)) => roles::logd(*flags),
        None => compare(&cli.options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("logs: {error}");
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
        name: "logs",
        title: "Logs: Fairlead beside its peers",
        date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        machine,
        programs: stage.programs(),
        subject: "Fairlead",
        references: vec!["rsyslog", "locked queue", scenarios::drains::ALONE],
        scenarios: Vec::new(),
    };
    for scenario in scenarios {
        report.scenarios.push(runtime.block_on(scenario.run(&stage))?);
    }
    println!("{}", report.markdown());
    if let Some(folder) = &options.write {
        report.write(folder)?;
    }
    Ok(())
}
