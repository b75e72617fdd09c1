//! Deleting a namespace, in a cluster that acts.

use std::time::Duration;

use fairlead_cluster::{
    Cluster, ClusterOptions, DeleteOptions, EventType, Selector, WriteOptions, kinds,
};
use serde_json::json;

#[tokio::test]
async fn deleting_a_namespace_empties_it_first() {
    let cluster = Cluster::start(ClusterOptions::default()).await.expect("a loopback port");
    let (registry, options) = (cluster.registry(), WriteOptions::by("tester"));
    registry
        .create(&kinds::NAMESPACE, None, json!({"metadata": {"name": "smp"}}), &options)
        .expect("created");
    for index in 0..3 {
        let name = format!("m{index}");
        let map = json!({"metadata": {"name": name}});
        registry.create(&kinds::CONFIG_MAP, Some("smp"), map.clone(), &options).expect("created");
        registry.create(&kinds::SECRET, Some("smp"), map.clone(), &options).expect("created");
        registry.create(&kinds::CONFIG_MAP, Some("default"), map, &options).expect("created");
    }
    let held = json!({"metadata": {"name": "held", "finalizers": ["ex.io/f"]}});
    registry.create(&kinds::CONFIG_MAP, Some("smp"), held, &options).expect("created");

    let mut watch = registry.list_watch(&kinds::CONFIG_MAP, Some("smp"), &Selector::everything());
    registry
        .delete(&kinds::NAMESPACE, None, "smp", &DeleteOptions::default(), &options)
        .expect("marked");
    let mut gone = 0;
    while gone < 3 {
        let event = tokio::time::timeout(Duration::from_secs(10), watch.next()).await;
        gone += usize::from(
            event.expect("in time").expect("in the window").event == EventType::Deleted,
        );
    }
    // One object is still held, and with it the namespace.
    assert_eq!(
        registry.get(&kinds::NAMESPACE, None, "smp").expect("held")["status"]["phase"],
        "Terminating"
    );
    let mut namespaces = registry.list_watch(&kinds::NAMESPACE, None, &Selector::everything());
    registry
        .modify(&kinds::CONFIG_MAP, Some("smp"), "held", None, &options, |map| {
            map["metadata"]["finalizers"] = json!([]);
            Ok(())
        })
        .expect("let go");
    loop {
        let event = tokio::time::timeout(Duration::from_secs(10), namespaces.next()).await;
        let event = event.expect("in time").expect("in the window");
        if event.event == EventType::Deleted {
            assert_eq!(event.object["metadata"]["name"], "smp");
            break;
        }
    }
    assert!(registry.list(&kinds::SECRET, Some("smp"), &Selector::everything()).items.is_empty());
    assert_eq!(
        registry.list(&kinds::CONFIG_MAP, Some("default"), &Selector::everything()).items.len(),
        3
    );
    registry
        .create(&kinds::NAMESPACE, None, json!({"metadata": {"name": "smp"}}), &options)
        .expect("made anew");
    cluster.shutdown().await;
}
