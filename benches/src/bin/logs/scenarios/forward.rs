//! What it costs to send on what stands in files.

use fairlead_benches::{
    Column, Row, Scenario,
    logs::{kubelet::fill, lines::Lines},
};

use super::names;
use crate::{
    BenchError,
    stage::{SEED, Stage},
};

pub(crate) const NAME: &str = "forward";

/// Files that lines are spread over.
const FILES: usize = 10;

pub(crate) async fn run(stage: &Stage) -> Result<Scenario, BenchError> {
    let lines = Lines::new(SEED);
    let pods = stage.folder()?;
    let each = stage.extent.lines / FILES as u64;
    let truth = fill(&pods, names(FILES), &lines, SEED, each)?;
    let bytes: u64 = truth.containers().iter().flat_map(|c| &c.files).map(|file| file.size).sum();
    let mut rows: Vec<_> = stage.peers.iter().map(|peer| Row::new(peer.name())).collect();
    for round in 0..stage.extent.rounds {
        for turn in 0..rows.len() {
            let number = (round + turn) % rows.len();
            let peer = &stage.peers[number];
            let mut running = peer.run(&lines, &pods, &stage.folder()?, &stage.core).await?;
            running.wait(truth.lines()).await?;
            let (cpu, memory) = (running.process.cpu()?, running.process.pss()?);
            let per_line = |seconds: f64| seconds * 1e6 / truth.lines() as f64;
            let span = running.receiving.arrivals.span();
            rows[number].samples.push(vec![
                per_line(span.as_secs_f64()),
                per_line(cpu.total.as_secs_f64()),
                memory as f64 / f64::from(1 << 20),
            ]);
        }
    }
    Ok(Scenario {
        name: NAME,
        title: "Sending on what stands in files".to_owned(),
        setting: format!(
            "{} lines, {} bytes each in the mean, stand in {FILES} files in memory; each peer sends them \
             over loopback TCP to a receiver on the other core that checks every byte. The shipper \
             parses CRI lines, joins those that the runtime cut, and sends acknowledged batches \
             compressed with Zstandard; rsyslog parses nothing, joins nothing and sends lines as they \
             stand there, without acknowledgement. Time counts from the first line that arrives to the \
             last; CPU from the start of the process. Target: at most 0.4 × rsyslog's.",
            truth.lines(),
            bytes / truth.lines().max(1),
        ),
        columns: vec![
            Column::compared("µs per line", 3),
            Column::compared("CPU µs per line", 3),
            Column::beside("MiB at the end", 1),
        ],
        rows,
    })
}
