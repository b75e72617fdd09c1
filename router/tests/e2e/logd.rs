//! Requests in their apps' own logs.

use std::{fs, net::Ipv4Addr, path::PathBuf, sync::Arc};

use fairlead_router::AccessFormat;
use fairlead_wire::{
    message::{Ack, Acks, FromLogd, FromSender, LogdHello, Opened, Source, VERSION},
    server::{self, Stream},
    tls::{self, Identity},
};
use parking_lot::Mutex;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    admin::APP,
    support::{Backend, Log, World, eventually},
};

/// A logd that stores whatever it is sent.
#[derive(Clone, Default)]
struct Logd {
    /// It keeps its connections, takes nothing and acknowledges nothing.
    stopped: Arc<watch::Sender<bool>>,
    opened: Arc<Mutex<Vec<Source>>>,
    lines: Arc<Mutex<Vec<String>>>,
    lost: Arc<Mutex<u64>>,
    refused: Arc<Mutex<u64>>,
}

impl Logd {
    fn listen(listener: TcpListener) -> Self {
        Self::listen_by(listener, |tcp| async { Some(tcp) })
    }

    /// With a certificate and its key in these files.
    fn listen_tls(listener: TcpListener, certificate: PathBuf, key: PathBuf) -> Self {
        let identity = Identity { certificate, key };
        let tls = TlsAcceptor::from(tls::server_config(&identity, None).unwrap());
        Self::listen_by(listener, move |tcp| {
            let tls = tls.clone();
            async move { tls.accept(tcp).await.ok() }
        })
    }

    fn listen_by<S, F>(
        listener: TcpListener,
        accept: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = Option<S>> + Send,
    {
        let logd = Self::default();
        let taken = logd.clone();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let hello = LogdHello { version: VERSION, instance: "one".into(), history: 0 };
                let logd = taken.clone();
                let handle = move |stream| {
                    let logd = logd.clone();
                    async move {
                        let _ = logd.take(stream).await;
                    }
                };
                let Some(stream) = accept(tcp).await else {
                    *taken.refused.lock() += 1;
                    continue;
                };
                tokio::spawn(server::serve(
                    stream,
                    hello,
                    |_: &http::request::Parts| Ok(()),
                    handle,
                ));
            }
        });
        logd
    }

    async fn take(&self, mut stream: Stream<()>) -> Option<()> {
        let mut stopped = self.stopped.subscribe();
        loop {
            let message = stream.receiver.next().await.ok()??;
            stopped.wait_for(|stopped| !stopped).await.ok()?;
            let answer = match message {
                FromSender::Open(open) => {
                    self.opened.lock().push(open.source);
                    FromLogd::Opened(Opened { file: open.file, ..Opened::default() })
                }
                FromSender::Batches(batches) => {
                    let mut acks = Vec::new();
                    for batch in batches.batches {
                        for record in batch.records().unwrap().iter() {
                            let line = String::from_utf8(record.payload.to_vec()).unwrap();
                            self.lines.lock().push(line);
                        }
                        *self.lost.lock() +=
                            batch.losses.iter().map(|loss| loss.records).sum::<u64>();
                        let (file, to) = (batch.file, batch.to);
                        acks.push(Ack { file, stored: to, settled: to, gap: 0 });
                    }
                    FromLogd::Acks(Acks { acks })
                }
                _ => continue,
            };
            stream.sender.send(&answer).await.ok()?;
        }
    }
}

#[tokio::test]
async fn row_80_access_lines_are_the_process_router_in_the_apps_log() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let logd = Logd::listen(listener);
    let output = Log::default();
    let world = World::with(|options| {
        options.logd = Some(url.parse().unwrap());
        options.access_log = AccessFormat::Deis;
        options.access_output = output.output();
    })
    .await;
    let web = Backend::named("web").await;
    world.apply(APP, &[("WEB", &web)]).await;
    // A request of no app is in no app's log.
    world.get("http://unknown.example/").await;
    world.get_with("http://web.example/a?b=1", &[("user-agent", "curl/8.5.0")]).await;

    let lines = eventually("a line at logd", async || {
        let lines = logd.lines.lock().clone();
        if lines.is_empty() { Err(lines) } else { Ok(lines) }
    })
    .await;
    // The same line as on standard output.
    let printed = output.lines(2).await;
    let expected = printed.iter().find(|line| line.contains("web.example")).unwrap();
    assert_eq!(lines, std::slice::from_ref(expected));
    let fields: Vec<_> = lines[0].split(" - ").collect();
    let upstream = web.address().to_string();
    assert_eq!(
        fields[1..6],
        ["shop/front", "127.0.0.1", "-", "200", "\"GET /a?b=1 HTTP/1.1\""][..]
    );
    assert_eq!(fields[10], upstream);
    let source = logd.opened.lock()[0].clone();
    let shown = [source.namespace, source.app, source.process];
    assert_eq!(shown, ["shop", "front", "router"]);
}

/// What waits fills up; nobody waits for it.
#[tokio::test]
async fn with_logd_stopped_requests_are_served_and_missing_lines_are_counted() {
    const REQUESTS: usize = 900;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let world = World::with(|options| {
        options.logd = Some(format!("http://{address}").parse().unwrap());
        options.access_log = AccessFormat::Off;
    })
    .await;
    let web = Backend::named("web").await;
    world.apply(APP, &[("WEB", &web)]).await;
    let url = format!("http://web.example/{}", "x".repeat(7000));
    for _ in 0..REQUESTS {
        assert_eq!(world.get(&url).await.status, 200);
    }

    let logd = Logd::listen(TcpListener::bind(address).await.unwrap());
    let (lines, lost) = eventually("every line, or that it is lost", async || {
        let (lines, lost) = (logd.lines.lock().len(), *logd.lost.lock());
        if lines + lost as usize >= REQUESTS { Ok((lines, lost)) } else { Err((lines, lost)) }
    })
    .await;
    assert_eq!(lines + lost as usize, REQUESTS);
    assert!(lost > 0, "the queue was never full");
    let metrics = world.admin("/metrics").await.body;
    let count = format!("fairlead_router_logd_dropped_lines_total {lost}\n");
    assert!(metrics.contains(&count), "{count} is not in {metrics}");
}

/// Under load, at the rate that the machine allows.
#[tokio::test]
async fn with_a_logd_that_takes_nothing_any_more_requests_are_served_and_missing_lines_are_counted()
{
    const CLIENTS: usize = 16;
    const EACH: usize = 200;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let logd = Logd::listen(listener);
    let world = World::with(|options| {
        options.logd = Some(url.parse().unwrap());
        options.access_log = AccessFormat::Off;
    })
    .await;
    let web = Backend::named("web").await;
    world.apply(APP, &[("WEB", &web)]).await;
    assert_eq!(world.get("http://web.example/first").await.status, 200);
    eventually("a line at logd", async || {
        let lines = logd.lines.lock().len();
        if lines == 0 { Err(lines) } else { Ok(()) }
    })
    .await;

    logd.stopped.send_replace(true);
    let path = format!("/{}", "x".repeat(7000));
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (mut connection, path) = (world.connect().await, path.clone());
        clients.spawn(async move {
            for _ in 0..EACH {
                assert_eq!(connection.get("web.example", &path).await.status, 200);
            }
        });
    }
    while let Some(served) = clients.join_next().await {
        served.unwrap();
    }
    assert_eq!(logd.lines.lock().len(), 1);

    logd.stopped.send_replace(false);
    let requests = 1 + CLIENTS * EACH;
    let (lines, lost) = eventually("every line, or that it is lost", async || {
        let (lines, lost) = (logd.lines.lock().len(), *logd.lost.lock());
        if lines + lost as usize >= requests { Ok((lines, lost)) } else { Err((lines, lost)) }
    })
    .await;
    assert_eq!(lines + lost as usize, requests);
    assert!(lost > 0, "the queue was never full");
    let metrics = world.admin("/metrics").await.body;
    let count = format!("fairlead_router_logd_dropped_lines_total {lost}\n");
    assert!(metrics.contains(&count), "{count} is not in {metrics}");
}

#[tokio::test]
async fn by_tls_lines_go_to_a_logd_that_the_authority_has_signed_and_to_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let made = |name: &str| {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = file(&format!("{name}.key"), made.signing_key.serialize_pem());
        (file(&format!("{name}.crt"), made.cert.pem()), key)
    };
    let ((ours, key), (theirs, _)) = (made("ours"), made("theirs"));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let logd = Logd::listen_tls(listener, ours.clone(), key);
    let send = async |ca: &PathBuf| {
        let world = World::with(|options| {
            options.logd = Some(url.parse().unwrap());
            options.logd_ca = Some(ca.clone());
            options.access_log = AccessFormat::Off;
        })
        .await;
        let web = Backend::named("web").await;
        world.apply(APP, &[("WEB", &web)]).await;
        world.get("http://web.example/").await;
        world
    };
    let distrusting = send(&theirs).await;
    eventually("a handshake that fails", async || {
        let refused = *logd.refused.lock();
        if refused == 0 { Err(refused) } else { Ok(()) }
    })
    .await;
    assert!(logd.opened.lock().is_empty());
    drop(distrusting);
    let _trusting = send(&ours).await;
    eventually("a line at logd", async || {
        let lines = logd.lines.lock().len();
        if lines == 0 { Err(lines) } else { Ok(()) }
    })
    .await;
}
