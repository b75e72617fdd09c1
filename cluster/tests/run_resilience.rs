//! What controllers and kubelet do when they could not keep up, and what becomes of owned objects.

mod run_support;

use fairlead_cluster::registry::Propagation;
use fairlead_cluster::{DeleteOptions, Kind, kinds, meta};
use run_support::{Run, deployment, pod, script, start};
use serde_json::{Value, json};

/// More changes than the store remembers.
const FLOOD: usize = 4200;

/// Changes an object of each of these kinds until watches must have lost their place. Does not let
/// anything else run on this thread.
fn flood(run: &Run, objects: &[(&'static Kind, &str)]) {
    for number in 0..FLOOD {
        for (kind, name) in objects {
            run.edit(kind, name, |object| {
                object["metadata"]["annotations"]["flood"] = number.to_string().into();
            });
        }
    }
}

// One thread: nobody follows the flood while it lasts.
#[tokio::test]
async fn who_falls_behind_starts_over_and_misses_nothing() {
    let run = start().await;
    let sleeper = script("main", "sleep 1000 & echo $$$$ $!; wait");
    run.create(&kinds::POD, pod("gone", &sleeper));
    run.create(&kinds::POD, pod("kept", &sleeper));
    let running = |pod: &Value| pod["status"]["phase"] == "Running";
    let gone = run.until(&kinds::POD, "gone", running).await;
    run.until(&kinds::POD, "kept", running).await;
    let pids = run.log(&gone, "main", 0, 1).await[0].clone();
    pids.split(' ').for_each(run_support::assert_process);

    let at_once = DeleteOptions { grace: Some(0), ..DeleteOptions::default() };
    run.delete(&kinds::POD, "gone", &at_once);
    run.create(&kinds::DEPLOYMENT, deployment("web", 1, &sleeper));
    flood(&run, &[(&kinds::POD, "kept"), (&kinds::DEPLOYMENT, "web")]);

    for pid in pids.split(' ') {
        run_support::until_process_gone(pid).await;
    }
    let available = |web: &Value| web["status"]["availableReplicas"] == 1;
    run.until(&kinds::DEPLOYMENT, "web", available).await;
    let kept = run.until(&kinds::POD, "kept", running).await;
    assert_eq!(kept["status"]["containerStatuses"][0]["restartCount"], 0, "left alone");
}

fn owned(name: &str, owner: &Value, block: bool) -> Value {
    json!({"metadata": {"name": name, "ownerReferences": [{
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": meta::name(owner),
        "uid": meta::uid(owner),
        "blockOwnerDeletion": block,
    }]}})
}

fn how(propagation: Propagation) -> DeleteOptions {
    DeleteOptions { propagation: Some(propagation), ..DeleteOptions::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_object_owned_goes_with_it_or_stays_as_asked() {
    let run = start().await;
    let owner = |name: &str| run.create(&kinds::CONFIG_MAP, json!({"metadata": {"name": name}}));

    let background = owner("background");
    run.create(&kinds::SECRET, owned("a", &background, false));
    run.delete(&kinds::CONFIG_MAP, "background", &how(Propagation::Background));
    run.until_gone(&kinds::SECRET, "a").await;

    let foreground = owner("foreground");
    run.create(&kinds::SECRET, owned("b", &foreground, true));
    run.delete(&kinds::CONFIG_MAP, "foreground", &how(Propagation::Foreground));
    run.until_gone(&kinds::CONFIG_MAP, "foreground").await;
    run.until_gone(&kinds::SECRET, "b").await;

    let orphan = owner("orphan");
    run.create(&kinds::SECRET, owned("c", &orphan, false));
    run.delete(&kinds::CONFIG_MAP, "orphan", &how(Propagation::Orphan));
    run.until_gone(&kinds::CONFIG_MAP, "orphan").await;
    let free =
        |secret: &Value| secret["metadata"]["ownerReferences"].as_array().is_none_or(Vec::is_empty);
    run.until(&kinds::SECRET, "c", free).await;

    // An owner that is gone already, or has been replaced by another of its name.
    run.create(&kinds::SECRET, owned("d", &background, false));
    run.until_gone(&kinds::SECRET, "d").await;
    owner("background");
    run.create(&kinds::SECRET, owned("e", &background, false));
    run.until_gone(&kinds::SECRET, "e").await;

    // One of two owners is enough to stay.
    let (first, second) = (owner("first"), owner("second"));
    let mut both = owned("f", &first, false);
    let other = owned("f", &second, false)["metadata"]["ownerReferences"][0].clone();
    both["metadata"]["ownerReferences"].as_array_mut().unwrap().push(other);
    run.create(&kinds::SECRET, both);
    run.delete(&kinds::CONFIG_MAP, "first", &how(Propagation::Background));
    run.create(&kinds::SECRET, owned("g", &first, false));
    run.until_gone(&kinds::SECRET, "g").await;
    assert!(run.all(&kinds::SECRET).iter().any(|secret| meta::name(secret) == "f"));
    run.delete(&kinds::CONFIG_MAP, "second", &how(Propagation::Background));
    run.until_gone(&kinds::SECRET, "f").await;
}
