//! What all scenarios play on: cores, peers, and a folder in memory.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use fairlead_benches::{
    logs::rsyslog::Rsyslog,
    machine::{self, Cores},
    report::Program,
};
use tempfile::TempDir;

use crate::{
    BenchError,
    options::{Extent, Options},
    peers::{self, Peer},
};

/// Decides what containers write.
pub(crate) const SEED: u64 = 4;

/// What a scenario finds when it begins.
pub(crate) struct Stage {
    pub(crate) extent: Extent,
    pub(crate) peers: Vec<Peer>,
    pub(crate) shipper: peers::Program,
    pub(crate) logd: peers::Program,
    /// For what is measured, and nothing else.
    pub(crate) core: Cores,
    /// For everything else.
    pub(crate) others: Cores,
    folder: TempDir,
    folders: Cell<usize>,
}

impl Stage {
    /// Sets everything up, on the cores that are not those of what is measured.
    pub(crate) fn new(options: &Options) -> Result<Self, BenchError> {
        let (core, others) = machine::split()?.map_err(BenchError::Cores)?;
        machine::pin(&others)?;
        // Disks are not what is measured.
        let memory = Path::new("/dev/shm");
        let shipper = options.shipper()?;
        let rsyslog = Rsyslog::find().map(Peer::Rsyslog);
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }?;
        Ok(Self {
            extent: options.extent(),
            peers: std::iter::once(Peer::Shipper(shipper.clone())).chain(rsyslog).collect(),
            shipper,
            logd: options.logd()?,
            core,
            others,
            folder,
            folders: Cell::new(0),
        })
    }

    /// A new empty folder, which goes with the stage.
    pub(crate) fn folder(&self) -> Result<PathBuf, BenchError> {
        self.folders.set(self.folders.get() + 1);
        let folder = self.folder.path().join(self.folders.get().to_string());
        std::fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// Who takes part, in which version.
    pub(crate) fn programs(&self) -> Vec<Program> {
        let rsyslog = Rsyslog::find().and_then(|rsyslog| rsyslog.version());
        vec![
            Program { name: "Fairlead", version: Some(env!("CARGO_PKG_VERSION").to_owned()) },
            Program { name: "rsyslog", version: rsyslog },
        ]
    }
}
