//! Drains: declared by Secrets in a cluster, to real receivers.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use fairlead_cluster::{DeleteOptions, WriteOptions, kinds};
use fairlead_logd::{
    Auth, DrainOptions, Keys, Logd, LogdOptions, PlatformDrain, Role, drains_of_deis,
};
use fairlead_test_support::{figure, soaking};
use fairlead_wire::tls::{Identity, server_config};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpSocket, UdpSocket},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    access::{key, token},
    support::{
        Api, Certificates, Client, FileName, Process, Receiver, Sender, TEN, Web, nobody,
        sender::batch, source, with, within,
    },
};

impl Api {
    /// Declares a drain, or changes it.
    fn drain(&self, namespace: &str, name: &str, data: Value) {
        let by = WriteOptions::by("test");
        let registry = self.cluster.registry();
        let secret = json!({
            "metadata": {"name": name, "labels": {"fairlead.dev/drain": "true"}},
            "stringData": data,
        });
        let of = Some(namespace);
        if registry.update(&kinds::SECRET, of, name, None, secret.clone(), &by).is_err() {
            registry.create(&kinds::SECRET, of, secret, &by).unwrap();
        }
    }

    fn no_drain(&self, namespace: &str, name: &str) {
        let (by, now) = (WriteOptions::by("test"), DeleteOptions::default());
        let registry = self.cluster.registry();
        registry.delete(&kinds::SECRET, Some(namespace), name, &now, &by).unwrap();
    }

    /// Reads drains of its own namespace `fairlead` and of `shop`.
    async fn drains(&self) -> DrainOptions {
        DrainOptions {
            client: Some(self.client().await),
            namespace: Some("fairlead".to_owned()),
            namespaces: vec!["shop".to_owned()],
            allowed: vec!["127.0.0.0/8".parse().unwrap()],
            shutdown: Duration::from_secs(20),
            ..DrainOptions::default()
        }
    }

    async fn logd(&self, adjust: impl FnOnce(&mut LogdOptions)) -> Logd {
        let drains = self.drains().await;
        with(|options| {
            options.drains = drains;
            adjust(options);
        })
    }
}

/// A file of an app, whose lines are sent one by one.
struct App {
    sender: Sender,
    from: u64,
    settled: u64,
}

impl App {
    async fn open(logd: &Logd, app: &str, file: &str) -> Self {
        Self::at(logd.wire_addr(), app, file).await
    }

    async fn at(wire: SocketAddr, app: &str, file: &str) -> Self {
        let mut sender = Sender::at(wire).await;
        let opened = sender.open(&FileName::new(file), source(app, "web", "web-1-a")).await;
        Self { sender, from: opened.to.unwrap_or_default(), settled: opened.settled }
    }

    async fn write(&mut self, lines: &[&str]) -> u64 {
        let ack = self.sender.lines(1, self.from, lines).await;
        (self.from, self.settled) = (ack.stored, ack.settled);
        ack.settled
    }

    /// Waits until all is settled.
    async fn settled(&mut self) {
        let to = self.from;
        if self.settled < to {
            self.settled = self.sender.ack(1, |ack| ack.settled == to).await.settled;
        }
    }
}

/// What `/drains` shows once the drain is as wanted.
async fn shown(client: &Client, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let is =
        |answer: &crate::support::Answer| answer.status == StatusCode::OK && wanted(&answer.json());
    client.until(&format!("/drains/{id}"), is).await.json()
}

async fn until_drain(logd: &Logd, id: &str) -> Value {
    shown(&Client::of(logd), id, |_| true).await
}

fn balances(drain: &Value) -> bool {
    let of = |name: &str| drain["lines"][name].as_u64().unwrap();
    let lost = of("lost_lag") + of("lost_expired") + of("lost_rejected");
    of("matched") == of("delivered") + of("sent") + of("pending") + lost
}

/// Row 78: drains of an app, declared through the API.
#[tokio::test]
async fn row_78_a_secret_is_a_drain_of_an_app_and_what_is_changed_holds_at_once() {
    let api = Api::start().await;
    let logd = api.logd(|_| {}).await;
    let mut web = App::open(&logd, "shop/web", "a").await;
    let mut other = App::open(&logd, "shop/other", "b").await;
    web.write(&["before"]).await;
    let (mut first, mut second) = (Receiver::start().await, Receiver::start().await);
    api.drain("shop", "papertrail", json!({"url": first.url(), "app": "web"}));
    let drain = until_drain(&logd, "shop/papertrail").await;
    assert_eq!((&drain["apps"], &drain["url"]), (&json!("shop/web"), &json!(first.url())));
    other.write(&["of another app"]).await;
    web.write(&["one", "two"]).await;
    assert_eq!(first.texts(2).await, ["one", "two"]);
    web.settled().await;
    other.settled().await;
    // Another URL is the same drain: nothing is left out.
    api.drain("shop", "papertrail", json!({"url": second.url(), "app": "web"}));
    shown(&Client::of(&logd), "shop/papertrail", |drain| drain["url"] == second.url()).await;
    first.left().await;
    web.write(&["three"]).await;
    assert_eq!(second.text().await, "three");
    web.settled().await;
    api.no_drain("shop", "papertrail");
    let gone = |answer: &crate::support::Answer| answer.status == StatusCode::NOT_FOUND;
    Client::of(&logd).until("/drains/shop/papertrail", gone).await;
    second.left().await;
    assert_eq!(web.write(&["four"]).await, web.from, "nobody is waited for");
    assert!(first.is_quiet() && second.is_quiet());
}

#[tokio::test]
async fn a_filter_says_which_lines_and_a_platform_drain_has_all() {
    let api = Api::start().await;
    let (mut all, mut some) = (Receiver::start().await, Receiver::start().await);
    api.drain("fairlead", "all", json!({"url": all.url()}));
    api.drain("fairlead", "some", json!({"url": some.url(), "filter": "contains=o"}));
    let logd = api.logd(|_| {}).await;
    let mut shop = App::open(&logd, "shop/web", "a").await;
    let mut bank = App::open(&logd, "bank/web", "b").await;
    shop.write(&["one", "three"]).await;
    shop.settled().await;
    bank.write(&["two"]).await;
    bank.settled().await;
    assert_eq!(all.texts(3).await, ["one", "three", "two"]);
    assert_eq!(some.texts(2).await, ["one", "two"]);
    let drain = shown(&Client::of(&logd), "fairlead/some", |one| one["lines"]["sent"] == 2).await;
    assert!(balances(&drain) && drain["lines"]["matched"] == 2, "{drain}");
    assert_eq!(drain["lag"]["records"], 0);
}

/// A Secret of a namespace is for its apps alone, and leads to the Internet alone.
#[tokio::test]
async fn a_namespace_cannot_drain_another_nor_all_nor_lead_into_the_cluster() {
    let api = Api::start().await;
    let mut receiver = Receiver::start().await;
    let url = receiver.url();
    api.drain("shop", "foreign-app", json!({"url": url, "app": "bank/web"}));
    api.drain("shop", "all", json!({"url": url}));
    api.drain("bank", "foreign-namespace", json!({"url": url}));
    api.drain("bank", "platform", json!({"url": url, "app": "shop/web"}));
    let logd = api.logd(|_| {}).await;
    let client = Client::of(&logd);
    let known = |answer: &crate::support::Answer| answer.json()["complete"] == true;
    let all = client.until("/drains", known).await.json();
    let ids = |of: &str| -> Vec<&str> {
        all[of].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect()
    };
    assert_eq!((ids("drains"), ids("refused")), (vec!["shop/all"], vec!["shop/foreign-app"]));
    assert_eq!(
        all["refused"][0]["error"],
        "key app: bank/web is in another namespace: a drain in shop is for its apps alone"
    );
    let mut bank = App::open(&logd, "bank/web", "b").await;
    assert_eq!(bank.write(&["of bank"]).await, bank.from);
    let mut shop = App::open(&logd, "shop/web", "a").await;
    shop.write(&["of shop"]).await;
    shop.settled().await;
    assert_eq!(receiver.text().await, "of shop");
    assert!(receiver.is_quiet());

    let logd = api.logd(|options| options.drains.allowed.clear()).await;
    let mut shop = App::open(&logd, "shop/web", "a").await;
    shop.write(&["of shop"]).await;
    let drain = shown(&Client::of(&logd), "shop/all", |drain| !drain["last_error"].is_null()).await;
    assert_eq!(drain["last_error"]["kind"], "forbidden");
    assert!(receiver.is_quiet());
}

#[tokio::test]
async fn a_drain_is_shown_to_whom_its_apps_are() {
    let api = Api::start().await;
    let url = "https://user:s3cr3t@logs.example/tok3n?key=t0k3n";
    api.drain("fairlead", "all", json!({"url": "syslog+tcp://logs.example:1"}));
    api.drain("shop", "shop", json!({"url": "syslog+tcp://logs.example:1"}));
    api.drain("shop", "web", json!({"url": "syslog+tcp://logs.example:1", "app": "web"}));
    api.drain("shop", "wrong", json!({"url": url, "app": "bank/web"}));
    let keys = Keys::new(vec![key("a")]).unwrap();
    let logd = api.logd(|options| options.auth = Auth::Tokens(keys)).await;
    let ids = async |role, apps: &[&str]| {
        let client = Client::with_token(&logd, &token("a", role, apps));
        let known = |answer: &crate::support::Answer| answer.json()["complete"] == true;
        let all = client.until("/drains", known).await;
        assert!(!all.body.contains("s3cr3t") && !all.body.contains("tok3n"), "{}", all.body);
        let ids = |of: &str| -> Vec<String> {
            let ids = all.json()[of].as_array().unwrap().clone();
            ids.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
        };
        (ids("drains").join(" "), ids("refused").join(" "))
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(
        ids(Role::Admin, &["*"]).await,
        pair("fairlead/all shop/shop shop/web", "shop/wrong")
    );
    assert_eq!(ids(Role::Read, &["*"]).await, pair("shop/shop shop/web", "shop/wrong"));
    assert_eq!(ids(Role::Read, &["shop/*"]).await, pair("shop/shop shop/web", "shop/wrong"));
    assert_eq!(ids(Role::Read, &["shop/web"]).await, pair("shop/web", ""));
    assert_eq!(ids(Role::Write, &["bank/*"]).await, pair("", ""));
    assert_eq!(ids(Role::Ingest, &["*"]).await, pair("", ""));
    let client = Client::with_token(&logd, &token("a", Role::Read, &["shop/web"]));
    assert_eq!(client.get("/drains/shop/shop").await.status, StatusCode::NOT_FOUND);
    assert_eq!(client.get("/drains/shop/wrong").await.status, StatusCode::NOT_FOUND);
    assert_eq!(client.get("/drains/shop/web").await.status, StatusCode::OK);
    assert_eq!(Client::of(&logd).get("/drains").await.status, StatusCode::UNAUTHORIZED);
}

/// Row 41: it is tried for ever, and what waits is bounded.
#[tokio::test]
async fn row_41_a_receiver_that_is_away_gets_all_when_it_is_back() {
    let address = nobody().await;
    let platform = PlatformDrain { name: "1".to_owned(), url: format!("syslog+tcp://{address}") };
    let logd = with(|options| options.drains.platform.push(platform));
    let mut web = App::open(&logd, "shop/web", "a").await;
    let client = Client::of(&logd);
    assert_eq!(web.write(&["one", "two"]).await, 0);
    let failing = |drain: &Value| drain["failures"].as_u64() >= Some(6);
    let drain = shown(&client, "_flag/1", failing).await;
    assert!(balances(&drain), "{drain}");
    assert_eq!(
        (&drain["last_error"]["kind"], &drain["lag"]["records"]),
        (&json!("connect"), &json!(2))
    );
    let mut receiver = Receiver::at(address).await;
    assert_eq!(receiver.texts(2).await, ["one", "two"]);
    web.settled().await;
    shown(&client, "_flag/1", |drain| drain["breaker"] == "closed" && drain["failures"] == 0).await;
}

/// Row 79, with the node's files as the spool: a receiver is away, memory is bounded, what is lost is
/// counted.
#[tokio::test]
async fn row_79_what_a_receiver_that_is_away_misses_is_bounded_by_the_ring_and_counted() {
    let api = Api::start().await;
    let address = nobody().await;
    api.drain("shop", "away", json!({"url": format!("syslog+tcp://{address}"), "app": "web"}));
    let logd = api.logd(|options| options.limits.lines = 1_000).await;
    until_drain(&logd, "shop/away").await;
    let mut web = App::open(&logd, "shop/web", "a").await;
    let lines: Vec<String> = (0..5_000).map(|no| no.to_string()).collect();
    for lines in lines.chunks(500) {
        web.write(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    let client = Client::of(&logd);
    let told = client
        .until("/logs/shop/web", |answer| {
            answer.body.contains("Error L10 (output buffer overflow)")
        })
        .await;
    assert!(told.body.contains(", for the drain shop/away."));
    let mut receiver = Receiver::at(address).await;
    let told = receiver.text().await;
    assert!(told.starts_with("Error L10 (output buffer overflow): "), "{told}");
    web.settled().await;
    let drain = shown(&client, "shop/away", |drain| drain["lag"]["records"] == 0).await;
    let of = |name: &str| drain["lines"][name].as_u64().unwrap();
    assert!(balances(&drain) && of("pending") == 0, "{drain}");
    // In order, and the last is there.
    let got: Vec<usize> = receiver
        .texts(of("sent") as usize)
        .await
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    assert!(got.is_sorted() && got.last() == Some(&4_999), "{got:?}");
    assert_eq!((of("sent"), of("sent") + of("lost_lag")), (got.len() as u64, of("matched")));
    assert_eq!(of("lost_lag"), 5_000 - got.len() as u64);
}

/// A logd that is gone has what was not settled sent again to the next one, and it is drained there.
#[tokio::test]
async fn what_was_not_settled_when_a_logd_ended_is_drained_by_the_next() {
    let api = Api::start().await;
    let address = nobody().await;
    api.drain("fairlead", "all", json!({"url": format!("syslog+tcp://{address}")}));
    let first = api.logd(|_| {}).await;
    let mut web = App::open(&first, "shop/web", "a").await;
    assert_eq!(web.write(&["one"]).await, 0);
    drop((web, first));
    let second = api.logd(|_| {}).await;
    let mut receiver = Receiver::at(address).await;
    let mut web = App::open(&second, "shop/web", "a").await;
    assert_eq!(web.from, 0);
    web.write(&["one", "two"]).await;
    assert_eq!(receiver.texts(2).await, ["one", "two"]);
    web.settled().await;
}

#[tokio::test]
async fn what_drains_had_from_an_earlier_logd_is_for_readers_alone() {
    let api = Api::start().await;
    let mut receiver = Receiver::start().await;
    api.drain("fairlead", "all", json!({"url": receiver.url()}));
    let logd = api.logd(|_| {}).await;
    let mut web = App::open(&logd, "shop/web", "a").await;
    let mut old = batch(1, 0, TEN, &["old"]);
    (old.history, web.from) = (true, old.to);
    web.sender.batch(old).await;
    web.write(&["new"]).await;
    assert_eq!(receiver.text().await, "new");
    web.settled().await;
    let lines = Client::of(&logd).get("/logs/shop/web").await;
    assert_eq!(lines.lines().len(), 2);
}

#[tokio::test]
async fn on_an_orderly_end_what_is_there_is_sent_and_senders_learn_that_it_is_settled() {
    let api = Api::start().await;
    let address = nobody().await;
    api.drain("fairlead", "all", json!({"url": format!("syslog+tcp://{address}")}));
    let logd = api.logd(|_| {}).await;
    let mut web = App::open(&logd, "shop/web", "a").await;
    web.write(&["one"]).await;
    let failing = |drain: &Value| drain["failures"].as_u64() >= Some(1);
    shown(&Client::of(&logd), "fairlead/all", failing).await;
    let mut receiver = Receiver::at(address).await;
    let end = tokio::spawn(async move { logd.shutdown(Duration::ZERO).await });
    assert_eq!(receiver.text().await, "one");
    web.settled().await;
    receiver.left().await;
    within("the end", end).await.unwrap();
}

/// While the API cannot be asked, nothing is settled at first, and drains stay as they are later.
#[tokio::test]
async fn nothing_is_settled_before_the_drains_are_known() {
    let api = Api::start().await;
    let mut receiver = Receiver::start().await;
    let away = kube::Config::new(format!("http://{}", nobody().await).parse().unwrap());
    let client = kube::Client::try_from(away).unwrap();
    let drains = DrainOptions { client: Some(client), ..api.drains().await };
    let platform = PlatformDrain { name: "1".to_owned(), url: receiver.url() };
    let logd = with(|options| {
        options.drains = DrainOptions { platform: vec![platform], ..drains };
    });
    let mut web = App::open(&logd, "shop/web", "a").await;
    web.write(&["one"]).await;
    assert_eq!(receiver.text().await, "one");
    assert_eq!(web.write(&["two"]).await, 0);
    assert_eq!(receiver.text().await, "two");
    let all = Client::of(&logd).get("/drains").await.json();
    assert_eq!((&all["complete"], &all["drains"][0]["id"]), (&json!(false), &json!("_flag/1")));
}

/// A logd whose environment has these variables of Deis.
fn of_deis(set: &[(&str, String)]) -> Logd {
    let set = set.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let (drains, warnings) = drains_of_deis(set);
    assert!(warnings.is_empty(), "{warnings:?}");
    with(|options| options.drains.platform = drains)
}

async fn datagrams() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    (socket, port)
}

async fn datagram(socket: &UdpSocket) -> String {
    let mut buffer = vec![0; 65_536];
    let length = within("a datagram", socket.recv(&mut buffer)).await.unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

/// Row 38: syslog to several host:port pairs (`SYSLOG_HOST[_n]`).
#[tokio::test]
async fn row_38_syslog_goes_to_several_host_port_pairs() {
    let ((first, port), (second, port_1)) = (datagrams().await, datagrams().await);
    let host = || "127.0.0.1".to_owned();
    let logd = of_deis(&[
        ("SYSLOG_HOST", host()),
        ("SYSLOG_PORT", port),
        ("SYSLOG_HOST_1", host()),
        ("SYSLOG_PORT_1", port_1),
    ]);
    let mut web = App::open(&logd, "shop/web", "a").await;
    web.write(&["hello"]).await;
    for socket in [&first, &second] {
        let message = datagram(socket).await;
        // RFC 3164, facility user.
        assert!(message.starts_with('<') && message.ends_with(": hello"), "{message}");
    }
    web.settled().await;
    for id in ["_flag/SYSLOG_HOST", "_flag/SYSLOG_HOST_1"] {
        let drain = shown(&Client::of(&logd), id, |drain| drain["lines"]["sent"] == 1).await;
        assert_eq!((&drain["lines"]["delivered"], balances(&drain)), (&json!(0), true));
    }
}

/// Row 39: Elasticsearch with a daily index by prefix, basic authentication and a time key.
#[tokio::test]
async fn row_39_elasticsearch_gets_bulk_requests_into_daily_indices() {
    // An action and a document each.
    let mut receiver = Web::start(|lines| {
        let items = vec![json!({"create": {"status": 201}}); lines / 2];
        json!({"errors": false, "items": items}).to_string()
    })
    .await;
    let logd = of_deis(&[
        ("ELASTICSEARCH_HOST", receiver.address.ip().to_string()),
        ("ELASTICSEARCH_PORT", receiver.address.port().to_string()),
        ("ELASTICSEARCH_USER", "user".to_owned()),
        ("ELASTICSEARCH_PASSWORD", "p/w".to_owned()),
        ("ELASTICSEARCH_LOGSTASH_PREFIX", "deis".to_owned()),
        ("ELASTICSEARCH_TIME_KEY", "time".to_owned()),
    ]);
    let mut web = App::open(&logd, "shop/web", "a").await;
    web.write(&["hello"]).await;
    let (path, body) = receiver.request().await;
    assert!(path.starts_with("/_bulk"), "{path}");
    let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["create"]["_index"], "deis-2026.11.20");
    assert_eq!(lines[1]["message"], "hello");
    assert!(lines[1]["time"].as_str().unwrap().starts_with("2026-11-20T10:00:00"), "{}", lines[1]);
    web.settled().await;
    let id = "_flag/ELASTICSEARCH_HOST";
    let drain = shown(&Client::of(&logd), id, |drain| drain["lines"]["delivered"] == 1).await;
    assert!(balances(&drain) && !drain.to_string().contains("p%2Fw"), "{drain}");
}

/// Row 40: Sumo Logic by HTTP, and GELF.
#[tokio::test]
async fn row_40_sumo_logic_gets_json_and_graylog_gelf() {
    let mut sumo = Web::start(|_| String::new()).await;
    let (graylog, port) = datagrams().await;
    let logd = of_deis(&[
        ("SUMOLOGIC_COLLECTOR_URL", format!("http://{}/receiver/v1/http/abc==", sumo.address)),
        ("GELF_HOST", "127.0.0.1".to_owned()),
        ("GELF_PORT", port),
    ]);
    let mut web = App::open(&logd, "shop/web", "a").await;
    web.write(&["hello"]).await;
    let (path, body) = sumo.request().await;
    let line: Value = serde_json::from_str(body.trim_end()).unwrap();
    assert_eq!((path.as_str(), &line["message"]), ("/receiver/v1/http/abc==", &json!("hello")));
    let message: Value = serde_json::from_str(&datagram(&graylog).await).unwrap();
    assert_eq!((&message["version"], &message["short_message"]), (&json!("1.1"), &json!("hello")));
    web.settled().await;
}

/// `kill -9`: the next logd gets what was not settled, and what it had settled is not sent again.
#[tokio::test]
async fn each_drain_gets_what_was_not_settled_when_logd_was_killed() {
    let (api, folder) = (Api::start().await, tempfile::tempdir().unwrap());
    let (mut steady, away) = (Receiver::start().await, nobody().await);
    api.drain("fairlead", "steady", json!({"url": steady.url()}));
    let args = ["--namespace", "fairlead", "--app-age=36500d"];
    let mut first = Process::with(&api, "first", folder.path(), &args);
    let mut web = App::at(first.wire, "shop/web", "a").await;
    web.write(&["one"]).await;
    assert_eq!(steady.text().await, "one");
    web.settled().await;
    let settled = web.settled;
    api.drain("fairlead", "away", json!({"url": format!("syslog+tcp://{away}")}));
    shown(&first.client(), "fairlead/away", |_| true).await;
    web.write(&["two", "three"]).await;
    assert_eq!(steady.texts(2).await, ["two", "three"]);
    assert_eq!(web.settled, settled);
    first.kill();
    let second = Process::with(&api, "second", folder.path(), &args);
    let mut late = Receiver::at(away).await;
    let mut web = App::at(second.wire, "shop/web", "a").await;
    // As a shipper does: the files from the beginning on, with what was settled as history.
    let mut old = batch(1, 0, TEN, &["one"]);
    (old.history, web.from) = (true, old.to);
    assert_eq!(old.to, settled);
    web.sender.batch(old).await;
    web.write(&["two", "three"]).await;
    assert_eq!(late.texts(2).await, ["two", "three"]);
    assert_eq!(steady.texts(2).await, ["two", "three"], "at least once");
    web.settled().await;
    assert!(late.is_quiet() && steady.is_quiet());
}

/// A listener whose system takes little that nobody reads.
fn narrow() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.listen(1_024).unwrap()
}

/// Accepts, and never reads.
fn black_hole() -> (SocketAddr, JoinHandle<()>) {
    let listener = narrow();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    (address, task)
}

/// Takes 1 KB a second.
fn slow() -> (SocketAddr, JoinHandle<()>) {
    let listener = narrow();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 1_000];
                while stream.read(&mut buffer).await.is_ok_and(|length| length > 0) {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
    });
    (address, task)
}

/// How long it takes until so many drains have all of an app's lines, in order, while as many others
/// as `lame` lead nowhere or to slow receivers; and kilobytes of memory of logd then.
async fn drained(healthy: usize, lame: usize, lines: usize) -> (Duration, u64) {
    let ((hole, holding), (slow, reading)) = (black_hole(), slow());
    let mut receiver = Receiver::start().await;
    let healthy_url = receiver.url();
    let lame_url = |number| {
        let address = if number % 2 == 0 { hole } else { slow };
        format!("syslog+tcp://{address}")
    };
    let urls = (0..healthy).map(|_| healthy_url.clone()).chain((0..lame).map(lame_url));
    let urls = urls.collect::<Vec<_>>().join(",");
    let (api, folder) = (Api::start().await, tempfile::tempdir().unwrap());
    let args = ["--drain", &urls, "--app-age=36500d", "--log=info"];
    let logd = Process::with(&api, "logd", folder.path(), &args);
    let mut web = App::at(logd.wire, "shop/web", "a").await;
    let text = "x".repeat(200);
    let all: Vec<String> = (0..lines).map(|no| format!("{no} {text}")).collect();
    let begin = std::time::Instant::now();
    for lines in all.chunks(500) {
        web.write(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    let mut next: HashMap<usize, usize> = HashMap::new();
    for _ in 0..healthy * lines {
        let (connection, text) = receiver.numbered().await;
        let no: usize = text.split(' ').next().unwrap().parse().unwrap();
        let next = next.entry(connection).or_default();
        assert_eq!(no, *next, "in order, and once");
        *next += 1;
    }
    assert_eq!(next.len(), healthy);
    let took = begin.elapsed();
    let resident = logd.resident();
    holding.abort();
    reading.abort();
    (took, resident)
}

/// Many drains, of which a tenth lead nowhere and a tenth take 1 KB/s: the others get every line, once
/// and in order. With all numbers, 1,000 of them; how long it takes is told, and compared by people.
#[tokio::test]
async fn drains_that_lead_nowhere_or_are_slow_hold_no_other_up() {
    let (drains, lines) = if soaking() { (1_000, 5_000) } else { (50, 1_000) };
    let test = "drains_that_lead_nowhere_or_are_slow_hold_no_other_up";
    if soaking() {
        let (took, kilobytes) = drained(drains * 8 / 10, 0, lines).await;
        figure(test, &format!("800 healthy drains alone: {took:.2?}, {kilobytes} kB resident"));
    }
    let (took, kilobytes) = drained(drains * 8 / 10, drains * 2 / 10, lines).await;
    if soaking() {
        figure(test, &format!("with 200 lame ones: {took:.2?}, {kilobytes} kB resident"));
    }
}

#[tokio::test]
async fn a_drain_is_tried_and_the_whole_exchange_is_shown() {
    let api = Api::start().await;
    let mut receiver = Receiver::start().await;
    let away = nobody().await;
    api.drain("shop", "web", json!({"url": receiver.url(), "app": "web"}));
    api.drain("shop", "away", json!({"url": format!("syslog+tcp://{away}")}));
    let keys = Keys::new(vec![key("a")]).unwrap();
    let logd = api.logd(|options| options.auth = Auth::Tokens(keys)).await;
    let client = Client::with_token(&logd, &token("a", Role::Write, &["shop/*"]));
    shown(&client, "shop/web", |_| true).await;
    let trial = client.ask("POST", "/drains/shop/web/test", &[]).await.json();
    let address = receiver.address;
    let (ip, url) = (address.ip(), receiver.url());
    assert_eq!(
        trial,
        json!({
            "id": "shop/web",
            "url": url,
            "steps": [
                format!("{address}: the addresses are {ip}"),
                format!("connected to {address}"),
            ],
            "outcome": "sent",
        })
    );
    assert_eq!(receiver.text().await, "This line was sent to test the drain shop/web.");
    let trial = client.ask("POST", "/drains/shop/away/test", &[]).await.json();
    assert_eq!((&trial["outcome"], &trial["kind"]), (&json!("failed"), &json!("connect")));
    let reader = Client::with_token(&logd, &token("a", Role::Read, &["shop/*"]));
    let answer = reader.ask("POST", "/drains/shop/web/test", &[]).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    // It is no line of the drain's own.
    assert_eq!(client.get("/drains/shop/web").await.json()["lines"]["matched"], 0);
}

/// A receiver by TLS, and what it gets up to `hello`.
async fn by_tls(identity: &Identity) -> (SocketAddr, oneshot::Receiver<String>) {
    let acceptor = TlsAcceptor::from(server_config(identity, None).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (got, text) = oneshot::channel();
    tokio::spawn(async move {
        let mut got = Some(got);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // Who does not trust it ends the handshake.
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let (mut all, mut buffer) = (Vec::new(), [0; 4_096]);
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                all.extend_from_slice(&buffer[..length]);
                if let Some(got) = got.take_if(|_| all.ends_with(b"hello")) {
                    got.send(String::from_utf8(all.clone()).unwrap()).unwrap();
                }
            }
        }
    });
    (address, text)
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_told_in_the_stream_and_one_by_the_secret_s_ca_is() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [own, other] = [0, 1].map(|index: usize| Certificates::new(folders[index].path()));
    let (address, received) = by_tls(&own.identity("receiver")).await;
    let api = Api::start().await;
    let drain = |by: &Certificates<'_>| {
        let ca = std::fs::read_to_string(&by.authority).unwrap();
        json!({"url": format!("syslog+tls://{address}"), "app": "web", "ca.crt": ca})
    };
    api.drain("shop", "tls", drain(&other));
    let logd = api.logd(|_| {}).await;
    let client = Client::of(&logd);
    shown(&client, "shop/tls", |_| true).await;
    let mut web = App::open(&logd, "shop/web", "a").await;
    web.write(&["hello"]).await;
    let told = "Error L14 (Certificate validation error): the drain shop/tls: ";
    client.until("/logs/shop/web", |answer| answer.body.contains(told)).await;
    let error = shown(&client, "shop/tls", |drain| !drain["last_error"].is_null()).await;
    assert_eq!(error["last_error"]["kind"], "certificate");
    // Mended, it goes at once.
    api.drain("shop", "tls", drain(&own));
    assert!(within("the line", received).await.unwrap().ends_with(" hello"));
    web.settled().await;
}

#[tokio::test]
async fn while_the_api_is_away_drains_stay_as_they_are() {
    let api = Api::start().await;
    let mut receiver = Receiver::start().await;
    api.drain("shop", "web", json!({"url": receiver.url(), "app": "web"}));
    let logd = api.logd(|_| {}).await;
    until_drain(&logd, "shop/web").await;
    drop(api);
    let mut web = App::open(&logd, "shop/web", "a").await;
    web.write(&["hello"]).await;
    assert_eq!(receiver.text().await, "hello");
    web.settled().await;
}
