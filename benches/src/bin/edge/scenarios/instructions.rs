//! Instructions, counted by valgrind: of a proxied request, of compiling a table and of a look-up.

use std::{process::Command, time::Duration};

use fairlead_benches::{
    Column, Process, Row, Scenario,
    callgrind::{self, Callgrind, Counted},
};

use crate::{
    BenchError,
    load::{Client as _, http1::Connection},
    peers::Peer,
    stage::{self, Stage},
};

pub(super) const NAME: &str = "instructions";

/// Requests before counting, so that everything is warm.
const WARM: usize = 50;
/// Under valgrind a proxy is slow, and slower still if it is asked all the time.
const ASK: Duration = Duration::from_millis(100);

/// The requests; then the tables. None without valgrind.
pub(super) async fn run(stage: &Stage) -> Result<Vec<Scenario>, BenchError> {
    let Some(callgrind) = &stage.peers.callgrind else { return Ok(Vec::new()) };
    Ok(vec![requests(stage, callgrind).await?, tables(stage, callgrind)?])
}

async fn requests(stage: &Stage, callgrind: &Callgrind) -> Result<Scenario, BenchError> {
    let mut rows = Vec::new();
    for peer in &stage.peers.found {
        let count = per_request(stage, callgrind, peer).await?;
        eprintln!("{NAME}: {} {count:.0} per request", peer.name);
        rows.push(Row { samples: vec![vec![count]], ..Row::new(peer.name) });
    }
    Ok(Scenario {
        name: NAME,
        title: "Instructions of a request".to_owned(),
        setting: format!(
            "Counted by valgrind's callgrind in the whole process, without the kernel's: HTTP/1.1 in the clear, answers of 80 bytes, {} requests one after another on one connection.",
            stage.extent.counted
        ),
        columns: vec![Column::compared("instructions per request", 0)],
        rows,
    })
}

async fn per_request(stage: &Stage, callgrind: &Callgrind, peer: &Peer) -> Result<f64, BenchError> {
    let failed = |source| BenchError::Load { peer: peer.name, source };
    let out = stage.folder()?.join("count");
    let (mut process, address) = stage.place(&stage.api.kubeconfig, |place| {
        let mut command = callgrind.wrap(&peer.command(place)?, Counted::OnDemand, &out);
        Ok((Process::start(peer.name, &mut command, &stage.proxy_core)?, place.http))
    })?;
    let target = stage.small(address);
    stage::ready(&mut process, &target, ASK).await?;
    let mut connection = Connection::open(&target).await.map_err(failed)?;
    for _ in 0..WARM {
        connection.exchange().await.map_err(failed)?;
    }
    callgrind.begin(&process)?;
    for _ in 0..stage.extent.counted {
        connection.exchange().await.map_err(failed)?;
    }
    callgrind.end(&process)?;
    drop(connection);
    process.interrupt()?;
    Ok(callgrind::instructions(&out)? / stage.extent.counted as f64)
}

fn tables(stage: &Stage, callgrind: &Callgrind) -> Result<Scenario, BenchError> {
    let times = stage.extent.counted;
    let mut rows = Vec::new();
    let mut count = |name: String, work: &str, apps: usize, times: Option<usize>| {
        let count = working(stage, callgrind, work, apps, times)?;
        eprintln!("{NAME}: {name} {count:.0}");
        rows.push(Row { samples: vec![vec![count]], ..Row::beside(name) });
        Ok::<_, BenchError>(())
    };
    let sizes = stage.extent.changed;
    for &apps in sizes {
        count(format!("compile an app, one of {apps}"), "compile", apps, None)?;
    }
    for &apps in sizes {
        count(format!("change one of {apps} apps"), "change", apps, Some(times))?;
    }
    for &apps in sizes {
        count(format!("look up a route among {apps} apps"), "lookup", apps, Some(times))?;
    }
    Ok(Scenario {
        name: "instructions-table",
        title: "Instructions of the routing table".to_owned(),
        setting: "Fairlead's table alone, counted as above: from objects in memory to a table in use, and from a host and a path to a rule.".to_owned(),
        columns: vec![Column::compared("instructions", 0)],
        rows,
    })
}

/// The instructions of the program `table` at `work`, for each time that it is done.
fn working(
    stage: &Stage,
    callgrind: &Callgrind,
    work: &str,
    apps: usize,
    times: Option<usize>,
) -> Result<f64, BenchError> {
    let out = stage.folder()?.join("count");
    let program = std::env::current_exe()?.with_file_name("table");
    let mut command = Command::new(program);
    command.arg(work).arg(apps.to_string()).args(times.map(|times| times.to_string()));
    callgrind.wrap(&command, Counted::Within("*table::counted*"), &out).status()?;
    Ok(callgrind::instructions(&out)? / times.unwrap_or(apps) as f64)
}
