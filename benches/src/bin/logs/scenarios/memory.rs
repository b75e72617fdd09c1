//! What logd takes of memory for what it holds.

use std::ops::RangeInclusive;

use fairlead_benches::{Column, Row, Scenario};

use crate::{
    BenchError,
    logd::{Logd, PAYLOAD, Sender},
    stage::Stage,
};

pub(crate) const NAME: &str = "memory";

/// Apps that are full.
const FULL: u32 = 16;
/// Apps with a line.
const SMALL: u32 = 2_000;
/// Apps that write before the next look at the memory.
const GROUP: u32 = 100;
/// Lines of a batch.
const BATCH: u32 = 1_000;
const MIB: f64 = 1_048_576.0;

pub(crate) async fn run(stage: &Stage) -> Result<Scenario, BenchError> {
    let mut row = Row::new("Fairlead");
    let full = stage.extent.ring / u64::from(FULL);
    let small = SMALL.min(stage.extent.records as u32 / 100);
    for _ in 0..stage.extent.rounds {
        row.samples.push(vec![
            per_byte(stage, full).await?,
            per_app(stage, small).await?,
            churn(stage, small).await?,
        ]);
    }
    let budget = stage.extent.ring >> 20;
    Ok(Scenario {
        name: NAME,
        title: "Memory".to_owned(),
        setting: format!(
            "What the process has more (Pss) for each byte of the lines that it holds, of {FULL} apps with \
             {:.0} MiB each and lines of {PAYLOAD} bytes; for each of {small} apps with one line; and for each \
             byte of its budget of {budget} MiB while these {small} apps write several times as much. \
             Targets: at most 1.15 bytes, 6 KiB, 1.1 bytes.",
            full as f64 / MIB
        ),
        columns: vec![
            Column::compared("bytes per byte held", 3),
            Column::compared("KiB per further app", 2),
            Column::compared("bytes per byte of the budget", 3),
        ],
        rows: vec![row],
    })
}

/// What was needed to take lines, but not to keep them, is there before.
async fn started(stage: &Stage, flags: &[&str]) -> Result<(Logd, Sender, f64), BenchError> {
    let logd = Logd::start(&stage.logd, flags, &stage.core).await?;
    let mut sender = Sender::start(&logd).await?;
    for _ in 0..16 {
        sender.send(0, BATCH).await?;
    }
    let before = logd.memory()?;
    Ok((logd, sender, before))
}

async fn held(logd: &Logd) -> Result<f64, BenchError> {
    let accepted = logd.metric("fairlead_logd_accepted_records_total").await?;
    let evicted = logd.metric("fairlead_logd_evicted_records_total{cause=\"limit\"}").await?;
    Ok((accepted - evicted) as f64 * PAYLOAD as f64)
}

async fn per_byte(stage: &Stage, full: u64) -> Result<f64, BenchError> {
    let bytes = full.to_string();
    let (logd, mut sender, before) =
        started(stage, &["--memory", "1Gi", "--app-bytes", &bytes]).await?;
    let held_before = held(&logd).await?;
    let batches = 2 * full / (u64::from(BATCH) * PAYLOAD as u64) + 1;
    for app in 1..=FULL {
        for _ in 0..batches {
            sender.send(app, BATCH).await?;
        }
    }
    Ok((logd.memory()? - before) / (held(&logd).await? - held_before))
}

async fn per_app(stage: &Stage, apps: u32) -> Result<f64, BenchError> {
    let (logd, mut sender, before) = started(stage, &[]).await?;
    for some in groups(apps) {
        sender.send_each(some, 1).await?;
    }
    Ok((logd.memory()? - before) / f64::from(apps) / 1024.0)
}

async fn churn(stage: &Stage, apps: u32) -> Result<f64, BenchError> {
    let budget = stage.extent.ring;
    let (logd, mut sender, before) = started(stage, &["--memory", &budget.to_string()]).await?;
    let batch = 50;
    let rounds = 4 * budget / (u64::from(apps * batch) * PAYLOAD as u64) + 1;
    let mut most = 0.0_f64;
    for _ in 0..rounds {
        for some in groups(apps) {
            sender.send_each(some, batch).await?;
            most = most.max(logd.memory()? - before);
        }
    }
    Ok(most / budget as f64)
}

/// The apps from 1 on, some at a time.
fn groups(apps: u32) -> impl Iterator<Item = RangeInclusive<u32>> {
    (1..=apps).step_by(GROUP as usize).map(move |first| first..=apps.min(first + GROUP - 1))
}
