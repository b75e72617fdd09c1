//! The command line, and how much of everything is measured.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct Options {
    /// The `fairlead-router` binary [default: the one beside this program]
    #[arg(long)]
    pub(crate) fairlead: Option<PathBuf>,
    /// Under 3 minutes in all: fewer and shorter rounds, fewer apps; figures to look at, not to keep
    #[arg(long)]
    pub(crate) quick: bool,
    /// The least that goes through everything; its figures mean nothing
    #[arg(long, hide = true, conflicts_with = "quick")]
    pub(crate) tiny: bool,
    /// Only this scenario; may be given several times
    #[arg(long = "scenario", value_name = "NAME")]
    pub(crate) scenarios: Vec<String>,
    /// Only this peer, such as nginx; may be given several times
    #[arg(long = "peer", value_name = "NAME")]
    pub(crate) peers: Vec<String>,
    /// Folder to write edge.md, edge.json and the plots into
    #[arg(long, value_name = "FOLDER")]
    pub(crate) write: Option<PathBuf>,
}

/// How much of everything is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// How often each peer has its turn under load.
    pub(crate) rounds: usize,
    /// Length of one turn.
    pub(crate) seconds: f64,
    /// Not counted, before each turn: connections are opened and caches warm.
    pub(crate) warm_up: f64,
    /// How often each peer is started anew to see its memory, and its time to start.
    pub(crate) starts: usize,
    /// Between the start with many apps and a look at the memory.
    pub(crate) settle: f64,
    /// Connections that are opened and left idle.
    pub(crate) idle: usize,
    /// How often each kind of change is made.
    pub(crate) changes: usize,
    /// How often a peer that has to reload does so.
    pub(crate) reloads: usize,
    /// Apps that are there when changes are made.
    pub(crate) changed: &'static [usize],
    /// Apps that are there at the start, from few to many.
    pub(crate) started: &'static [usize],
    /// Requests whose instructions are counted.
    pub(crate) counted: usize,
}

const FULL: Extent = Extent {
    rounds: 5,
    seconds: 2.5,
    warm_up: 0.5,
    starts: 5,
    settle: 1.0,
    idle: 2_000,
    changes: 200,
    reloads: 10,
    changed: &[10, 1_000, 10_000],
    started: &[10, 1_000, 5_000, 10_000],
    counted: 2_000,
};

const QUICK: Extent = Extent {
    rounds: 3,
    seconds: 1.0,
    warm_up: 0.2,
    starts: 1,
    settle: 1.0,
    idle: 400,
    changes: 20,
    reloads: 3,
    changed: &[10, 1_000],
    started: &[10, 5_000],
    counted: 500,
};

const TINY: Extent = Extent {
    rounds: 1,
    seconds: 0.05,
    warm_up: 0.02,
    starts: 1,
    settle: 0.0,
    idle: 8,
    changes: 1,
    reloads: 1,
    changed: &[2],
    started: &[2, 4],
    counted: 4,
};

impl Options {
    pub(crate) fn extent(&self) -> Extent {
        match (self.quick, self.tiny) {
            (true, _) => QUICK,
            (_, true) => TINY,
            _ => FULL,
        }
    }

    /// The router's binary, where there is one.
    pub(crate) fn fairlead(&self) -> Option<PathBuf> {
        let beside = || Some(std::env::current_exe().ok()?.with_file_name("fairlead-router"));
        self.fairlead.clone().or_else(beside).filter(|program| program.is_file())
    }
}
