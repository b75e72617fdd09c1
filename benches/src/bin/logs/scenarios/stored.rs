//! What it costs to bring what stands in files into logd's memory.

use std::time::{Duration, Instant};

use fairlead_benches::{
    Column, Process, Row, Scenario,
    logs::{kubelet::fill, lines::Lines},
};
use tokio::time::sleep;

use super::names;
use crate::{
    BenchError,
    logd::Logd,
    stage::{SEED, Stage},
};

pub(crate) const NAME: &str = "stored";

const FILES: usize = 10;
const LOOK: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(stage: &Stage) -> Result<Scenario, BenchError> {
    let pods = stage.folder()?;
    let each = stage.extent.lines / FILES as u64;
    let truth = fill(&pods, names(FILES), &Lines::new(SEED), SEED, each)?;
    let bytes: u64 = truth.containers().iter().flat_map(|c| &c.files).map(|file| file.size).sum();
    let mut row = Row::new("Fairlead");
    for _ in 0..stage.extent.rounds {
        let logd = Logd::start(&stage.logd, &["--memory", "1Gi"], &stage.others).await?;
        let mut command = stage.shipper.command();
        command.args(["--no-api", "--admin", "127.0.0.1:0", "--log", "error"]);
        command.arg("--logd").arg(format!("http://{}", logd.wire));
        command.arg("--pods").arg(&pods).arg("--state").arg(stage.folder()?);
        let begun = Instant::now();
        let shipper = Process::start("shipper", &mut command, &stage.core)?;
        // A line that is cut into pieces is one record: the bytes tell the end.
        let mut last = (0, begun);
        let (mut first, mut all) = (None, 0);
        while last.1.elapsed() < Duration::from_secs(1) || all == 0 {
            if begun.elapsed() > PATIENCE {
                return Err(BenchError::Logd("it takes too long".into()));
            }
            all = logd.metric("fairlead_logd_accepted_records_total").await?;
            if all > 0 {
                first.get_or_insert_with(Instant::now);
            }
            if all != last.0 {
                last = (all, Instant::now());
            }
            sleep(LOOK).await;
        }
        let span = last.1 - first.unwrap_or(begun);
        let per_line = |time: Duration| time.as_secs_f64() * 1e6 / truth.lines() as f64;
        let (shipper, logd) = (shipper.cpu()?.total, logd.process.cpu()?.total);
        row.samples.push(vec![per_line(span), per_line(shipper), per_line(logd)]);
    }
    Ok(Scenario {
        name: NAME,
        title: "From files into logd".to_owned(),
        setting: format!(
            "{} lines, {} bytes each in the mean, stand in {FILES} files in memory; the shipper on one core \
             sends them to logd on the other, compressed and acknowledged. Time counts from the first \
             record that logd has to the last, CPU from the start of the processes. \
             Target: at most 1.67 µs (0.6 million lines a second).",
            truth.lines(),
            bytes / truth.lines().max(1),
        ),
        columns: vec![
            Column::compared("µs per line", 3),
            Column::compared("shipper's CPU µs per line", 3),
            Column::compared("logd's CPU µs per line", 3),
        ],
        rows: vec![row],
    })
}
