//! `fairlead`: everything on one machine, and the client of what runs elsewhere.
#![forbid(unsafe_code)]

mod demo;
mod demo_cert;
mod drains;
mod logs;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

// As in the router's own binary: the system's allocator costs a proxy a sixth of its CPU.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Edge router, logs and a thin control layer for Kubernetes.
#[derive(Parser, Debug)]
#[command(name = "fairlead", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Up(up::UpArgs),
    Logs(logs::LogsArgs),
    Drains(drains::DrainsArgs),
    Demo(demo::DemoArgs),
    /// Ends what `fairlead up` started, when it is gone.
    #[command(name = "__supervise", hide = true)]
    Supervise,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Up(args) => {
            up::run(args).map_err(|error| Box::new(error) as Box<dyn std::error::Error>)
        }
        Command::Logs(args) => {
            logs::run(args).map_err(|error| Box::new(error) as Box<dyn std::error::Error>)
        }
        Command::Drains(args) => {
            drains::run(args).map_err(|error| Box::new(error) as Box<dyn std::error::Error>)
        }
        Command::Demo(args) => {
            demo::run(args).map_err(|error| Box::new(error) as Box<dyn std::error::Error>)
        }
        Command::Supervise => fairlead_cluster::supervise(std::io::stdin().lock())
            .map_err(|error| Box::new(error) as Box<dyn std::error::Error>),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fairlead: {error}");
            let mut source = error.source();
            while let Some(cause) = source {
                eprintln!("  because: {cause}");
                source = cause.source();
            }
            ExitCode::FAILURE
        }
    }
}
