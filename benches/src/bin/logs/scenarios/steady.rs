//! What a node agent costs while containers write at a steady rate, and while they write nothing.

use std::time::{Duration, Instant};

use fairlead_benches::{
    Column, Row, Scenario,
    logs::{Lines, Node, Rotation},
};
use tokio::time::sleep;

use super::names;
use crate::{
    BenchError,
    stage::{SEED, Stage},
};

pub(crate) const STEADY: &str = "steady";
pub(crate) const IDLE: &str = "idle";

/// Lines a second, over all files.
const RATE: u64 = 10_000;
const FILES: usize = 100;
const IDLE_FILES: usize = 1_000;
/// Not counted, at most: files are found and opened.
const WARM_UP: Duration = Duration::from_secs(2);

pub(crate) async fn steady(stage: &Stage) -> Result<Scenario, BenchError> {
    Ok(Scenario {
        name: STEADY,
        title: "At a steady rate".to_owned(),
        setting: format!(
            "{FILES} containers write {RATE} lines a second together, rotated at 10 MiB. \
             Target: at most 3 % of a core and 24 MiB."
        ),
        columns: columns(),
        rows: run(stage, FILES, RATE).await?,
    })
}

pub(crate) async fn idle(stage: &Stage) -> Result<Scenario, BenchError> {
    Ok(Scenario {
        name: IDLE,
        title: "Idle files".to_owned(),
        setting: format!(
            "{IDLE_FILES} containers have written some lines and write no more. \
             Target: at most 0.3 % of a core and 32 MiB."
        ),
        columns: columns(),
        rows: run(stage, IDLE_FILES, 0).await?,
    })
}

fn columns() -> Vec<Column> {
    vec![Column::compared("% of a core", 2), Column::compared("MiB", 1)]
}

async fn run(stage: &Stage, files: usize, rate: u64) -> Result<Vec<Row>, BenchError> {
    let lines = Lines::new(SEED);
    let length = Duration::from_secs_f64(stage.extent.seconds);
    let mut rows: Vec<_> = stage.peers.iter().map(|peer| Row::new(peer.name())).collect();
    for round in 0..stage.extent.rounds {
        for turn in 0..rows.len() {
            let number = (round + turn) % rows.len();
            let pods = stage.folder()?;
            let mut node = Node::start(pods.clone(), lines.clone(), SEED, Rotation::DEFAULT);
            for name in names(files) {
                node.run(name)?;
            }
            // Every file gets its first lines, which an idle one stays at.
            node.rate(rate.max(10 * files as u64));
            sleep(Duration::from_secs(1)).await;
            node.rate(rate);
            let peer = &stage.peers[number];
            let mut running = peer.run(&lines, &pods, &stage.folder()?, &stage.core).await?;
            sleep(WARM_UP.min(length)).await;
            let (before, begun) = (running.process.cpu()?, Instant::now());
            sleep(length).await;
            let cpu = running.process.cpu()? - before;
            let share = cpu.total.as_secs_f64() / begun.elapsed().as_secs_f64();
            let memory = running.process.pss()? as f64 / f64::from(1 << 20);
            rows[number].samples.push(vec![share * 100.0, memory]);
            let truth = node.stop()?;
            running.wait(truth.lines()).await?;
        }
    }
    Ok(rows)
}
