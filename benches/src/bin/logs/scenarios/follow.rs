//! How long a line takes from a container to those who follow its app.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fairlead_benches::{
    Column, Process, Row, Scenario,
    logs::{Lines, Node, Rotation, follower},
    stats::quantile,
};
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::names;
use crate::{
    BenchError,
    logd::Logd,
    stage::{SEED, Stage},
};

pub(crate) const NAME: &str = "follow";

const APPS: usize = 100;
const RATE: u64 = 50_000;
const WARM_UP: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

/// In milliseconds.
type Latencies = Arc<Mutex<Vec<f64>>>;

pub(crate) async fn run(stage: &Stage) -> Result<Scenario, BenchError> {
    let mut row = Row::new("Fairlead");
    for _ in 0..stage.extent.rounds {
        row.samples.push(round(stage).await?);
    }
    Ok(Scenario {
        name: NAME,
        title: "Following".to_owned(),
        setting: format!(
            "{APPS} containers write {RATE} lines a second together; each is an app, and each has a follower. \
             Time from the write into the container's log until the follower has the line, through shipper \
             and logd. Target: p99 at most 20 ms."
        ),
        columns: vec![
            Column::compared("p50 ms", 1),
            Column::compared("p99 ms", 1),
            Column::beside("p99.9 ms", 1),
            Column::beside("shipper % of a core", 1),
            Column::beside("logd % of a core", 1),
        ],
        rows: vec![row],
    })
}

async fn round(stage: &Stage) -> Result<Vec<f64>, BenchError> {
    let folder = stage.folder()?;
    let pods = folder.join("pods");
    let mut node = Node::start(pods.clone(), Lines::new(SEED), SEED, Rotation::DEFAULT);
    let names = names(APPS);
    for name in &names {
        node.run(name.clone())?;
    }
    let logd = Logd::start(&stage.logd, &[], &stage.core).await?;
    let mut command = stage.shipper.command();
    command.args(["--no-api", "--admin", "127.0.0.1:0", "--log", "error"]);
    command.arg("--logd").arg(format!("http://{}", logd.wire));
    command.arg("--pods").arg(&pods).arg("--state").arg(folder.join("state"));
    let shipper = Process::start("shipper", &mut command, &stage.core)?;
    node.rate(RATE);
    let latencies = Latencies::default();
    let mut followers = JoinSet::new();
    for name in names {
        followers.spawn(follow(logd.http, format!("shop/{}", name.pod), latencies.clone()));
    }
    sleep(WARM_UP).await;
    latencies.lock().clear();
    let cpu = || Ok::<_, BenchError>([shipper.cpu()?, logd.process.cpu()?]);
    let (before, begun) = (cpu()?, Instant::now());
    sleep(Duration::from_secs_f64(stage.extent.seconds)).await;
    let (after, span) = (cpu()?, begun.elapsed().as_secs_f64());
    let mut latencies = std::mem::take(&mut *latencies.lock());
    node.stop()?;
    let share = |which: usize| (after[which] - before[which]).total.as_secs_f64() * 100.0 / span;
    let arrived = latencies.len() as f64 / span;
    if stage.extent.rates && arrived < 0.9 * RATE as f64 {
        return Err(BenchError::Logd(format!("only {arrived:.0} lines a second arrived")));
    }
    latencies.sort_by(f64::total_cmp);
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| quantile(&latencies, q));
    Ok(vec![p50, p99, p999, share(0), share(1)])
}

/// Until it is aborted.
async fn follow(logd: std::net::SocketAddr, app: String, latencies: Latencies) {
    let path = format!("/logs/{app}?follow=true&log_lines=1");
    loop {
        if let Ok(mut answer) = follower::get(logd, &path).await {
            let mut line_begins = true;
            while let Ok(Some(bytes)) = answer.next().await {
                let now = Timestamp::now();
                let latency = |line: &[u8]| {
                    // `2026-11-20T10:00:00.123456+00:00 app[…`
                    let time = std::str::from_utf8(line.get(..32)?).ok()?;
                    let time: Timestamp = time.parse().ok()?;
                    Some(now.duration_since(time).as_secs_f64() * 1e3)
                };
                let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
                let mut found = Vec::new();
                // The end of a line that an earlier piece began.
                if !line_begins {
                    lines.next();
                }
                found.extend(lines.filter_map(latency));
                line_begins = bytes.ends_with(b"\n");
                latencies.lock().extend(found);
            }
        }
        sleep(PAUSE).await;
    }
}
