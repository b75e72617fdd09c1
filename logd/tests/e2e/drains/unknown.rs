//! Lines of a pod of which nobody knew whose it is.

use std::time::Duration;

use fairlead_cluster::http::Refusal;
use serde_json::json;

use super::{balances, shown, until_drain};
use crate::support::{Api, Client, Node, Receiver};

/// The API is away when a pod comes: its lines go to an app that is named like it, and once the API is back to
/// the drains of its own app, too.
#[tokio::test]
async fn lines_of_a_pod_that_was_named_by_its_path_reach_the_drains_of_its_app() {
    let (api, node) = (Api::start().await, Node::new());
    let mut receiver = Receiver::start().await;
    api.drain("shop", "store", json!({"url": receiver.url(), "app": "store"}));
    let logd = api.logd(|_| {}).await;
    until_drain(&logd, "shop/store").await;

    api.cluster.faults().refuse(u32::MAX, Refusal::InternalError);
    api.cluster.drop_watches();
    let mut log = node.container(&api.pod("shop", "store-1", json!({"app": "store"})));
    let logds = format!("http://{}", logd.wire_addr()).parse().unwrap();
    let wait = Duration::from_millis(100);
    let _shipper = node.ship(&api, logds, |options| options.pod_wait = wait).await;
    log.write("one");
    log.rotate();
    log.write("two");
    let client = Client::of(&logd);
    client.until("/logs/shop/store-1", |answer| answer.lines().len() == 2).await;
    assert!(receiver.is_quiet());

    api.cluster.faults().clear();
    assert_eq!(receiver.texts(2).await, ["one", "two"]);
    log.write("three");
    assert_eq!(receiver.text().await, "three");
    let drain = shown(&client, "shop/store", |drain| drain["lines"]["sent"] == 3).await;
    assert!(balances(&drain), "{drain}");
    assert_eq!(client.get("/logs/shop/store").await.lines().len(), 3);
}
