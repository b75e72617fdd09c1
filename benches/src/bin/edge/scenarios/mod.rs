//! What is measured: a file for each scenario.

mod change;
mod h1_plain;
mod h1_tls;
mod h2_tls;
mod idle;
mod instructions;
mod new_tls;
mod start;
mod traffic;

use fairlead_benches::Scenario;

use self::traffic::Traffic;
use crate::{BenchError, stage::Stage};

/// One scenario.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// What requests cost.
    Traffic(&'static Traffic),
    Idle,
    Start,
    Change,
    Instructions,
}

/// All of them, in their order.
pub(crate) const ALL: [(&str, Kind); 8] = [
    (h1_plain::H1_PLAIN.name, Kind::Traffic(&h1_plain::H1_PLAIN)),
    (h1_tls::H1_TLS.name, Kind::Traffic(&h1_tls::H1_TLS)),
    (h2_tls::H2_TLS.name, Kind::Traffic(&h2_tls::H2_TLS)),
    (new_tls::NEW_TLS.name, Kind::Traffic(&new_tls::NEW_TLS)),
    (idle::NAME, Kind::Idle),
    (start::NAME, Kind::Start),
    (change::NAME, Kind::Change),
    (instructions::NAME, Kind::Instructions),
];

impl Kind {
    /// Runs it.
    pub(crate) async fn run(self, stage: &Stage) -> Result<Vec<Scenario>, BenchError> {
        match self {
            Self::Traffic(traffic) => Ok(vec![traffic.run(stage).await?]),
            Self::Idle => Ok(vec![idle::run(stage).await?]),
            Self::Start => Ok(vec![start::run(stage).await?]),
            Self::Change => Ok(vec![change::run(stage).await?]),
            Self::Instructions => instructions::run(stage).await,
        }
    }
}
