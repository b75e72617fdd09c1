//! Several logds, and which of them is sent an app's lines.

use fairlead_shipper::{Shipper, ShipperOptions, StartError};
use fairlead_wire::Members;
use fairlead_wire::members::Member;

use crate::support::{Api, Logd, Manner, NODE, Node, until_metric};

fn manner(instance: &str) -> Manner {
    Manner { instance: instance.to_owned(), history: 1 << 20, ..Manner::default() }
}

/// A pod whose app belongs to the member with this name, among `logd-0` and `logd-1`.
fn pod_of(api: &Api, owner: &str) -> String {
    let url = http::Uri::from_static("http://127.0.0.1:1");
    let member = |name: &str| Member { name: name.to_owned(), ..Member::at(url.clone()) };
    let members = Members::new(vec![member("logd-0"), member("logd-1")]);
    let is_its =
        |app: &String| members.owner(&format!("shop/{app}")).is_some_and(|m| m.name == owner);
    let app = (0..).map(|n| format!("app-{n}")).find(is_its).unwrap();
    api.pod(&app, serde_json::json!({}))
}

async fn start(node: &Node, api: &Api) -> Shipper {
    let options = node.options_to("service:shop/logd".parse().unwrap());
    let options = ShipperOptions { node: NODE.to_owned(), ..options };
    Shipper::start(options, Some(api.client().await)).unwrap()
}

#[tokio::test]
async fn each_app_goes_to_its_owner() {
    let (node, api) = (Node::new(), Api::start().await);
    let (first, second) = (Logd::start(manner("a")).await, Logd::start(manner("b")).await);
    api.endpoint("logd-0", first.address.port());
    api.endpoint("logd-1", second.address.port());
    let _shipper = start(&node, &api).await;
    node.container(&pod_of(&api, "logd-0"), "web").write(&["of the first"]);
    node.container(&pod_of(&api, "logd-1"), "web").write(&["of the second"]);
    first.lines(&["of the first"]).await;
    second.lines(&["of the second"]).await;
}

#[tokio::test]
async fn a_new_owner_gets_history_and_one_that_has_the_app_again_only_what_it_lacks() {
    let (node, api) = (Node::new(), Api::start().await);
    let (first, second) = (Logd::start(manner("a")).await, Logd::start(manner("b")).await);
    api.endpoint("logd-0", first.address.port());
    let mut log = node.container(&pod_of(&api, "logd-1"), "web");
    let _shipper = start(&node, &api).await;
    log.write(&["one"]);
    first.lines(&["one"]).await;
    api.endpoint("logd-1", second.address.port());
    second.lines(&["one"]).await;
    log.write(&["two"]);
    second.lines(&["one", "two"]).await;
    // What every drain of the former owner had is for readers alone.
    let history = second.look(|state| {
        let lines = state.files.values().flat_map(|file| file.lines.clone());
        lines.map(|line| line.history).collect::<Vec<_>>()
    });
    assert_eq!(history, [true, false]);
    api.no_endpoint("logd-1");
    log.write(&["three"]);
    first.lines(&["one", "two", "three"]).await;
    for logd in [first, second] {
        logd.look(|state| {
            assert_eq!((&state.faults[..], state.gaps.len()), (&[][..], 0));
        });
    }
}

#[tokio::test]
async fn without_any_logd_lines_wait_in_their_files() {
    let (node, api) = (Node::new(), Api::start().await);
    let logd = Logd::start(manner("a")).await;
    let mut log = node.container(&pod_of(&api, "logd-0"), "web");
    log.write(&["one"]);
    let shipper = start(&node, &api).await;
    api.endpoint("logd-0", logd.address.port());
    logd.lines(&["one"]).await;
    api.no_endpoint("logd-0");
    until_metric(shipper.admin_addr(), "fairlead_shipper_connections", |count| count == 0).await;
    log.write(&["two"]);
    log.rotate(1);
    log.write(&["three"]);
    api.endpoint("logd-0", logd.address.port());
    logd.lines(&["one", "two", "three"]).await;
    assert!(logd.look(|state| state.faults.is_empty() && state.gaps.is_empty()));
}

#[tokio::test]
async fn a_service_cannot_be_followed_without_an_api() {
    let options = Node::new().options_to("service:shop/logd".parse().unwrap());
    let error = Shipper::start(options, None).unwrap_err();
    assert!(matches!(error, StartError::NoApi), "{error}");
    assert!(error.to_string().contains("--logd"), "{error}");
}
