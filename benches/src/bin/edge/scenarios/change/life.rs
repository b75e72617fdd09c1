//! The life of an app, again and again: added, edited, moved to another endpoint, given another
//! certificate, deleted.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use fairlead_benches::ticker::Ticker;
use rustls::{ClientConfig, pki_types::CertificateDer};
use tokio::time;

use super::Took;
use crate::{
    BenchError,
    api::{Api, App},
    backend::{OTHER, SMALL},
    certificate::{self, Certificate},
    fleet,
    load::{
        LoadError, Target,
        http1::{Answer, Connection},
    },
    peers::{Peer, Running},
    stage::{self, Stage},
};

/// How often it is asked what is served.
const ASK: Duration = Duration::from_micros(250);
/// Between two changes, so that each meets a router at rest.
const REST: Duration = Duration::from_millis(20);
/// How often the new answer has to come in a row.
const STEADY: usize = 4;
/// How long a change may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is seen of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    NotFound,
    First,
    Second,
    Shown(CertificateDer<'static>),
    Other(String),
}

pub(super) async fn run(
    stage: &Stage,
    peer: &Peer,
    api: &Api,
    apps: usize,
) -> Result<Vec<Took>, BenchError> {
    let mut running = stage.place(&api.kubeconfig, |place| peer.start(place, &stage.proxy_core))?;
    let last = Target { host: fleet::host(&fleet::name(apps - 1)), ..stage.small(running.http) };
    stage::ready(&mut running.process, &last, stage::ASK).await?;
    let mut took: [Took; 5] = ["add", "edit", "endpoint", "certificate", "delete"]
        .map(|kind| (format!("Fairlead: {kind}"), Vec::new()));
    for number in 0..stage.extent.changes {
        let life = live(stage, api, &running, &format!("new-{apps}-{number}")).await?;
        took.iter_mut().zip(life).for_each(|((_, all), one)| all.push(one));
    }
    Ok(took.into())
}

/// How long each change took, in milliseconds.
async fn live(
    stage: &Stage,
    api: &Api,
    running: &Running,
    name: &str,
) -> Result<[f64; 5], BenchError> {
    let host = fleet::host(name);
    let edited = format!("edited-{host}");
    let pairs = [Certificate::of(&host)?, Certificate::of(&host)?];
    let [old, new] = pairs.each_ref().map(|pair| Seen::Shown(pair.der.clone()));
    let tls = certificate::client(&pairs, &[b"http/1.1"])?;
    let (first, second) = (stage.backend.address, stage.backend.other);
    let mut app = App { name, domains: host.clone(), certificates: Some(format!("{host}:{name}")) };
    api.certify(name, &pairs[0])?;

    let mut look = Look::kept(stage, running, &host).await?;
    let add = look.until(Seen::NotFound, Seen::First, || api.add(&app, first)).await?;
    app.domains = format!("{host},{edited}");
    let edit = Look::kept(stage, running, &edited)
        .await?
        .until(Seen::NotFound, Seen::First, || api.edit(&app))
        .await?;
    let endpoint = look.until(Seen::First, Seen::Second, || api.move_to(name, second)).await?;
    let certificate = Look::anew(stage, running, &host, tls)
        .until(old, new, || api.renew(name, &pairs[1]))
        .await?;
    let delete = look.until(Seen::Second, Seen::NotFound, || api.remove(name)).await?;
    Ok([add, edit, endpoint, certificate, delete])
}

/// Looks at one host again and again.
struct Look {
    target: Target,
    peer: &'static str,
    /// `None`: a new connection for each look, which shows the certificate.
    kept: Option<Connection>,
}

impl Look {
    async fn kept(stage: &Stage, running: &Running, host: &str) -> Result<Self, BenchError> {
        let peer = running.process.name;
        let target = Target { host: host.to_owned(), ..stage.small(running.http) };
        let connection = Connection::open(&target).await;
        let connection = connection.map_err(|source| BenchError::Load { peer, source })?;
        Ok(Self { target, peer, kept: Some(connection) })
    }

    fn anew(stage: &Stage, running: &Running, host: &str, tls: Arc<ClientConfig>) -> Self {
        let small = stage.small(running.https);
        let target = Target { host: host.to_owned(), tls: Some(tls), ..small };
        Self { target, peer: running.process.name, kept: None }
    }

    /// Milliseconds from just before `change` until `after` is seen instead of `before`.
    async fn until<E: Into<BenchError>>(
        &mut self,
        before: Seen,
        after: Seen,
        change: impl FnOnce() -> Result<(), E>,
    ) -> Result<f64, BenchError> {
        time::sleep(REST).await;
        let ticker = Ticker::new(ASK)?;
        let begun = Instant::now();
        change().map_err(Into::into)?;
        let (mut served, mut steady) = (None, 0);
        while steady < STEADY {
            let seen = self.look().await;
            if seen == after {
                served.get_or_insert_with(|| begun.elapsed());
                steady += 1;
            } else if seen != before || served.is_some() || begun.elapsed() > PATIENCE {
                let seen = format!("{seen:?} in the change from {before:?} to {after:?}");
                return Err(BenchError::Unexpected { peer: self.peer, seen });
            }
            ticker.tick().await?;
        }
        Ok(served.map_or(f64::NAN, |served| served.as_secs_f64() * 1e3))
    }

    async fn look(&mut self) -> Seen {
        let seen = match &mut self.kept {
            Some(connection) => connection.get().await.map(|answer| body(&answer)),
            None => shown(&self.target).await,
        };
        seen.unwrap_or_else(|error| Seen::Other(error.to_string()))
    }
}

fn body((status, body): &Answer) -> Seen {
    match (*status, body.as_slice()) {
        (404, _) => Seen::NotFound,
        (200, body) if body == SMALL.as_bytes() => Seen::First,
        (200, body) if body == OTHER.as_bytes() => Seen::Second,
        (status, body) => Seen::Other(format!("{status} with {} bytes", body.len())),
    }
}

async fn shown(target: &Target) -> Result<Seen, LoadError> {
    let connection = Connection::open(target).await?;
    let none = || Seen::Other("no certificate".to_owned());
    Ok(connection.certificate().map_or_else(none, Seen::Shown))
}
