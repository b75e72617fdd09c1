use serde_json::{Value, json};

use super::{World, template};
use crate::controllers::object::Fields;
use crate::kinds::{ENDPOINT_SLICE, POD, SERVICE, Subresource};
use crate::meta;
use crate::port_map;

fn service(target: Value) -> Value {
    json!({
        "metadata": {"name": "web", "labels": {"team": "blue"}},
        "spec": {
            "type": "ClusterIP",
            "selector": {"app": "web"},
            "ports": [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": target}],
        },
    })
}

/// A ready pod on an address of its own, whose port 8080 is really `port`.
fn pod(world: &World, name: &str, address: &str, port: Option<u16>) {
    let mut pod = template("web:1");
    pod["metadata"]["name"] = name.into();
    if let Some(port) = port {
        pod["metadata"]["annotations"] = json!({port_map::ANNOTATION: format!("8080:{port}")});
    }
    world.create(&POD, pod);
    let edit = |pod: &mut Value| {
        pod["status"] = json!({
            "phase": "Running",
            "podIP": address,
            "conditions": [{"type": "Ready", "status": "True"}],
        });
        Ok(())
    };
    let status = Some(Subresource::Status);
    let options = super::options();
    world.registry.modify(&POD, Some("app"), name, status, &options, edit).expect("the pod");
}

/// Ports and addresses of every slice, sorted.
fn slices(world: &World) -> Vec<(Vec<i64>, Vec<String>)> {
    let mut slices: Vec<_> = world
        .all(&ENDPOINT_SLICE)
        .iter()
        .map(|slice| {
            let ports = slice.list("/ports").iter().map(|port| port.int("/port").unwrap());
            let mut addresses: Vec<String> = slice
                .list("/endpoints")
                .iter()
                .map(|endpoint| endpoint.text("/addresses/0").to_owned())
                .collect();
            addresses.sort();
            (ports.collect(), addresses)
        })
        .collect();
    slices.sort();
    slices
}

#[test]
fn a_ready_pod_becomes_an_endpoint() {
    let mut world = World::new();
    world.create(&SERVICE, service(json!("http")));
    pod(&world, "a", "127.8.0.1", None);
    world.settle();
    let slices = world.all(&ENDPOINT_SLICE);
    assert_eq!(slices.len(), 1);
    let slice = &slices[0];
    assert!(meta::name(slice).starts_with("web-"));
    assert_eq!(meta::label(slice, "kubernetes.io/service-name"), Some("web"));
    assert_eq!(
        meta::label(slice, "endpointslice.kubernetes.io/managed-by"),
        Some("endpointslice-controller.k8s.io")
    );
    assert_eq!(meta::label(slice, "team"), Some("blue"));
    assert_eq!(meta::controller(slice).expect("an owner")["kind"], "Service");
    assert_eq!(slice["addressType"], "IPv4");
    assert_eq!(slice["ports"], json!([{"name": "http", "protocol": "TCP", "port": 8080}]));
    let uid = meta::uid(&world.get(&POD, "a")).to_owned();
    assert_eq!(
        slice["endpoints"],
        json!([{
            "addresses": ["127.8.0.1"],
            "conditions": {"ready": true, "serving": true, "terminating": false},
            "targetRef": {"kind": "Pod", "namespace": "app", "name": "a", "uid": uid},
            "nodeName": "local",
        }])
    );
}

#[test]
fn pods_are_grouped_by_the_ports_they_really_listen_on() {
    let mut world = World::new();
    world.create(&SERVICE, service(json!("http")));
    pod(&world, "a", "127.8.0.1", Some(21001));
    pod(&world, "b", "127.8.0.2", Some(21002));
    pod(&world, "c", "127.8.0.3", None);
    pod(&world, "d", "127.8.0.4", None);
    world.settle();
    assert_eq!(
        slices(&world),
        [
            (vec![8080], vec!["127.8.0.3".to_owned(), "127.8.0.4".to_owned()]),
            (vec![21001], vec!["127.8.0.1".to_owned()]),
            (vec![21002], vec!["127.8.0.2".to_owned()]),
        ]
    );
}

#[test]
fn numbered_and_absent_target_ports_are_mapped_too() {
    for (target, expected) in [(json!(8080), 21001), (json!(9090), 9090), (Value::Null, 80)] {
        let mut world = World::new();
        world.create(&SERVICE, service(target));
        pod(&world, "a", "127.8.0.1", Some(21001));
        world.settle();
        assert_eq!(slices(&world), [(vec![expected], vec!["127.8.0.1".to_owned()])]);
    }
}

#[test]
fn a_service_without_endpoints_has_an_empty_slice() {
    let mut world = World::new();
    world.create(&SERVICE, service(json!("http")));
    world.settle();
    assert_eq!(slices(&world), [(vec![], vec![])]);
    let name = meta::name(&world.all(&ENDPOINT_SLICE)[0]).to_owned();
    pod(&world, "a", "127.8.0.1", Some(21001));
    world.settle();
    assert_eq!(slices(&world), [(vec![21001], vec!["127.8.0.1".to_owned()])]);
    assert_eq!(meta::name(&world.all(&ENDPOINT_SLICE)[0]), name, "changed in place");
    world.remove(&world.get(&POD, "a"));
    world.settle();
    assert_eq!(slices(&world), [(vec![], vec![])]);
}

#[test]
fn a_pod_being_deleted_still_serves_but_is_not_ready() {
    let mut world = World::new();
    world.create(&SERVICE, service(json!("http")));
    pod(&world, "a", "127.8.0.1", None);
    world.settle();
    let grace = crate::registry::DeleteOptions { grace: Some(30), ..Default::default() };
    world.registry.delete(&POD, Some("app"), "a", &grace, &super::options()).expect("deleted");
    world.settle();
    let slice = &world.all(&ENDPOINT_SLICE)[0];
    assert_eq!(
        slice["endpoints"][0]["conditions"],
        json!({"ready": false, "serving": true, "terminating": true})
    );
}

#[test]
fn a_slice_holds_at_most_100_endpoints() {
    let mut world = World::new();
    world.create(&SERVICE, service(json!("http")));
    for number in 0..150 {
        pod(&world, &format!("p{number}"), &format!("127.8.1.{number}"), None);
    }
    world.settle();
    let mut sizes: Vec<usize> =
        slices(&world).iter().map(|(_, addresses)| addresses.len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [50, 100]);
}

#[test]
fn a_pod_whose_labels_change_leaves() {
    let mut world = World::new();
    world.create(&SERVICE, service(json!("http")));
    pod(&world, "a", "127.8.0.1", None);
    pod(&world, "b", "127.8.0.2", None);
    world.settle();
    world.edit(&POD, "a", |pod| pod["metadata"]["labels"]["app"] = "other".into());
    world.settle();
    assert_eq!(slices(&world), [(vec![8080], vec!["127.8.0.2".to_owned()])]);
}

#[test]
fn services_without_selector_are_left_alone() {
    let mut world = World::new();
    let mut external = service(json!("http"));
    external["spec"].as_object_mut().unwrap().remove("selector");
    world.create(&SERVICE, external);
    world.settle();
    assert_eq!(slices(&world), []);
}
