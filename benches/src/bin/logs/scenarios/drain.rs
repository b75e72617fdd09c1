//! What it costs to pass syslog messages on.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fairlead_benches::{
    Column, Process, Row, Scenario,
    logs::{Arrivals, Lines, checker::Checker, component::address, relay, rsyslog::Rsyslog},
};
use rustls::{ServerConfig, pki_types::PrivateKeyDer};
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    BenchError,
    logd::Logd,
    stage::{SEED, Stage},
};

pub(crate) const NAME: &str = "drain";

const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(5);

/// Who passes messages on.
#[derive(Clone)]
enum Relay {
    Rsyslog(Rsyslog),
    Logd,
    /// Over TLS to the receiver.
    LogdTls,
}

pub(crate) async fn run(stage: &Stage) -> Result<Scenario, BenchError> {
    let lines = Lines::new(SEED);
    let count = stage.extent.lines;
    let messages = relay::messages(&lines, count);
    let mut relays = vec![("Fairlead", Relay::Logd), ("Fairlead, TLS", Relay::LogdTls)];
    relays.extend(Rsyslog::find().map(|rsyslog| ("rsyslog", Relay::Rsyslog(rsyslog))));
    let mut rows: Vec<_> = relays.iter().map(|(name, _)| Row::new(*name)).collect();
    for round in 0..stage.extent.rounds {
        for turn in 0..rows.len() {
            let number = (round + turn) % rows.len();
            let (name, relay) = &relays[number];
            let arrivals = Arrivals::new(lines.clone());
            let cpu = pass_on(stage, name, relay, &arrivals, &messages, count).await?;
            let tally = arrivals.check(Checker::tally);
            // rsyslog has several threads for its queue, and they overtake one another.
            let disordered = !matches!(relay, Relay::Rsyslog(_)) && tally.out_of_order > 0;
            if (tally.records, tally.torn) != (count, 0) || disordered {
                return Err(BenchError::Logd(format!(
                    "{name} passed on something else: {tally:?}"
                )));
            }
            let per_line = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
            rows[number].samples.push(vec![per_line(arrivals.span()), per_line(cpu)]);
        }
    }
    Ok(Scenario {
        name: NAME,
        title: "Passing syslog on".to_owned(),
        setting: format!(
            "{count} messages, {} bytes each in the mean, come over TCP as RFC 5424 with octet counting, and go \
             on in the same form to a receiver on the other core that checks every byte. logd keeps them in \
             its memory, and counts a message as sent once the receiver's system has acknowledged it; \
             rsyslog keeps none, and what its socket has taken is gone if the connection breaks. Time counts \
             from the first message that arrives to the last; CPU from the start of the process. Targets: at \
             most 0.67 × rsyslog's time and 0.6 × its CPU; over TLS no more time than rsyslog's in the clear.",
            messages.len() as u64 / count.max(1),
        ),
        columns: vec![Column::compared("µs per line", 3), Column::compared("CPU µs per line", 3)],
        rows,
    })
}

/// Gives a relay all messages, and waits until they have arrived. Its CPU.
async fn pass_on(
    stage: &Stage,
    name: &'static str,
    relay: &Relay,
    arrivals: &Arrivals,
    messages: &[u8],
    count: u64,
) -> Result<Duration, BenchError> {
    let folder = stage.folder()?;
    let (certificate, acceptor) = identity(&folder)?;
    let acceptor = matches!(relay, Relay::LogdTls).then_some(acceptor);
    let relayed = relay::start(arrivals.clone(), acceptor).await?;
    let from = address()?;
    let mut process = match relay {
        Relay::Rsyslog(rsyslog) => {
            Process::start(name, &mut rsyslog.relay(&folder, from, relayed.address)?, &stage.core)?
        }
        Relay::Logd | Relay::LogdTls => {
            let scheme = if matches!(relay, Relay::Logd) { "syslog+tcp" } else { "syslog+tls" };
            let drain = format!("{scheme}://{}", relayed.address);
            let flags = ["--memory", "2Gi", "--app-bytes", "2Gi", "--syslog-app", "*=shop/web"];
            let flags = flags.iter().copied().chain(["--drain", &drain]).collect::<Vec<_>>();
            Logd::relay(&stage.logd, &flags, from, &certificate, &stage.core)?
        }
    };
    let mut connection = timeout(PATIENCE, connect(from))
        .await
        .map_err(|_| BenchError::Logd(format!("{name} does not listen")))?;
    connection.write_all(messages).await?;
    if !arrivals.wait(count, PATIENCE).await {
        process.check()?;
        return Err(BenchError::Stalled { peer: name, arrived: arrivals.lines(), lines: count });
    }
    Ok(process.cpu()?.total)
}

async fn connect(address: SocketAddr) -> TcpStream {
    loop {
        match TcpStream::connect(address).await {
            Ok(connection) => return connection,
            Err(_) => sleep(LOOK).await,
        }
    }
}

/// A certificate that signs itself, in a file, and who shows it.
pub(super) fn identity(folder: &Path) -> Result<(PathBuf, TlsAcceptor), BenchError> {
    let failed = |error: &dyn std::error::Error| BenchError::Logd(error.to_string());
    let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])
        .map_err(|error| failed(&error))?;
    let certificate = folder.join("ca.crt");
    std::fs::write(&certificate, key.cert.pem())?;
    let (chain, key) = (vec![key.cert.der().clone()], key.signing_key.serialize_der());
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::Pkcs8(key.into()))
        .map_err(|error| failed(&error))?;
    Ok((certificate, TlsAcceptor::from(Arc::new(config))))
}
