//! How drains are declared, whose they are, and who sees them.

use fairlead_logd::{Auth, DrainOptions, Keys, PlatformDrain, Role};
use http::StatusCode;
use serde_json::json;

use super::{App, balances, shown, until_drain};
use crate::{
    access::{key, token},
    support::{Answer, Api, Client, Receiver, nobody, with},
};

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
    let gone = |answer: &Answer| answer.status == StatusCode::NOT_FOUND;
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
    let known = |answer: &Answer| answer.json()["complete"] == true;
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
        let known = |answer: &Answer| answer.json()["complete"] == true;
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

/// Not even where it says all that a drain does.
#[tokio::test]
async fn a_secret_without_the_label_is_no_drain_and_one_that_loses_it_none_any_more() {
    let api = Api::start().await;
    let (mut receiver, mut other) = (Receiver::start().await, Receiver::start().await);
    api.drain("shop", "drain", json!({"url": receiver.url()}));
    api.secret("shop", "secret", json!({}), json!({"url": other.url()}));
    let labels = json!({"fairlead.dev/drain": "false"});
    api.secret("fairlead", "another", labels, json!({"url": other.url()}));
    let logd = api.logd(|_| {}).await;
    let client = Client::of(&logd);
    let all = client.until("/drains", |answer| answer.json()["complete"] == true).await.json();
    let ids: Vec<&str> =
        all["drains"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!((ids, &all["refused"]), (vec!["shop/drain"], &json!([])));
    let mut web = App::open(&logd, "shop/web", "a").await;
    web.write(&["one"]).await;
    assert_eq!(receiver.text().await, "one");
    web.settled().await;
    // The label is given to one and taken from the other.
    api.drain("shop", "secret", json!({"url": other.url()}));
    api.secret("shop", "drain", json!({}), json!({"url": receiver.url()}));
    shown(&client, "shop/secret", |_| true).await;
    let gone = |answer: &Answer| answer.status == StatusCode::NOT_FOUND;
    client.until("/drains/shop/drain", gone).await;
    web.write(&["two"]).await;
    assert_eq!(other.text().await, "two");
    web.settled().await;
    assert!(receiver.is_quiet() && other.is_quiet());
}
