//! What is lost when an agent is killed while logs are rotated.

use std::time::Duration;

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

pub(crate) const NAME: &str = "killed";

const FILES: usize = 4;
const RATE: u64 = 20_000;
const ROTATION: Rotation = Rotation::every(2, 5);
/// Nothing came for so long: nothing comes any more.
const SILENCE: Duration = Duration::from_secs(5);

/// All peers follow the same files, and are killed at the same time.
pub(crate) async fn run(stage: &Stage) -> Result<Scenario, BenchError> {
    let lines = Lines::new(SEED);
    let mut rows: Vec<_> = stage.peers.iter().map(|peer| Row::new(peer.name())).collect();
    let mut samples = vec![Vec::new(); rows.len()];
    let up = Duration::from_secs_f64(stage.extent.up);
    for down in stage.extent.down {
        let pods = stage.folder()?;
        let mut node = Node::start(pods.clone(), lines.clone(), SEED, ROTATION);
        for name in names(FILES) {
            node.run(name)?;
        }
        node.rate(RATE);
        let mut running = Vec::new();
        for peer in &stage.peers {
            let folder = stage.folder()?;
            let run = peer.run(&lines, &pods, &folder, &stage.core).await?;
            running.push((peer, folder, run.process, run.receiving));
        }
        sleep(up).await;
        let mut waiting = Vec::new();
        for (peer, folder, process, receiving) in running {
            process.signal(nix::sys::signal::Signal::SIGKILL)?;
            drop(process);
            waiting.push((peer, folder, receiving));
        }
        sleep(Duration::from_secs(*down)).await;
        let mut running = Vec::new();
        for (peer, folder, receiving) in waiting {
            let process = peer.start(&pods, &folder, &receiving, &stage.core)?;
            running.push((process, receiving));
        }
        sleep(up).await;
        let truth = node.stop()?;
        for ((_process, receiving), samples) in running.iter().zip(&mut samples) {
            receiving.arrivals.wait(truth.lines(), SILENCE).await;
            let gaps = receiving.gaps();
            let verdict = receiving.arrivals.check(|checker| checker.verdict(&truth, &gaps));
            let share = |lines: u64| lines as f64 * 100.0 / verdict.written as f64;
            samples.push(share(verdict.missing));
            samples.push(share(verdict.unexplained));
            samples.push(share(verdict.tally.duplicated));
        }
    }
    for (row, sample) in rows.iter_mut().zip(samples) {
        row.samples.push(sample);
    }
    let column = |down: u64, what: &str| Column::beside(format!("{what} %, {down} s"), 2);
    Ok(Scenario {
        name: NAME,
        title: "Killed while logs are rotated".to_owned(),
        setting: format!(
            "{FILES} containers write {RATE} lines a second together; their logs are rotated at 2 MiB every \
             5 s, five files each, as a kubelet does. All peers follow the same files, are killed with \
             `kill -9` and started again after some seconds. Lines that are lost, lost without a word, and \
             sent twice, of all lines. The node has all lines all the time. Target: 0."
        ),
        columns: (stage.extent.down.iter())
            .flat_map(|down| ["lost", "untold", "twice"].map(|what| column(*down, what)))
            .collect(),
        rows,
    })
}
