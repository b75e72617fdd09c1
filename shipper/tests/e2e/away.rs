//! The Kubernetes API is away: watches break, requests are refused, and pods come and go meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use fairlead_cluster::http::Refusal;
use fairlead_shipper::{Shipper, ShipperOptions};
use fairlead_test_support::{figure, soaking};
use fairlead_wire::message::GapReason;
use serde_json::json;

use crate::pods::start_with;
use crate::support::{Api, ContainerLog, Logd, Manner, Node, State, metric, until_metric};

/// Pods that write, and a shipper of their lines.
struct World {
    node: Node,
    logd: Logd,
    api: Api,
    shipper: Shipper,
    /// By the pod's directory.
    logs: BTreeMap<String, ContainerLog>,
    written: BTreeSet<String>,
}

impl World {
    /// History is what another app's log is sent of what this one has already.
    async fn new(history: u64) -> Self {
        let logd = Logd::start(Manner { history, ..Manner::default() }).await;
        let (node, api) = (Node::new(), Api::start().await);
        // Where there is time, as long as by default.
        let wait = |options: &mut ShipperOptions| {
            if !soaking() {
                options.pod_wait = Duration::from_millis(200);
            }
        };
        let shipper = start_with(&node, &logd, &api, wait).await;
        Self { node, logd, api, shipper, logs: BTreeMap::new(), written: BTreeSet::new() }
    }

    /// A pod that says of which app it is. Returns its directory.
    fn pod(&mut self, name: &str, app: &str) -> String {
        let directory = self.api.pod(name, json!({"labels": {"app": app}}));
        let log = self.node.container(&directory, "web");
        self.logs.insert(directory.clone(), log);
        directory
    }

    /// Each pod that is there writes a line, and logd gets it.
    async fn write(&mut self, what: &str) {
        for (directory, log) in &mut self.logs {
            let line = format!("{directory} {what}");
            log.write(&[&line]);
            self.written.insert(line);
        }
        let lines = self.written.len();
        self.logd
            .until(&format!("the {lines} lines of {what}"), |state| {
                let texts = state.texts();
                let texts: BTreeSet<_> = texts.iter().map(String::as_str).collect();
                (texts.len() == lines).then_some(())
            })
            .await;
    }

    /// The pod ends: its directory goes, and it in the API.
    fn end(&mut self, name: &str, directory: &str) {
        self.api.delete(name);
        std::fs::remove_dir_all(self.node.pods().join(directory)).unwrap();
        self.logs.remove(directory);
    }

    /// Nothing that was sent is still to be acknowledged.
    async fn settled(&self) {
        let unacknowledged = "fairlead_shipper_unacknowledged_bytes";
        until_metric(self.shipper.admin_addr(), unacknowledged, |bytes| bytes == 0).await;
    }

    fn leave(&self, how: Refusal) {
        self.api.cluster.faults().refuse(u32::MAX, how);
        self.api.cluster.drop_watches();
    }

    /// The API is back, and lines of the pod go to this app.
    async fn back(&self, directory: &str, app: &str) {
        self.api.cluster.faults().clear();
        self.named(directory, app).await;
    }

    async fn named(&self, directory: &str, app: &str) {
        let (uid, app) = (directory.rsplit('_').next().unwrap(), format!("shop/{app}"));
        self.logd
            .until(&format!("{directory} as {app}"), |state| {
                state.order.iter().any(|key| key.0 == uid && key.4 == app).then_some(())
            })
            .await;
    }

    fn lines(&self, app: &str) -> Vec<String> {
        let lines = |state: &State| {
            let lines = state.of(app).into_iter().flat_map(|file| file.lines.clone());
            lines.map(|line| String::from_utf8(line.payload).unwrap()).collect()
        };
        self.logd.look(lines)
    }
}

#[tokio::test]
async fn pods_that_come_and_go_while_the_api_is_away_lose_and_repeat_no_line() {
    let mut world = World::new(0).await;
    let stays = world.pod("stays-1", "stays");
    let moves = world.pod("moves-1", "moves");
    let ends = world.pod("ends-1", "ends");
    let first = world.pod("again-0", "first");
    world.write("before").await;
    assert_eq!(world.lines("shop/ends"), [format!("{ends} before")]);

    // Ten minutes, where there is time: a new pod is waited for for half of each.
    let (rounds, pause) =
        if soaking() { (10, Duration::from_secs(30)) } else { (6, Duration::ZERO) };
    let away = Instant::now();
    let mut made = Vec::new();
    for round in 0..rounds {
        let how = [Refusal::InternalError, Refusal::TooManyRequests][round % 2];
        world.leave(how);
        made.push(world.pod(&format!("made-{round}"), "made"));
        match round {
            1 => world.api.annotate("moves-1", &BTreeMap::from([("fairlead.dev/app", "moved")])),
            2 => world.end("ends-1", &ends),
            // Its name is used again, by another pod.
            3 => {
                world.end("again-0", &first);
                world.pod("again-0", "second");
            }
            // Nobody ever saw it.
            4 => world.end("made-0", &made[0]),
            _ => {}
        }
        world.write(&format!("in round {round}")).await;
        tokio::time::sleep(pause).await;
    }
    let second = world.logs.keys().find(|directory| directory.contains("again")).unwrap().clone();
    for (app, lines) in [("stays", rounds + 1), ("moves", rounds + 1), ("moved", 0), ("made", 0)] {
        assert_eq!(world.lines(&format!("shop/{app}")).len(), lines, "{app}");
    }
    for (app, lines) in [("made-0", 4), ("made-1", rounds - 1), ("again-0", rounds - 3)] {
        assert_eq!(world.lines(&format!("shop/{app}")).len(), lines, "{app}");
    }

    world.settled().await;
    let away = away.elapsed().as_secs();
    world.back(&moves, "moved").await;
    world.named(&second, "second").await;
    for directory in &made[1..] {
        world.named(directory, "made").await;
    }
    world.write("after").await;
    // Those that were named by their paths have all of their lines in their apps, too.
    let of_made: usize = (1..rounds).map(|round| rounds - round + 1).sum();
    for (app, lines) in
        [("stays", rounds + 2), ("moved", 1), ("second", rounds - 2), ("made", of_made)]
    {
        let lines_of = world.lines(&format!("shop/{app}"));
        assert_eq!(lines_of.len(), lines, "{app}");
        assert_eq!(lines_of.iter().collect::<BTreeSet<_>>().len(), lines, "{app}: one twice");
    }
    assert!(world.lines("shop/stays").contains(&format!("{stays} after")));
    // All lines, and nothing is missing.
    let texts: BTreeSet<_> = world.logd.look(State::texts).into_iter().collect();
    assert_eq!(texts, world.written);
    world.logd.look(|state| {
        assert!(state.gaps.is_empty(), "{:?}", state.gaps);
        assert!(state.faults.is_empty(), "{:?}", state.faults);
    });
    let containers = world.logs.len() as u64;
    until_metric(world.shipper.admin_addr(), "fairlead_shipper_containers", |n| n == containers)
        .await;
    figure(
        "pods_that_come_and_go_while_the_api_is_away_lose_and_repeat_no_line",
        &format!(
            "away for {away} s, {} pods made and 3 ended meanwhile, {} lines, 0 missing, 0 repeated",
            rounds + 1,
            texts.len()
        ),
    );
}

#[tokio::test]
async fn pods_that_were_named_by_their_paths_get_their_apps_when_the_api_is_back() {
    let mut world = World::new(1 << 20).await;
    let known = world.pod("known-1", "store");
    world.write("before").await;
    world.leave(Refusal::InternalError);
    let made = world.pod("made-1", "store");
    world.write("meanwhile").await;
    assert_eq!(
        world.lines("shop/store"),
        [format!("{known} before"), format!("{known} meanwhile")]
    );
    assert_eq!(world.lines("shop/made-1"), [format!("{made} meanwhile")]);
    world.settled().await;
    world.back(&made, "store").await;
    world.write("after").await;
    assert_eq!(world.lines("shop/made-1"), [format!("{made} meanwhile")]);
    // Its app's log gets what there is of it, and what comes. None of it is history: no drain of the app
    // had it.
    let file = world.logd.look(|state| {
        let last = format!("{made} after");
        let file = state
            .of("shop/store")
            .into_iter()
            .find(|file| file.lines.iter().any(|line| line.payload == last.as_bytes()));
        file.unwrap().clone()
    });
    let lines = file.lines.iter().map(|line| (line.payload.clone(), line.history));
    let expected = [("meanwhile", false), ("after", false)]
        .map(|(what, history)| (format!("{made} {what}").into_bytes(), history));
    assert!(lines.eq(expected), "{file:?}");
    assert_eq!(file.source.app, "store");
    let gaps = "fairlead_shipper_gaps_total{reason=\"deleted\"}";
    assert_eq!(metric(world.shipper.admin_addr(), gaps).await, 0);
    assert!(world.logd.look(|state| state.gaps.is_empty() && state.faults.is_empty()));
}

/// A pod was known, and the app of its lines is another one from now on: what its old app's drains had is
/// history.
#[tokio::test]
async fn lines_of_a_pod_that_goes_to_another_app_are_history_there() {
    let mut world = World::new(1 << 20).await;
    let pod = world.pod("moves-1", "moves");
    world.write("before").await;
    world.settled().await;
    world.api.annotate("moves-1", &BTreeMap::from([("fairlead.dev/app", "moved")]));
    world.named(&pod, "moved").await;
    world.write("after").await;
    let lines = world.logd.look(|state| {
        let lines = state.of("shop/moved").into_iter().flat_map(|file| file.lines.clone());
        let text = |payload: Vec<u8>| String::from_utf8(payload).unwrap();
        lines.map(|line| (text(line.payload), line.history)).collect::<Vec<_>>()
    });
    assert_eq!(lines, [(format!("{pod} before"), true), (format!("{pod} after"), false)]);
}

/// It was named by its path, files that were read are gone, and the process began anew meanwhile.
#[tokio::test]
async fn what_its_app_never_gets_of_a_pod_that_was_named_by_its_path_is_a_gap() {
    let mut world = World::new(0).await;
    world.leave(Refusal::InternalError);
    let made = world.pod("made-1", "store");
    world.write("one").await;
    world.settled().await;
    world.logs[&made].rotate(1);
    world.write("two").await;
    world.logs[&made].rotate(2);
    world.write("three").await;
    let closed = |state: &State| {
        let files = state.of("shop/made-1");
        (files.iter().filter(|file| file.closed).count() == 2).then_some(())
    };
    world.logd.until("two files are read to their ends", closed).await;
    world.logs[&made].delete(1);
    let remembered = async {
        // What is gone is no longer among what is remembered.
        let checkpoint = world.node.state().join("checkpoint");
        let hashes =
            world.logd.look(|state| state.order.iter().map(|key| key.3).collect::<Vec<_>>());
        let has =
            |bytes: &[u8], hash: &u64| bytes.windows(8).any(|window| window == hash.to_le_bytes());
        while has(&std::fs::read(&checkpoint).unwrap_or_default(), &hashes[0]) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), remembered).await.unwrap();
    let World { node, logd, api, shipper, .. } = world;
    shipper.shutdown().await;
    api.cluster.faults().clear();
    let _shipper = start_with(&node, &logd, &api, |_| {}).await;
    logd.ends("shop/store", &format!("{made} three")).await;
    logd.look(|state| {
        let lines: Vec<_> =
            state.of("shop/store").into_iter().flat_map(|file| file.lines.clone()).collect();
        let expected = ["two", "three"].map(|what| format!("{made} {what}").into_bytes());
        assert!(lines.iter().map(|line| &line.payload).eq(&expected), "{lines:?}");
        assert!(lines.iter().all(|line| !line.history), "{lines:?}");
        let [gap] = state.gaps.as_slice() else { panic!("{:?}", state.gaps) };
        assert_eq!((gap.reason, &gap.before), (GapReason::Deleted.into(), &None));
        let second = state.order.iter().find(|key| key.4 == "shop/store").unwrap();
        assert_eq!(gap.after.as_ref().unwrap().incarnation.first_line, second.3);
        assert!(state.faults.is_empty(), "{:?}", state.faults);
    });
}
