//! Several logds: each app is with one of them, and any of them answers.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use fairlead_logd::{Auth, Claims, Keys, Logd, Role, mint};
use http::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE},
};
use serde_json::Value;
use tokio::sync::watch;

use crate::{
    access::{key, token},
    support::{
        Answer, Api, Client, Container, FileName, Node, Process, SERVICE, Sender, app_of,
        logd_name, source, with, within,
    },
};

const COUNT: usize = 3;

/// Three that find each other.
struct Several {
    api: Api,
    logds: Vec<Logd>,
}

impl Several {
    async fn start(auth: impl Fn(usize) -> Auth) -> Self {
        let api = Api::start().await;
        let mut logds = Vec::new();
        for index in 0..COUNT {
            let peers = api.peers(&logd_name(index)).await;
            let logd = with(|options| {
                options.auth = auth(index);
                options.limits.bytes = 500_000;
                options.peers = Some(peers);
            });
            api.endpoint(&logd_name(index), logd.http_addr(), logd.wire_addr());
            logds.push(logd);
        }
        Self { api, logds }
    }

    async fn open() -> Self {
        Self::start(|_| Auth::Off).await
    }

    fn client(&self, index: usize) -> Client {
        Client::of(&self.logds[index])
    }

    /// A sender that has opened a file of an app as its first one, at a logd.
    async fn sender(&self, index: usize, app: &str, token: Option<&str>) -> Sender {
        let mut sender = Sender::with_token(&self.logds[index], token).await;
        sender.open(&FileName::new(app), source(app, "web", "web-1-a")).await;
        sender
    }
}

#[tokio::test]
async fn any_of_three_gives_the_same_answer() {
    let several = Several::open().await;
    for owner in 0..COUNT {
        let app = app_of("shop", owner, COUNT);
        let mut sender = several.sender(owner, &app, None).await;
        sender.lines(1, 0, &["one", "two", "three"]).await;
        let paths = [
            format!("/logs/{app}"),
            format!("/logs/{app}/?format=json"),
            format!("/logs/{app}?format=json&log_lines=2"),
            format!("/logs/{app}?contains=t&invert=true"),
            format!("/logs/{app}?regex=%5Et&process=web,x&stream=stdout"),
            format!("/logs/{app}?contains=nothing"),
            format!("/logs/{app}?log_lines=0"),
            format!("/logs/{app}?regex=("),
            format!("/ledger/{app}"),
        ];
        let own = several.client(owner);
        for other in (0..COUNT).filter(|index| *index != owner) {
            let client = several.client(other);
            // From here on it knows of the others.
            client.until(&paths[0], |answer| answer.status == StatusCode::OK).await;
            for path in &paths {
                let (expected, answer) = (own.get(path).await, client.get(path).await);
                assert_eq!(
                    (answer.status, &answer.body),
                    (expected.status, &expected.body),
                    "{path}"
                );
                for header in [CONTENT_TYPE, CACHE_CONTROL] {
                    let headers = [&answer, &expected].map(|a| a.headers.get(&header).cloned());
                    assert_eq!(headers[0], headers[1], "{path}");
                }
            }
        }
        assert_eq!(own.get(&paths[0]).await.lines().len(), 3);
    }
}

#[tokio::test]
async fn any_of_three_deletes_an_app_s_lines() {
    let several = Several::open().await;
    let app = app_of("shop", 1, COUNT);
    let path = format!("/logs/{app}");
    let mut sender = several.sender(1, &app, None).await;
    sender.lines(1, 0, &["one"]).await;
    several.client(0).until(&path, |answer| answer.status == StatusCode::OK).await;
    assert_eq!(several.client(0).delete(&path).await.status, StatusCode::OK);
    for index in 0..COUNT {
        let gone = |answer: &Answer| answer.status == StatusCode::NO_CONTENT;
        several.client(index).until(&path, gone).await;
    }
}

#[tokio::test]
async fn any_of_three_is_followed_until_another_logd_has_the_app() {
    let several = Several::open().await;
    let app = app_of("shop", 2, COUNT);
    let mut sender = several.sender(2, &app, None).await;
    sender.lines(1, 0, &["one"]).await;
    let path = format!("/logs/{app}?follow=true&format=json");
    let plain = format!("/logs/{app}");
    let mut followers = Vec::new();
    for index in 0..COUNT {
        let client = several.client(index);
        client.until(&plain, |answer| answer.status == StatusCode::OK).await;
        let lines = client.follow(&path).await;
        assert_eq!(lines.headers[CONTENT_TYPE], "application/x-ndjson");
        let events = client.follow_with(&path, &[("accept", "text/event-stream")]).await;
        assert_eq!(events.headers[CONTENT_TYPE], "text/event-stream");
        assert_eq!(events.headers["x-accel-buffering"], "no");
        followers.push((lines, events));
    }
    sender.lines(1, 4, &["two"]).await;
    let mut cursor = String::new();
    for (lines, events) in &mut followers {
        let shown = lines.json(2).await;
        let texts: Vec<_> = shown.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(texts, ["one", "two"]);
        cursor = shown[0]["cursor"].as_str().unwrap().to_owned();
        let shown = events.lines(6).await;
        assert!(shown[0].starts_with("id: ") && shown[3].starts_with("id: "), "{shown:?}");
    }
    // One that comes back to any of them goes on behind its line.
    let again = several.client(0).follow(&format!("{path}&after={cursor}")).await.json(1).await;
    assert_eq!(again[0]["message"], "two");
    let last = [("accept", "text/event-stream"), ("last-event-id", cursor.as_str())];
    let again = several.client(1).follow_with(&path, &last).await.lines(2).await;
    assert!(again[1].contains("\"message\":\"two\""), "{again:?}");
    several.api.no_endpoint(&logd_name(2));
    for (lines, events) in &mut followers {
        assert!(matches!(lines.try_line().await, Ok(None)), "an end, and no break");
        assert!(matches!(events.try_line().await, Ok(None)), "an end, and no break");
    }
}

/// What is on the way is bounded: a reader that does not read makes its lines wait at their owner.
#[tokio::test]
async fn a_slow_reader_at_another_logd_is_told_how_much_it_missed() {
    let several = Several::open().await;
    let app = app_of("shop", 1, COUNT);
    let mut sender = several.sender(1, &app, None).await;
    let mut from = sender.lines(1, 0, &["first"]).await.stored;
    let client = several.client(0);
    client.until(&format!("/logs/{app}"), |answer| answer.status == StatusCode::OK).await;
    let mut slow = client.follow(&format!("/logs/{app}?follow=true&log_lines=0")).await;
    let mut total = 0;
    for round in 0..60 {
        let lines: Vec<String> = (0..1_000).map(|n| format!("{round}-{n:01000}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        from = sender.lines(1, from, &lines).await.stored;
        total += lines.len() as u64;
    }
    sender.lines(1, from, &["last"]).await;
    let (mut seen, mut missed) = (0, 0);
    loop {
        let line = slow.line().await.unwrap();
        if line.ends_with(": last") {
            break;
        }
        match line.split_once(" deis[logd]: Error L11 (Tail buffer overflow): ") {
            Some((_, told)) => missed += told.split(' ').next().unwrap().parse::<u64>().unwrap(),
            None => seen += 1,
        }
    }
    assert!(missed > 0, "the reader was not slow");
    assert_eq!(seen + missed, total);
}

#[tokio::test]
async fn a_forwarded_request_goes_no_further() {
    let several = Several::open().await;
    let app = app_of("shop", 1, COUNT);
    let path = format!("/logs/{app}");
    several.sender(1, &app, None).await.lines(1, 0, &["one"]).await;
    several.client(0).until(&path, |answer| answer.status == StatusCode::OK).await;
    let forwarded = several.client(0).ask("GET", &path, &[("fairlead-forwarded", "true")]).await;
    assert_eq!(forwarded.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn an_owner_that_does_not_answer_is_named_until_another_has_its_apps() {
    let mut several = Several::open().await;
    let (app, next) = (app_of("shop", 1, COUNT), app_of("shop", 1, COUNT));
    let path = format!("/logs/{app}");
    several.sender(1, &app, None).await.lines(1, 0, &["one"]).await;
    several.client(0).until(&path, |answer| answer.status == StatusCode::OK).await;
    let client = several.client(0);
    let mut follow = client.follow(&format!("{path}?follow=true")).await;
    assert_eq!(follow.lines(1).await.len(), 1);
    drop(several.logds.remove(1));
    assert!(matches!(follow.try_line().await, Ok(None)), "an end, and no break");
    let answer = client.get(&path).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.body, "logd-1, the logd that has this app, does not answer.\n");
    let counted = client.get("/metrics").await;
    assert!(counted.body.contains("fairlead_logd_unanswered_requests_total 1\n"));
    several.api.no_endpoint("logd-1");
    client.until(&format!("/logs/{next}"), |a| a.status == StatusCode::NO_CONTENT).await;
}

#[tokio::test]
async fn it_is_ready_once_it_knows_the_others() {
    let several = Several::open().await;
    let ready = |answer: &Answer| answer.status == StatusCode::OK;
    several.client(0).until("/readyz", ready).await;
    several.api.cluster.faults().refuse(u32::MAX, fairlead_cluster::http::Refusal::InternalError);
    let peers = several.api.peers("logd-3").await;
    let logd = with(|options| options.peers = Some(peers));
    let answer = Client::of(&logd).get("/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.body, "not ready\nthe endpoints of --peers are not known yet\n");
}

fn tokens(ids: &[&str]) -> Auth {
    Auth::Tokens(Keys::new(ids.iter().map(|id| key(id)).collect()).unwrap())
}

/// Whether an app that is not the caller's has lines cannot be told, whomever one asks.
#[tokio::test]
async fn none_of_three_shows_what_the_caller_may_not_see() {
    let several = Several::start(|_| tokens(&["a"])).await;
    let all = token("a", Role::Write, &["*"]);
    for owner in 0..COUNT {
        let app = app_of("shop", owner, COUNT);
        let sender = token("a", Role::Ingest, &["shop/*"]);
        several.sender(owner, &app, Some(&sender)).await.lines(1, 0, &["one"]).await;
        let plain = format!("/logs/{app}");
        let paths = [plain.clone(), format!("{plain}?follow=true"), format!("/ledger/{app}")];
        for logd in &several.logds {
            let client = Client::with_token(logd, &all);
            client.until(&plain, |answer| answer.status == StatusCode::OK).await;
            for foreign in [
                token("a", Role::Read, &["bank/*"]),
                token("a", Role::Read, &[&app.replace("shop", "bank")]),
                token("a", Role::Ingest, &["*"]),
            ] {
                let client = Client::with_token(logd, &foreign);
                for path in &paths {
                    let answer = client.get(path).await;
                    let missing = client.get(&path.replace("app-", "none-")).await;
                    assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
                    assert_eq!(answer.body, missing.body, "{path}");
                }
                let forwarded = [("fairlead-forwarded", "true")];
                let answer = client.ask("GET", &plain, &forwarded).await;
                assert_eq!(answer.status, StatusCode::NOT_FOUND);
            }
            let reader = Client::with_token(logd, &token("a", Role::Read, &["shop/*"]));
            assert_eq!(reader.delete(&plain).await.status, StatusCode::NOT_FOUND);
            let nobody = Client::of(logd).get(&plain).await;
            assert_eq!(nobody.status, StatusCode::UNAUTHORIZED);
        }
        let own = Client::with_token(&several.logds[owner], &all);
        assert_eq!(own.get(&plain).await.lines().len(), 1, "nobody has deleted it");
    }
}

#[tokio::test]
async fn the_owner_judges_a_token_itself() {
    let several =
        Several::start(|index| tokens(if index == 1 { &["b"] } else { &["a", "b"] })).await;
    let app = app_of("shop", 1, COUNT);
    let path = format!("/logs/{app}");
    let sender = token("b", Role::Ingest, &["*"]);
    several.sender(1, &app, Some(&sender)).await.lines(1, 0, &["one"]).await;
    let client = |id| Client::with_token(&several.logds[0], &token(id, Role::Read, &["*"]));
    client("b").until(&path, |answer| answer.status == StatusCode::OK).await;
    let refused = client("a").get(&path).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers[WWW_AUTHENTICATE], "Bearer");
}

#[tokio::test]
async fn a_token_that_ends_ends_what_is_followed_at_another_logd() {
    let several = Several::start(|_| tokens(&["a"])).await;
    let app = app_of("shop", 1, COUNT);
    let path = format!("/logs/{app}");
    let sender = token("a", Role::Ingest, &["*"]);
    several.sender(1, &app, Some(&sender)).await.lines(1, 0, &["one"]).await;
    let all = Client::with_token(&several.logds[0], &token("a", Role::Read, &["*"]));
    all.until(&path, |answer| answer.status == StatusCode::OK).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let soon = Claims { role: Role::Read, apps: vec!["*".to_owned()], exp: now + 3 };
    let client = Client::with_token(&several.logds[0], &mint(&key("a"), &soon));
    let mut follow = client.follow(&format!("{path}?follow=true")).await;
    follow.lines(1).await;
    assert!(matches!(follow.try_line().await, Ok(None)));
}

/// What a follower has shown: it comes back with its cursor and leaves out lines that it has.
async fn follower(client: Client, app: String, shown: watch::Sender<Vec<String>>) {
    let path = format!("/logs/{app}?follow=true&format=json");
    let (mut after, mut names) = (String::new(), HashSet::new());
    loop {
        if let Ok(mut lines) = client.try_follow(&format!("{path}{after}"), &[]).await {
            while let Ok(Some(line)) = lines.try_line().await {
                let line: Value = serde_json::from_str(&line).unwrap();
                let text = |field: &str| line[field].as_str().unwrap().to_owned();
                after = format!("&after={}", text("cursor"));
                // What is about this stream alone has no name.
                if line["name"].is_string() && names.insert(text("name")) {
                    shown.send_modify(|shown| shown.push(text("message")));
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The names of the lines that a logd answers with.
fn names(body: &str) -> Vec<String> {
    let name = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["name"].as_str().unwrap().to_owned()
    };
    body.lines().map(name).collect()
}

#[tokio::test]
async fn of_three_one_is_killed_and_every_line_is_there_and_shown_once() {
    let (api, node) = (Api::start().await, Node::new());
    let folder = tempfile::tempdir().unwrap();
    let start = |index| Process::start(&api, &logd_name(index), folder.path());
    let mut logds: Vec<Process> = (0..COUNT).map(start).collect();
    for (index, logd) in logds.iter().enumerate() {
        api.endpoint(&logd_name(index), logd.http, logd.wire);
    }
    let app = app_of("shop", 1, COUNT);
    let pod = api.pod("shop", app.strip_prefix("shop/").unwrap(), serde_json::json!({}));
    let _shipper = node.ship(&api, SERVICE.parse().unwrap(), |_| {}).await;
    let mut log = node.container(&pod);
    let mut written = Vec::new();
    let mut write = |log: &mut Container, count: usize| {
        for _ in 0..count {
            let line = format!("line {}", written.len());
            log.write(&line);
            written.push(line);
        }
        Arc::from(written.as_slice())
    };
    let (shown_in, mut shown) = watch::channel(Vec::new());
    let follow = tokio::spawn(follower(logds[0].client(), app.clone(), shown_in));
    let mut until_shown = async |expected: Arc<[String]>| {
        let all = shown.wait_for(|shown| shown.len() >= expected.len());
        assert_eq!(**within("all lines are shown", all).await.unwrap(), *expected);
    };
    until_shown(write(&mut log, 50)).await;

    write(&mut log, 300);
    log.rotate();
    write(&mut log, 100);
    logds[1].kill();
    write(&mut log, 100);
    let path = format!("/logs/{app}?format=json&log_lines=100000");
    let unknown = |answer: &Answer| {
        answer.status == StatusCode::SERVICE_UNAVAILABLE && answer.body.starts_with("logd-1, ")
    };
    logds[2].client().until(&path, unknown).await;
    api.no_endpoint("logd-1");
    until_shown(write(&mut log, 50)).await;
    for logd in [&logds[0], &logds[2]] {
        let answer = logd.client().until(&path, |a| a.status == StatusCode::OK).await;
        assert_eq!(names(&answer.body), log.names());
    }

    // It comes back with nothing, and has the app again.
    log.rotate();
    write(&mut log, 10);
    logds[1] = start(1);
    api.endpoint("logd-1", logds[1].http, logds[1].wire);
    until_shown(write(&mut log, 50)).await;
    let own = [("fairlead-forwarded", "true")];
    let all = log.names();
    let owner = logds[1].client();
    let has_all = async {
        while names(&owner.ask("GET", &path, &own).await.body) != all {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within("it has all lines again", has_all).await;
    for logd in &logds {
        let same = |answer: &Answer| answer.status == StatusCode::OK && names(&answer.body) == all;
        logd.client().until(&path, same).await;
    }
    follow.abort();
    let shown = shown.borrow();
    assert_eq!(shown.iter().collect::<HashSet<_>>().len(), shown.len(), "each once");
}
