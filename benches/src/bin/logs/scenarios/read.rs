//! What it costs logd to show lines.

use std::time::Duration;

use bytes::Bytes;
use fairlead_benches::{Column, Row, Scenario};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{
    BenchError,
    logd::{Logd, PAYLOAD, Sender},
    stage::Stage,
};

pub(crate) const NAME: &str = "read";

const APP: &str = "/logs/shop/app-0?log_lines=1000";
const BATCH: u32 = 1_000;

pub(crate) async fn run(stage: &Stage) -> Result<Scenario, BenchError> {
    let ring = stage.extent.ring / 2;
    let bytes = ring.to_string();
    let mut row = Row::new("Fairlead");
    for _ in 0..stage.extent.rounds {
        let flags = ["--memory", "1Gi", "--app-bytes", &bytes];
        let logd = Logd::start(&stage.logd, &flags, &stage.core).await?;
        let mut sender = Sender::start(&logd).await?;
        for _ in 0..=ring / (u64::from(BATCH) * PAYLOAD as u64) {
            sender.send(0, BATCH).await?;
        }
        let mut client = connect(&logd).await?;
        let reads = stage.extent.reads;
        let newest = cost(&logd, &mut client, APP, 10 * reads).await?;
        let substring = cost(&logd, &mut client, &format!("{APP}&contains=nowhere"), reads).await?;
        let regex = cost(&logd, &mut client, &format!("{APP}&regex=no.here"), reads).await?;
        let gigabytes = |time: Duration| ring as f64 / 1e9 / time.as_secs_f64();
        row.samples.push(vec![
            newest.as_secs_f64() * 1e6,
            substring.as_secs_f64() * 1e3,
            regex.as_secs_f64() * 1e3,
            gigabytes(substring),
            gigabytes(regex),
        ]);
    }
    Ok(Scenario {
        name: NAME,
        title: "Reading".to_owned(),
        setting: format!(
            "An app holds {} MiB of lines of {PAYLOAD} bytes. logd's CPU time for an answer with its newest \
             1,000 lines as text, HTTP and sockets included; and for one that finds none of all lines, by \
             substring and by regular expression. Targets: at most 100 µs; at least 2 GB/s.",
            ring >> 20
        ),
        columns: vec![
            Column::compared("µs, newest 1,000", 1),
            Column::compared("ms, substring", 2),
            Column::compared("ms, regex", 2),
            Column::beside("GB/s, substring", 2),
            Column::beside("GB/s, regex", 2),
        ],
        rows: vec![row],
    })
}

async fn connect(logd: &Logd) -> Result<SendRequest<Empty<Bytes>>, BenchError> {
    let stream = TcpStream::connect(logd.http).await?;
    let (requests, connection) = handshake(TokioIo::new(stream))
        .await
        .map_err(|error| BenchError::Logd(error.to_string()))?;
    tokio::spawn(connection);
    Ok(requests)
}

/// CPU time of an answer, in the mean.
async fn cost(
    logd: &Logd,
    client: &mut SendRequest<Empty<Bytes>>,
    path: &str,
    reads: u32,
) -> Result<Duration, BenchError> {
    let failed = |error: hyper::Error| BenchError::Logd(error.to_string());
    let before = logd.process.cpu()?;
    for _ in 0..reads {
        let request =
            hyper::Request::get(path).header("host", logd.http.to_string()).body(Empty::new());
        let request = request.expect("a sound request");
        let answer = client.send_request(request).await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(BenchError::Logd(format!("{path}: {}", answer.status())));
        }
        answer.into_body().collect().await.map_err(failed)?;
    }
    Ok((logd.process.cpu()? - before).total / reads)
}
