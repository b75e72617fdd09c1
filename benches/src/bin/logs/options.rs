//! The command line, and how much of everything is measured.

use std::io;
use std::path::PathBuf;

use clap::Args;

use crate::peers::Program;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The `fairlead-shipper` binary [default: the one beside this program, else this program]
    #[arg(long)]
    pub(crate) shipper: Option<PathBuf>,
    /// The `fairlead-logd` binary [default: the one beside this program, else this program]
    #[arg(long)]
    pub(crate) logd: Option<PathBuf>,
    /// Under 3 minutes in all: fewer and shorter rounds; figures to look at, not to keep
    #[arg(long)]
    pub(crate) quick: bool,
    /// The least that goes through everything; its figures mean nothing
    #[arg(long, hide = true, conflicts_with = "quick")]
    pub(crate) tiny: bool,
    /// Only this scenario; may be given several times
    #[arg(long = "scenario", value_name = "NAME")]
    pub(crate) scenarios: Vec<String>,
    /// Folder to write logs.md, logs.json and the plots into
    #[arg(long, value_name = "FOLDER")]
    pub(crate) write: Option<PathBuf>,
}

/// How much of everything is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// How often each one has its turn.
    pub(crate) rounds: usize,
    /// Lines that stand in files.
    pub(crate) lines: u64,
    /// Length of a turn at a steady rate.
    pub(crate) seconds: f64,
    /// How many seconds those that are killed stay away.
    pub(crate) down: &'static [u64],
    /// How many seconds they run before and after.
    pub(crate) up: f64,
    /// Records appended to a ring in a turn.
    pub(crate) records: u64,
    /// Payload bytes that a ring may hold.
    pub(crate) ring: u64,
    /// Pods that are new.
    pub(crate) pods: usize,
    /// Answers in a turn.
    pub(crate) reads: u32,
    /// Drains of a logd.
    pub(crate) drains: usize,
    /// Whether rates have to be reached for figures to count.
    pub(crate) rates: bool,
}

const FULL: Extent = Extent {
    rounds: 5,
    lines: 1_000_000,
    seconds: 8.0,
    down: &[2, 15],
    up: 6.0,
    records: 10_000_000,
    ring: 64 << 20,
    pods: 100,
    reads: 50,
    drains: 1_000,
    rates: true,
};

const QUICK: Extent =
    Extent { rounds: 3, lines: 300_000, seconds: 2.0, records: 2_000_000, pods: 30, ..FULL };

const TINY: Extent = Extent {
    rounds: 1,
    lines: 3_000,
    seconds: 0.2,
    down: &[1],
    up: 0.5,
    records: 10_000,
    ring: 1 << 20,
    pods: 2,
    reads: 1,
    drains: 20,
    rates: false,
};

impl Options {
    pub(crate) fn extent(&self) -> Extent {
        match (self.quick, self.tiny) {
            (true, _) => QUICK,
            (_, true) => TINY,
            _ => FULL,
        }
    }

    /// logd.
    pub(crate) fn logd(&self) -> io::Result<Program> {
        Program::find(self.logd.as_ref(), "fairlead-logd", "logd")
    }

    /// The shipper.
    pub(crate) fn shipper(&self) -> io::Result<Program> {
        Program::find(self.shipper.as_ref(), "fairlead-shipper", "shipper")
    }
}
