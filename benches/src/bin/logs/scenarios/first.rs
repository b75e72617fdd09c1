//! How long it takes until the first line of a new pod is shown to who follows its app.

use std::fs;
use std::time::{Duration, Instant};

use fairlead_benches::{
    Column, Process, Row, Scenario,
    logs::{Api, api::NODE, follower},
    stats::quantile,
};
use tokio::time::{sleep, timeout};

use crate::{BenchError, logd::Logd, stage::Stage};

pub(crate) const NAME: &str = "first-line";

const PATIENCE: Duration = Duration::from_secs(20);
/// Between two pods.
const PAUSE: Duration = Duration::from_millis(20);

pub(crate) async fn run(stage: &Stage) -> Result<Scenario, BenchError> {
    let mut row = Row::new("Fairlead");
    for _ in 0..stage.extent.rounds {
        let mut latencies = round(stage).await?;
        latencies.sort_by(f64::total_cmp);
        row.samples.push([0.5, 0.99].map(|q| quantile(&latencies, q)).into());
    }
    Ok(Scenario {
        name: NAME,
        title: "The first line of a new pod".to_owned(),
        setting: format!(
            "A client follows an app. {} pods of it are made, one after the other: the pod in the \
             Kubernetes API, its directory, its log with one line. Time from the write of the line until the \
             client has it. Target: p99 at most 250 ms.",
            stage.extent.pods
        ),
        columns: vec![Column::compared("p50 ms", 1), Column::compared("p99 ms", 1)],
        rows: vec![row],
    })
}

async fn round(stage: &Stage) -> Result<Vec<f64>, BenchError> {
    let failed = |error: &dyn std::fmt::Display| BenchError::Logd(error.to_string());
    let api = Api::start().await.map_err(|error| failed(&error))?;
    let folder = stage.folder()?;
    let (pods, kubeconfig) = (folder.join("pods"), api.kubeconfig(&folder)?);
    fs::create_dir(&pods)?;
    let logd = Logd::start(&stage.logd, &[], &stage.core).await?;
    let mut command = stage.shipper.command();
    command.env("KUBECONFIG", kubeconfig).args(["--node", NODE, "--admin", "127.0.0.1:0"]);
    command.args(["--log", "error", "--logd"]).arg(format!("http://{}", logd.wire));
    command.arg("--pods").arg(&pods).arg("--state").arg(folder.join("state"));
    let _shipper = Process::start("shipper", &mut command, &stage.core)?;
    let mut following = None;
    let mut latencies = Vec::new();
    // The first one only tells that everything is up.
    for number in 0..=stage.extent.pods {
        let pod = format!("web-{number}");
        let name = api.pod("shop", &pod, "web").map_err(|error| failed(&error))?;
        let directory = pods.join(format!("shop_{pod}_{}", name.uid)).join("web");
        fs::create_dir_all(&directory)?;
        // What is old leaves before it is shown.
        let line = format!("{:.9} stdout F line {number}.\n", jiff::Timestamp::now());
        let begun = Instant::now();
        fs::write(directory.join("0.log"), line)?;
        let wanted = format!("line {number}.");
        let answer = async {
            if following.is_none() {
                following = Some(follow(&logd).await);
            }
            let Some(answer) = &mut following else { return Ok(()) };
            let mut text = Vec::new();
            while memchr::memmem::find(&text, wanted.as_bytes()).is_none() {
                match answer.next().await {
                    Ok(Some(bytes)) => text.extend_from_slice(&bytes),
                    Ok(None) => return Err(BenchError::Logd("the answer ended".into())),
                    Err(error) => return Err(BenchError::Logd(error.to_string())),
                }
            }
            Ok(())
        };
        timeout(PATIENCE, answer)
            .await
            .map_err(|_| BenchError::Logd(format!("{wanted} did not come")))??;
        if number > 0 {
            latencies.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        sleep(PAUSE).await;
    }
    Ok(latencies)
}

/// Until the app is known.
async fn follow(logd: &Logd) -> follower::Answer {
    loop {
        if let Ok(answer) = follower::get(logd.http, "/logs/shop/web?follow=true&log_lines=9").await
        {
            return answer;
        }
        sleep(PAUSE).await;
    }
}
