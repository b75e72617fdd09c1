//! A node whose containers write, a shipper and logds as processes of their own, and the API between
//! them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fairlead_benches::logs::{
    Api, Arrivals, Component, Follower, Lines, Node, Rotation, Truth,
    api::NODE,
    checker::{Gap, Verdict},
    component::address,
    follower,
    truth::{ContainerName, Position},
};
use fairlead_wire::Incarnation;
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

/// How often a condition is looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(20);
/// For what is to happen, on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Decides what containers write.
const SEED: u64 = 11;

pub(crate) const NAMESPACE: &str = "shop";
pub(crate) const APP: &str = "shop/web";

pub(crate) struct World {
    folder: TempDir,
    pub(crate) api: Api,
    pub(crate) node: Node,
    pub(crate) lines: Lines,
    containers: Vec<ContainerName>,
    kubeconfig: PathBuf,
    /// What the shipper is told beside where everything is.
    pub(crate) shipper_flags: Vec<&'static str>,
    shipper: Option<Component>,
    pub(crate) logds: Vec<Logd>,
    /// No line is older.
    pub(crate) begun: Timestamp,
}

/// A logd, or the place where one was.
pub(crate) struct Logd {
    pub(crate) http: SocketAddr,
    pub(crate) wire: SocketAddr,
    process: Option<Component>,
    killed: bool,
}

impl World {
    /// Without containers; no process runs.
    pub(crate) async fn new(rotation: Rotation, logds: usize) -> Self {
        // Files in memory are rotated and compressed as those on a disk, and wear none out.
        let memory = Path::new("/dev/shm");
        let folder =
            if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
        let api = Api::start().await.unwrap();
        let kubeconfig = api.kubeconfig(folder.path()).unwrap();
        let lines = Lines::new(SEED);
        let node = Node::start(folder.path().join("pods"), lines.clone(), SEED, rotation);
        let logd = |_| {
            let (http, wire) = (address().unwrap(), address().unwrap());
            Logd { http, wire, process: None, killed: false }
        };
        let logds = (0..logds).map(logd).collect();
        let (containers, shipper_flags) = (Vec::new(), Vec::new());
        Self {
            folder,
            api,
            node,
            lines,
            containers,
            kubeconfig,
            shipper_flags,
            shipper: None,
            logds,
            begun: Timestamp::now(),
        }
    }

    /// With containers, a shipper and one logd, and what follows it.
    pub(crate) async fn running(
        rotation: Rotation,
        containers: usize,
        flags: &[&'static str],
    ) -> (Self, Following) {
        let mut world = Self::new(rotation, 1).await;
        world.shipper_flags = flags.to_vec();
        for number in 0..containers {
            world.pod(&format!("web-{number}"));
        }
        world.start_logd(0);
        world.start_shipper();
        let following = world.follow();
        (world, following)
    }

    /// Starts a pod with one container. Returns the container's number.
    pub(crate) fn pod(&mut self, name: &str) -> usize {
        let name = self.api.pod(NAMESPACE, name, "web").unwrap();
        self.containers.push(name.clone());
        self.node.run(name).unwrap()
    }

    /// Ends a pod, which leaves nothing.
    pub(crate) fn remove(&self, container: usize) {
        self.api.delete(&self.containers[container]).unwrap();
        self.node.remove(container).unwrap();
    }

    fn command(&self, role: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_logs"));
        command.arg(role).env("KUBECONFIG", &self.kubeconfig);
        command
    }

    pub(crate) fn start_shipper(&mut self) {
        let path = self.folder.path();
        let mut command = self.command("shipper");
        command.arg("--pods").arg(path.join("pods")).arg("--state").arg(path.join("state"));
        command.args(["--node", NODE, "--admin", "127.0.0.1:0", "--log", "info"]);
        command.arg("--logd").arg(match &self.logds[..] {
            [logd] => format!("http://{}", logd.wire),
            _ => self.tell_logds(),
        });
        command.args(&self.shipper_flags);
        let log = path.join("shipper.txt");
        self.shipper = Some(Component::start(&mut command, &log).unwrap());
    }

    pub(crate) fn kill_shipper(&mut self) {
        self.shipper.take().unwrap().kill().unwrap();
    }

    pub(crate) fn start_logd(&mut self, number: usize) {
        let Logd { http, wire, .. } = self.logds[number];
        let mut command = self.command("logd");
        command.args(["--no-auth", "--memory", "2Gi", "--app-bytes", "1Gi", "--shards", "1"]);
        command.arg("--http").arg(http.to_string()).arg("--wire").arg(wire.to_string());
        let log = self.folder.path().join(format!("logd-{number}.txt"));
        self.logds[number].process = Some(Component::start(&mut command, &log).unwrap());
    }

    pub(crate) fn kill_logd(&mut self, number: usize) {
        let logd = &mut self.logds[number];
        logd.process.take().unwrap().kill().unwrap();
        logd.killed = true;
    }

    /// The process of a logd that runs.
    pub(crate) fn logd(&self, number: usize) -> &Component {
        self.logds[number].process.as_ref().unwrap()
    }

    /// Writes down which logds run, as their Service has it. Returns how it is referred to.
    pub(crate) fn tell_logds(&self) -> String {
        let logds = self.logds.iter().map(|logd| (logd.http, logd.wire, logd.process.is_some()));
        self.api.logds(&logds.collect::<Vec<_>>()).unwrap()
    }

    /// Follows the app at any logd.
    pub(crate) fn follow(&self) -> Following {
        let arrivals = Arrivals::new(self.lines.clone());
        let logds = self.logds.iter().map(|logd| logd.http).collect();
        Following { follower: Follower::start(logds, APP, arrivals.clone()), arrivals }
    }

    /// Waits until a container's log was rotated so often.
    pub(crate) async fn rotations(&self, container: usize, rotations: u64) {
        for next in self.node.rotations(container) + 1..=rotations {
            until("a rotation", || self.node.rotations(container) >= next).await;
        }
    }

    /// The gaps that logd's accounts name.
    pub(crate) async fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for logd in &self.logds {
            let ledger = follower::read(logd.http, &format!("/ledger/{APP}")).await;
            let ledger: Value =
                serde_json::from_slice(&ledger.unwrap_or_default()).unwrap_or_default();
            let newest = ledger["newest_gaps"].as_array().cloned().unwrap_or_default();
            assert_eq!(newest.len() as u64, ledger["gaps"].as_u64().unwrap_or_default());
            gaps.extend(newest.iter().map(|gap| Gap {
                before: position(&gap["before"]),
                after: position(&gap["after"]),
                bytes: gap["bytes"].as_u64(),
            }));
        }
        gaps
    }

    /// Lets nothing be written, and waits until the follower has what logd has.
    pub(crate) async fn shown(&self, following: &Following) {
        self.node.rate(0);
        let begun = Instant::now();
        let mut before = None;
        while begun.elapsed() < PATIENCE {
            let ledger =
                follower::read(self.logds[0].http, &format!("/ledger/{APP}")).await.unwrap();
            let ledger: Value = serde_json::from_slice(&ledger).unwrap();
            let records = |name: &str| ledger[name]["records"].as_u64().unwrap();
            let accepted = records("accepted") - records("notices");
            let shown = following.arrivals.check(|checker| checker.tally().records);
            if shown + following.follower.repeated() == accepted && before == Some(accepted) {
                return;
            }
            before = Some(accepted);
            sleep(LOOK * 10).await;
        }
        panic!("not all is shown");
    }

    /// Waits until all lines that the node holds have come, then compares. Where no logd was killed the
    /// follower is shown each record that logd has and no name twice; after that it may be, and drops those
    /// that it had.
    pub(crate) async fn verdict(&self, truth: &Truth, following: &Following) -> Verdict {
        let verdict = self.settled(truth, following).await;
        if self.logds.iter().any(|logd| logd.killed) || !verdict.accounted(0) {
            return verdict;
        }
        // What came twice would come late.
        self.shown(following).await;
        assert_eq!(following.follower.repeated(), 0, "{verdict}\n{}", following.told());
        self.settled(truth, following).await
    }

    async fn settled(&self, truth: &Truth, following: &Following) -> Verdict {
        let look = async || {
            let gaps = self.gaps().await;
            following.arrivals.check(|checker| checker.verdict(truth, &gaps))
        };
        let begun = Instant::now();
        loop {
            let verdict = look().await;
            if verdict.accounted(0) || begun.elapsed() > PATIENCE {
                return verdict;
            }
            // Nothing comes any more: it stays as it is.
            if !following.arrivals.wait(following.arrivals.lines() + 1, PATIENCE / 6).await {
                return look().await;
            }
            sleep(LOOK * 10).await;
        }
    }

    /// What the processes told, for a test that fails.
    pub(crate) fn told(&self) -> String {
        let mut told = String::new();
        for entry in self.folder.path().read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "txt") {
                let text = std::fs::read_to_string(&path).unwrap();
                let last: Vec<_> = text.lines().rev().take(40).collect();
                told += &format!("{}\n", path.display());
                last.iter().rev().for_each(|line| told += &format!("    {line}\n"));
            }
        }
        told
    }
}

/// A follower and what came to it.
pub(crate) struct Following {
    pub(crate) follower: Follower,
    pub(crate) arrivals: Arrivals,
}

impl Following {
    /// For a test that fails.
    pub(crate) fn told(&self) -> String {
        let Self { follower, .. } = self;
        format!(
            "{} connections, {} names repeated, last trouble {:?}, notices {:#?}",
            follower.connections(),
            follower.repeated(),
            follower.trouble(),
            follower.notices()
        )
    }
}

/// `{incarnation, offset}`.
fn position(edge: &Value) -> Option<Position> {
    let incarnation = incarnation(edge["incarnation"].as_str()?);
    Some(Position { incarnation, offset: edge["offset"].as_u64().unwrap() })
}

/// `UID/CONTAINER/RESTART/HASH`.
pub(crate) fn incarnation(text: &str) -> Incarnation {
    let mut parts = text.split('/');
    let mut next = || parts.next().unwrap();
    Incarnation {
        pod_uid: next().into(),
        container: next().into(),
        restart: next().parse().unwrap(),
        first_line: u64::from_str_radix(next(), 16).unwrap(),
    }
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(LOOK).await;
        }
    };
    assert!(timeout(PATIENCE, waiting).await.is_ok(), "{what} did not come about");
}
