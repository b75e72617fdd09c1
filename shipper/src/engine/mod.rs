//! Everything that one shipper does, on one thread: files, connections, pods and the checkpoint.
//!
//! Containers take turns. One that has nothing to read waits for its file to change, for a moment,
//! or for its logd, and costs nothing meanwhile.

mod checkpoint;
mod events;
mod fetch;
mod held;
mod history;
mod links;
mod save;
mod scan;
mod turn;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use fairlead_wire::Members;
use tokio::sync::{mpsc, watch};

use self::links::Links;
use self::save::Saver;
use self::turn::{Next, TURN, Turn};
use crate::Clock;
use crate::container::{Container, ContainerKey, LogFile, Place};
use crate::discover::{Watched, Watcher};
use crate::file::Inode;
use crate::link::{LinkEvent, LinkId};
use crate::metrics::Metrics;
use crate::options::Credentials;
use crate::pods::{PodEvent, Pods};

/// How often directories are looked at, whatever inotify told; the first while they are missing.
const RESCAN: Duration = Duration::from_secs(60);
const RESCAN_MISSING: Duration = Duration::from_secs(1);

/// Events that wait to be taken.
pub(crate) const QUEUE: usize = 256;

/// Files that have grown are looked at so often.
const TOGETHER: Duration = Duration::from_millis(5);

/// Turns that are taken before others of this process may run.
const BURST: usize = 8;

/// How a shipper is set up, as far as its work is concerned.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `/var/log/pods`.
    pub(crate) pods: PathBuf,
    /// Where the checkpoint is kept.
    pub(crate) state: PathBuf,
    /// The node's name.
    pub(crate) node: String,
    /// How long a pod that the API did not show is waited for; one that was known before, a tenth
    /// of it.
    pub(crate) pod_wait: Duration,
    /// Namespaces whose containers are not shipped.
    pub(crate) excluded_namespaces: HashSet<String>,
    /// Lines a second that a container may write.
    pub(crate) rate: Option<u32>,
    /// Bytes of files that a logd may have unacknowledged; as many more may wait to be sent to it once
    /// more.
    pub(crate) window: u64,
    /// Bytes of deleted files that are kept open.
    pub(crate) held: u64,
    /// What time it is.
    pub(crate) clock: Clock,
}

/// A container and when its next turn is.
#[derive(Debug)]
struct Slot {
    container: Container,
    link: Option<LinkId>,
    queued: bool,
    /// Its last file is watched.
    watched: bool,
    timer: Option<Instant>,
    fetches: VecDeque<fetch::Fetching>,
}

/// What the engine is told from outside.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// The logds there are.
    pub(crate) members: watch::Receiver<Members>,
    /// The node's pods.
    pub(crate) pods: mpsc::Receiver<PodEvent>,
}

/// A shipper's work.
#[derive(Debug)]
pub(crate) struct Engine {
    settings: Settings,
    metrics: Arc<Metrics>,
    slots: HashMap<u32, Slot>,
    keys: HashMap<ContainerKey, u32>,
    next_slot: u32,
    next_file: u64,
    watcher: Watcher,
    links: Links,
    link_events: mpsc::Receiver<(LinkId, LinkEvent)>,
    pods: Pods,
    ready: VecDeque<u32>,
    timers: BTreeSet<(Instant, u32)>,
    buffer: Vec<u8>,
    saver: Saver,
    rescan: Instant,
    /// When it began.
    begun: Instant,
    /// When to look how much of deleted files is open.
    held_check: Option<Instant>,
}

impl Engine {
    /// # Errors
    /// Where there is no inotify.
    pub(crate) fn new(
        settings: Settings,
        credentials: Credentials,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<Self> {
        let (link_events_in, link_events) = mpsc::channel(QUEUE);
        let name = format!("shipper/{}", settings.node);
        let now = Instant::now();
        Ok(Self {
            watcher: Watcher::new()?,
            links: Links::new(name, credentials, link_events_in),
            saver: Saver::new(&settings.state, now),
            settings,
            metrics,
            slots: HashMap::new(),
            keys: HashMap::new(),
            next_slot: 0,
            next_file: 1,
            link_events,
            pods: Pods::default(),
            ready: VecDeque::new(),
            timers: BTreeSet::new(),
            buffer: vec![0; TURN],
            rescan: now,
            begun: now,
            held_check: None,
        })
    }

    /// Works until told to stop; then the checkpoint is written once more.
    pub(crate) async fn run(mut self, mut inputs: Inputs, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        self.recall();
        inputs.members.mark_changed();
        loop {
            self.serve();
            let wait = self.wait();
            let busy = !self.ready.is_empty();
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some((link, event)) = self.link_events.recv() => self.heard(link, event),
                Ok(()) = inputs.members.changed() => {
                    let members = inputs.members.borrow_and_update().clone();
                    self.members(members);
                }
                Some(pod) = inputs.pods.recv() => self.pod(pod),
                events = self.watcher.events() => match events {
                    Ok(events) => self.changed(events),
                    Err(error) => {
                        tracing::error!(%error, "inotify failed");
                        self.rescan = Instant::now();
                    }
                },
                () = self.saver.saved() => self.saved(),
                () = tokio::task::yield_now(), if busy => {}
                () = tokio::time::sleep_until(wait.into()), if !busy => {}
            }
        }
        self.save_last().await;
    }

    /// What is due, and some turns.
    fn serve(&mut self) {
        let now = Instant::now();
        if self.rescan <= now {
            self.scan(now);
        }
        if self.held_check.is_some_and(|at| at <= now) {
            self.held_check = self.check_held(now);
        }
        while let Some((at, id)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, id));
            if let Some(slot) = self.slots.get_mut(&id) {
                slot.timer = None;
            }
            self.queue(id);
        }
        for _ in 0..BURST {
            let Some(id) = self.ready.pop_front() else { break };
            self.turn(id);
        }
        // What is waited for next may be long in coming.
        if self.ready.is_empty() {
            for up in self.links.iter_mut().filter_map(|link| link.up.as_mut()) {
                up.flush(&self.metrics);
            }
        }
        self.save(now);
        self.report();
    }

    fn wait(&self) -> Instant {
        let timer = self.timers.first().map(|(at, _)| *at);
        let due = [timer, self.saver.due(), self.held_check].into_iter().flatten();
        due.fold(self.rescan, Instant::min)
    }

    /// The container gets a turn.
    fn queue(&mut self, id: u32) {
        if let Some(slot) = self.slots.get_mut(&id)
            && !std::mem::replace(&mut slot.queued, true)
        {
            self.ready.push_back(id);
        }
    }

    fn turn(&mut self, id: u32) {
        let Some(mut slot) = self.slots.remove(&id) else { return };
        slot.queued = false;
        let next = self.take_turn(id, &mut slot);
        if let Some(timer) = slot.timer.take() {
            self.timers.remove(&(timer, id));
        }
        if next.dirty {
            self.saver.changed();
        }
        let over = slot.container.is_over() && slot.fetches.is_empty();
        if over {
            self.keys.remove(&slot.container.key);
            return;
        }
        let (mut again, mut replaced) = (next.now, false);
        if next.changed && !again && !slot.watched {
            let content = slot.container.files.last().and_then(|file| file.content.as_ref());
            let descriptor = content.map(crate::discover::descriptor);
            slot.watched = descriptor.is_some_and(|file| self.watcher.file(file, id));
            // What was written before it was watched is not told. Where it cannot be watched it is
            // looked at now and then.
            again = slot.watched;
            if !slot.watched {
                self.time(id, &mut slot, Instant::now() + RESCAN_MISSING);
            }
            replaced = slot.container.files.last().is_some_and(|file| {
                file.place == Place::Live
                    && file.inode.is_some()
                    && file.inode != at(&slot.container, file)
            });
        }
        let look = next.look.map(|at| self.together(at));
        if let Some(at) = next.at.into_iter().chain(look).min() {
            self.time(id, &mut slot, at);
        }
        if next.blocked
            && let Some(link) = slot.link.and_then(|link| self.links.get_mut(link))
        {
            link.waiting.push(id);
        }
        self.slots.insert(id, slot);
        if again {
            self.queue(id);
        }
        if next.rescan || replaced {
            self.scan_container(id, Instant::now());
        }
    }

    /// The last moment up to `at` at which files are looked at: what they have goes in one message.
    fn together(&self, at: Instant) -> Instant {
        let over = at.saturating_duration_since(self.begun).as_nanos() % TOGETHER.as_nanos();
        at - Duration::from_nanos(over as u64)
    }

    fn time(&mut self, id: u32, slot: &mut Slot, at: Instant) {
        let at = slot.timer.map_or(at, |earlier| earlier.min(at));
        if let Some(earlier) = slot.timer.replace(at) {
            self.timers.remove(&(earlier, id));
        }
        self.timers.insert((at, id));
    }

    fn take_turn(&mut self, id: u32, slot: &mut Slot) -> Next {
        let mut turn = Turn {
            id,
            now: Instant::now(),
            buffer: &mut self.buffer,
            settings: &self.settings,
            pods: &self.pods,
            up: None,
            metrics: &self.metrics,
            next: Next::default(),
            history: 0,
        };
        if !turn.identify(&mut slot.container) {
            return turn.next;
        }
        let identity = slot.container.identity.as_ref();
        let Some(identity) = identity else { return turn.next };
        if !identity.excluded {
            let app = format!("{}/{}", identity.source.namespace, identity.source.app);
            if slot.link.is_none() {
                slot.link = self.links.owner(&app);
            }
            let link = slot.link.and_then(|link| self.links.get_mut(link));
            // What it waits for is an event.
            let Some(up) = link.and_then(|link| link.up.as_mut()) else { return turn.next };
            turn.history = history::of(&slot.container, up, &self.slots);
            turn.up = Some(up);
        }
        turn.run(&mut slot.container);
        turn.fetch(&mut slot.container, &mut slot.fetches);
        turn.next
    }

    fn report(&self) {
        let ups = self.links.iter().filter_map(|link| link.up.as_ref());
        let (connections, unacknowledged) = ups.fold((0, 0), |(count, bytes), up| {
            (count + 1, bytes + up.unacknowledged + up.answering)
        });
        self.metrics.connections.store(connections, Relaxed);
        self.metrics.unacknowledged_bytes.store(unacknowledged, Relaxed);
        self.metrics.containers.store(self.slots.len() as u64, Relaxed);
        self.metrics.watches.store(self.watcher.len() as u64, Relaxed);
    }

    /// The container with this key, made where it is new.
    fn slot(&mut self, key: &ContainerKey, make: impl FnOnce() -> Container) -> u32 {
        if let Some(id) = self.keys.get(key) {
            return *id;
        }
        let id = self.next_slot;
        self.next_slot += 1;
        self.keys.insert(key.clone(), id);
        let slot = Slot {
            container: make(),
            link: None,
            queued: false,
            watched: false,
            timer: None,
            fetches: VecDeque::new(),
        };
        self.slots.insert(id, slot);
        id
    }

    fn changed(&mut self, events: Vec<Option<Watched>>) {
        let now = Instant::now();
        for event in events {
            match event {
                None => {
                    tracing::info!("inotify lost events; looking at everything again");
                    self.scan(now);
                }
                Some(Watched::Root) => self.scan_root(now),
                Some(Watched::Pod(name)) => self.scan_pod(&name, now),
                Some(Watched::Container(id)) => self.scan_container(id, now),
                Some(Watched::File(id)) => {
                    if let Some(slot) = self.slots.get_mut(&id) {
                        slot.watched = false;
                    }
                    self.queue(id);
                }
            }
        }
    }
}

/// The file that stands now where this one should.
fn at(container: &Container, file: &LogFile) -> Option<Inode> {
    let metadata = std::fs::metadata(file.path(&container.directory)?).ok()?;
    Some(Inode::of(&metadata))
}
