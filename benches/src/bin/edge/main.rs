//! Fairlead's router, nginx and a bare Pingora proxy side by side in one run: CPU per request and
//! latency at a fixed rate of small HTTP/1.1 requests. What is compared, and why so, is in
//! `docs/benchmarks/README.md`.
#![forbid(unsafe_code)]

mod backend;
mod load;
mod machine;
mod measure;
mod peers;
mod process;
mod report;
mod response;
mod ticker;

use std::{io, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};

use self::{load::LoadError, process::ProcessError};

// The bare proxy is this binary, and the system's allocator would cost it a sixth of its CPU:
// the comparison is with Pingora at its best.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Compares Fairlead's router with nginx and a bare Pingora proxy.
#[derive(Parser, Debug)]
struct Cli {
    #[command(subcommand)]
    role: Option<Role>,
    #[command(flatten)]
    options: Options,
}

#[derive(Args, Debug)]
struct Options {
    /// The `fairlead` binary; without it there is no row for Fairlead
    #[arg(long)]
    fairlead: Option<PathBuf>,
    /// Requests per second
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    /// Keep-alive connections that share them
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// How often each peer is measured
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Length of one measurement
    #[arg(long, default_value_t = 10)]
    seconds: u32,
    /// 5 rounds of 4 seconds
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    quick: bool,
    /// Folder to write edge.md and edge.json into
    #[arg(long)]
    write: Option<PathBuf>,
}

/// What this binary is when it is a part of its own measurement.
#[derive(Subcommand, Debug)]
enum Role {
    /// A Pingora proxy that does nothing but proxy.
    #[command(hide = true)]
    BarePingora { listen: SocketAddr, upstream: SocketAddr },
    /// What is proxied to, where nginx is missing.
    #[command(hide = true)]
    Backend { listen: SocketAddr },
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error("{peer}: {source}")]
    Load { peer: &'static str, source: LoadError },
    #[error("{peer}: {errors} of {requests} requests failed; figures with errors mean nothing")]
    Failed { peer: &'static str, errors: u64, requests: u64 },
    #[error("two cores are needed, one of them for the proxy alone; this process may use {0}")]
    Cores(usize),
    #[error(transparent)]
    Io(#[from] io::Error),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.role {
        Some(Role::BarePingora { listen, upstream }) => peers::serve_bare_pingora(listen, upstream),
        Some(Role::Backend { listen }) => backend::serve(listen).map_err(BenchError::from),
        None => compare(cli.options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("edge: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(mut options: Options) -> Result<(), BenchError> {
    if options.quick {
        (options.rounds, options.seconds) = (5, 4);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let comparison = runtime.block_on(measure::compare(&options))?;
    let markdown = report::markdown(&comparison);
    println!("{markdown}");
    if let Some(folder) = &options.write {
        std::fs::write(folder.join("edge.md"), &markdown)?;
        let mut json = serde_json::to_string_pretty(&comparison).map_err(io::Error::from)?;
        json.push('\n');
        std::fs::write(folder.join("edge.json"), json)?;
    }
    Ok(())
}
