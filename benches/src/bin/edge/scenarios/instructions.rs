//! Instructions, counted by valgrind: of a proxied request, of compiling a table and of a look-up.
//! Each is the slope over how often it is done, so that the start of the process does not count.

use std::{path::Path, process::Command, time::Duration};

use fairlead_benches::{Column, Process, Row, Scenario, callgrind, stats::slope};

use crate::{
    BenchError,
    load::{Client as _, http1::Connection},
    peers::Peer,
    stage::{self, Stage},
};

pub(super) const NAME: &str = "instructions";

/// Seldom, since being asked costs instructions too.
const ASK: Duration = Duration::from_millis(200);

/// The requests; then the tables. None without valgrind.
pub(super) async fn run(stage: &Stage) -> Result<Vec<Scenario>, BenchError> {
    let Some(valgrind) = &stage.peers.valgrind else { return Ok(Vec::new()) };
    Ok(vec![requests(stage, valgrind).await?, tables(stage, valgrind)?])
}

async fn requests(stage: &Stage, valgrind: &Path) -> Result<Scenario, BenchError> {
    let most = stage.extent.counted;
    let mut rows = Vec::new();
    for peer in &stage.peers.found {
        let mut points = Vec::new();
        for requests in [most / 4, most] {
            points.push((requests as f64, serving(stage, valgrind, peer, requests).await?));
        }
        let mut row = Row::new(peer.name);
        row.samples.push(vec![slope(&points)]);
        eprintln!("{NAME}: {} {:.0} per request", peer.name, slope(&points));
        rows.push(row);
    }
    Ok(Scenario {
        name: NAME,
        title: "Instructions of a request".to_owned(),
        setting: format!(
            "Counted by valgrind's callgrind in the whole process, without the kernel's: HTTP/1.1 in the clear, answers of 80 bytes, one connection; the slope from {} to {most} requests.",
            most / 4
        ),
        columns: vec![Column::compared("instructions per request", 0)],
        rows,
    })
}

/// The instructions of `peer` from its start to its end, with so many requests between.
async fn serving(
    stage: &Stage,
    valgrind: &Path,
    peer: &Peer,
    requests: usize,
) -> Result<f64, BenchError> {
    let failed = |source| BenchError::Load { peer: peer.name, source };
    let out = stage.folder()?.join("count");
    let (mut process, address) = stage.place(&stage.api.kubeconfig, |place| {
        let mut command = callgrind::wrap(valgrind, &peer.command(place)?, &out);
        Ok((Process::start(peer.name, &mut command, &stage.proxy_core)?, place.http))
    })?;
    let target = stage.small(address);
    stage::ready(&mut process, &target, ASK).await?;
    let mut connection = Connection::open(&target).await.map_err(failed)?;
    for _ in 0..requests {
        connection.exchange().await.map_err(failed)?;
    }
    drop(connection);
    process.interrupt()?;
    Ok(callgrind::instructions(&out)?)
}

fn tables(stage: &Stage, valgrind: &Path) -> Result<Scenario, BenchError> {
    let few = stage.extent.started[0];
    let many = stage.extent.started[stage.extent.started.len() - 1];
    let times = stage.extent.counted;
    let count = |arguments: &[&str], from: usize, to: usize| {
        let mut points = Vec::new();
        for times in [from, to] {
            points.push((times as f64, working(stage, valgrind, arguments, times)?));
        }
        Ok::<_, BenchError>(slope(&points))
    };
    let apps = [few, many].map(|apps| apps.to_string());
    let mut rows = vec![(format!("compile an app, of {few}"), count(&["compile"], few / 2, few)?)];
    for apps in &apps {
        let edit = count(&["edit", apps], times / 4, times)?;
        rows.push((format!("change one of {apps} apps"), edit));
    }
    for apps in &apps {
        let lookup = count(&["lookup", apps], times / 4, times)?;
        rows.push((format!("look up a route among {apps} apps"), lookup));
    }
    let row = |(name, count): (String, f64)| {
        eprintln!("{NAME}: {name} {count:.0}");
        Row { samples: vec![vec![count]], ..Row::beside(name) }
    };
    Ok(Scenario {
        name: "instructions-table",
        title: "Instructions of the routing table".to_owned(),
        setting: "Fairlead's table alone, counted as above: from objects in memory to a table in use, and from a host and a path to a rule.".to_owned(),
        columns: vec![Column::compared("instructions", 0)],
        rows: rows.into_iter().map(row).collect(),
    })
}

/// The instructions of the program `table` with these arguments.
fn working(
    stage: &Stage,
    valgrind: &Path,
    arguments: &[&str],
    times: usize,
) -> Result<f64, BenchError> {
    let out = stage.folder()?.join("count");
    let program = std::env::current_exe()?.with_file_name("table");
    let mut command = Command::new(program);
    command.args(arguments).arg(times.to_string());
    callgrind::wrap(valgrind, &command, &out).status()?;
    Ok(callgrind::instructions(&out)?)
}
