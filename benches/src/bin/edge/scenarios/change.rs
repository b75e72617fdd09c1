//! From a change being written to its being served.

mod life;
mod reload;

use fairlead_benches::{
    Column, Row, Scenario,
    stats::{mean, quantile},
};

use crate::{BenchError, api::Api, fleet, stage::Stage};

pub(super) const NAME: &str = "change";

/// A kind of change and how long each took to be served, in milliseconds.
type Took = (String, Vec<f64>);

pub(super) async fn run(stage: &Stage) -> Result<Scenario, BenchError> {
    let sizes = stage.extent.changed;
    let mut rows: Vec<Row> = Vec::new();
    let api = Api::start(&stage.folder()?)?;
    let mut known = 0;
    for (number, &n) in sizes.iter().enumerate() {
        let mut all = Vec::new();
        if let Some(peer) = stage.peers.named("Fairlead") {
            fleet::populate(&api, known..n, stage.backend.address)?;
            known = n;
            all.extend(life::run(stage, peer, &api, n).await?);
        }
        all.extend(reload::run(stage, n).await?);
        for (name, mut took) in all {
            took.sort_by(f64::total_cmp);
            let summary = [mean(&took), quantile(&took, 0.99), quantile(&took, 1.0)];
            eprintln!("{NAME}: {n} apps, {name}: mean, p99, max {summary:.1?} ms");
            let row = match rows.iter_mut().find(|row| row.name == name) {
                Some(row) => row,
                None => rows.push_mut(Row {
                    samples: vec![vec![f64::NAN; sizes.len() * summary.len()]],
                    ..Row::beside(name)
                }),
            };
            row.samples[0][number * summary.len()..][..summary.len()].copy_from_slice(&summary);
        }
    }
    let columns = sizes.iter().flat_map(|n| {
        [
            Column::compared(format!("{n} apps: mean ms"), 1),
            Column::beside("p99", 1),
            Column::beside("max", 1),
        ]
    });
    Ok(Scenario {
        name: NAME,
        title: "From a change to its being served".to_owned(),
        setting: format!(
            "From just before the write to the first request that sees it, asked 4,000 times a second; {} changes of each kind with Fairlead, one after another on a router at rest, {} reloads. \
             With Fairlead the write is one to the store of the Kubernetes API in this process, which its watches tell the router of; nothing but the old answer and then, without return, the new one was seen. \
             To nginx and HAProxy an app is added by writing the whole file and a reload, and a new connection asks (HAProxy can change servers, maps and certificates of a backend that it has while it runs, but not add one); what a controller needs to notice and to write it is not counted. \
             Envoy takes changes from a control plane or from files that it watches, and is left out.",
            stage.extent.changes, stage.extent.reloads
        ),
        columns: columns.collect(),
        rows,
    })
}
