//! What is measured: a file for each kind of scenario.

mod append;
mod drain;
pub(crate) mod drains;
mod first;
mod follow;
mod forward;
mod killed;
mod memory;
mod read;
mod steady;
mod stored;

use fairlead_benches::{Scenario, logs::truth::ContainerName};

use crate::{BenchError, stage::Stage};

/// One scenario.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Forward,
    Stored,
    Steady,
    Idle,
    First,
    Killed,
    Append,
    Dump,
    Memory,
    Read,
    Follow,
    Drain,
    Drains,
}

/// All of them, in their order.
pub(crate) const ALL: [(&str, Kind); 13] = [
    (forward::NAME, Kind::Forward),
    (stored::NAME, Kind::Stored),
    (steady::STEADY, Kind::Steady),
    (steady::IDLE, Kind::Idle),
    (first::NAME, Kind::First),
    (killed::NAME, Kind::Killed),
    (append::APPEND, Kind::Append),
    (append::DUMP, Kind::Dump),
    (memory::NAME, Kind::Memory),
    (read::NAME, Kind::Read),
    (follow::NAME, Kind::Follow),
    (drain::NAME, Kind::Drain),
    (drains::NAME, Kind::Drains),
];

impl Kind {
    /// Runs it.
    pub(crate) async fn run(self, stage: &Stage) -> Result<Scenario, BenchError> {
        match self {
            Self::Forward => forward::run(stage).await,
            Self::Stored => stored::run(stage).await,
            Self::Steady => steady::steady(stage).await,
            Self::Idle => steady::idle(stage).await,
            Self::First => first::run(stage).await,
            Self::Killed => killed::run(stage).await,
            Self::Append => append::append(stage),
            Self::Dump => append::dumped(stage),
            Self::Memory => memory::run(stage).await,
            Self::Read => read::run(stage).await,
            Self::Follow => follow::run(stage).await,
            Self::Drain => drain::run(stage).await,
            Self::Drains => drains::run(stage).await,
        }
    }
}

/// So many containers, each in a pod of its own.
fn names(count: usize) -> Vec<ContainerName> {
    let name = |number| ContainerName {
        namespace: "shop".to_owned(),
        pod: format!("web-{number}"),
        uid: format!("00000000-0000-4000-8000-{number:012}"),
        container: "web".to_owned(),
    };
    (0..count).map(name).collect()
}
