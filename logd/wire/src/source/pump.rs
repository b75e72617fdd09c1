//! The task that sends what the queue holds.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::Uri;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::file::{File, Freed};
use super::link::{self, Event, Link};
use super::{Shared, SourceOptions};
use crate::members::Members;
use crate::message::{
    Batch, Batches, Close, FromLogd, FromSender, Gap, GapReason, Open, Source as WireSource,
};

/// How long lines gather before they are sent.
const GATHER: Duration = Duration::from_millis(10);

/// Bytes of records that are compressed together, about.
const TOGETHER: usize = 512 * 1024;

/// A file whose app has logged nothing for so long is closed.
const IDLE: Duration = Duration::from_secs(600);

/// An app.
struct App {
    file: File,
    /// Where it is sent to, and its number there once it is told.
    owner: Option<Uri>,
    number: Option<u32>,
    /// logd has said where to go on.
    opened: bool,
    last: Instant,
}

/// A logd.
struct Peer {
    _link: Link,
    up: Option<mpsc::UnboundedSender<FromSender>>,
    /// Apps by the numbers of their files. A number is used once on a stream.
    numbers: HashMap<u32, Arc<str>>,
    next: u32,
}

pub(super) struct Pump {
    options: SourceOptions,
    shared: Arc<Shared>,
    members: watch::Receiver<Members>,
    apps: HashMap<Arc<str>, App>,
    peers: HashMap<Uri, Peer>,
    events: mpsc::Sender<(Uri, Event)>,
    heard: mpsc::Receiver<(Uri, Event)>,
    /// Bytes of records that are not stored yet.
    kept: usize,
    /// From this many on nothing more is taken from the queue.
    limit: usize,
}

impl Pump {
    pub(super) fn new(
        options: SourceOptions,
        shared: Arc<Shared>,
        members: watch::Receiver<Members>,
        limit: usize,
    ) -> Self {
        let (events, heard) = mpsc::channel(64);
        let (apps, peers) = (HashMap::new(), HashMap::new());
        Self { options, shared, members, apps, peers, events, heard, kept: 0, limit }
    }

    pub(super) async fn run(mut self, mut finish: oneshot::Receiver<()>) {
        let shared = self.shared.clone();
        self.members_changed();
        let (mut drain_at, mut sweep_at) = (None, Instant::now() + IDLE);
        let (mut finishing, mut followed) = (false, true);
        loop {
            if finishing && drain_at.is_none() && self.apps.values().all(|a| a.file.is_stored()) {
                return;
            }
            // What is full is drained when logd has stored something.
            let due = drain_at.filter(|_| self.kept < self.limit);
            tokio::select! {
                () = shared.queue.news.notified(), if drain_at.is_none() => {
                    drain_at = Some(Instant::now() + GATHER);
                }
                () = sleep_until(due.unwrap_or(sweep_at)), if due.is_some() => {
                    drain_at = None;
                    self.drain();
                }
                Some((url, event)) = self.heard.recv() => self.event(&url, event),
                changed = self.members.changed(), if followed => {
                    followed = changed.is_ok();
                    self.members_changed();
                }
                () = sleep_until(sweep_at) => {
                    sweep_at = Instant::now() + IDLE;
                    self.sweep();
                }
                _ = &mut finish, if !finishing => {
                    finishing = true;
                    drain_at = Some(Instant::now());
                }
            }
        }
    }

    fn drain(&mut self) {
        let shared = self.shared.clone();
        let mut touched = HashSet::new();
        shared.queue.drain(|buffer| {
            for line in buffer.lines() {
                let (app, entry) = self.app(line.app);
                entry.file.log(&line);
                touched.insert(app);
            }
            for (app, lost) in &buffer.lost {
                let (app, entry) = self.app(app);
                entry.file.lose(lost);
                touched.insert(app);
            }
        });
        let mut batches: HashMap<Uri, Vec<Batch>> = HashMap::new();
        for app in touched {
            let Some(entry) = self.apps.get_mut(&app) else { continue };
            self.kept += entry.file.seal();
            entry.last = Instant::now();
            match (&entry.owner, entry.number) {
                (Some(owner), Some(number)) if entry.opened => {
                    batches.entry(owner.clone()).or_default().extend(entry.file.unsent(number));
                }
                (_, None) => self.open(&app),
                _ => {}
            }
        }
        for (url, batches) in batches {
            self.send(&url, batches);
        }
    }

    /// The app of this name, made where it is new.
    fn app(&mut self, name: &str) -> (Arc<str>, &mut App) {
        let key = match self.apps.get_key_value(name) {
            Some((key, _)) => key.clone(),
            None => name.into(),
        };
        let entry = self.apps.entry(key.clone()).or_insert_with(|| App {
            file: File::new(&self.options.process),
            owner: self.members.borrow().owner(name).map(|member| member.url.clone()),
            number: None,
            opened: false,
            last: Instant::now(),
        });
        (key, entry)
    }

    /// Tells the app's owner that its file is coming, where there is a stream.
    fn open(&mut self, app: &Arc<str>) {
        let Some(entry) = self.apps.get_mut(app) else { return };
        let peer = entry.owner.as_ref().and_then(|owner| self.peers.get_mut(owner));
        let Some((peer, up)) = peer.and_then(|peer| peer.up.clone().map(|up| (peer, up))) else {
            return;
        };
        peer.next += 1;
        entry.number = Some(peer.next);
        entry.opened = false;
        peer.numbers.insert(peer.next, app.clone());
        let (namespace, name) = app.split_once('/').unwrap_or(("default", app));
        let source = WireSource {
            namespace: namespace.to_owned(),
            app: name.to_owned(),
            pod: self.options.pod.clone(),
            process: self.options.process.clone(),
            ..WireSource::default()
        };
        let incarnation = entry.file.incarnation.clone();
        // Where the stream broke, that is told apart.
        let _ = up.send(FromSender::Open(Open { file: peer.next, incarnation, source }));
    }

    fn send(&self, url: &Uri, batches: Vec<Batch>) {
        let Some(up) = self.peers.get(url).and_then(|peer| peer.up.as_ref()) else { return };
        let (mut together, mut bytes) = (Vec::new(), 0);
        for batch in batches {
            bytes += batch.records.len();
            together.push(batch);
            if bytes >= TOGETHER || together.len() >= 1024 {
                bytes = 0;
                let batches = std::mem::take(&mut together);
                let _ = up.send(FromSender::Batches(Batches { batches }));
            }
        }
        if !together.is_empty() {
            let _ = up.send(FromSender::Batches(Batches { batches: together }));
        }
    }

    fn event(&mut self, url: &Uri, event: Event) {
        let Some(peer) = self.peers.get_mut(url) else { return };
        let (up, message) = match event {
            Event::Said(message) => return self.said(url, message),
            Event::Up(up) => (Some(up), "there is a stream to logd"),
            Event::Down => (None, "the stream to logd is over"),
        };
        tracing::debug!(logd = %url, "{message}");
        (peer.up, peer.next) = (up, 0);
        peer.numbers.clear();
        let mut waiting = Vec::new();
        for (name, app) in self.apps.iter_mut().filter(|(_, app)| app.owner.as_ref() == Some(url)) {
            (app.number, app.opened) = (None, false);
            if !app.file.is_stored() {
                waiting.push(name.clone());
            }
        }
        waiting.iter().for_each(|app| self.open(app));
    }

    fn said(&mut self, url: &Uri, message: FromLogd) {
        match message {
            FromLogd::Opened(opened) => {
                let number = opened.file;
                let Some((name, app)) = self.numbered(url, number) else { return };
                if app.file.lags(&opened) {
                    // It had the app before another logd had it, and what that one has is no gap.
                    app.file.rename();
                    app.number = None;
                    close(&mut self.peers, Some(url), number);
                    return self.open(&name);
                }
                app.opened = true;
                let freed = app.file.opened(&opened);
                let batches = app.file.unsent(number).collect();
                self.freed(freed);
                self.send(url, batches);
            }
            FromLogd::Acks(acks) => {
                for ack in acks.acks {
                    let Some((_, app)) = self.numbered(url, ack.file) else { continue };
                    let freed = app.file.stored(ack.stored);
                    self.freed(freed);
                }
            }
            // What is stored is not kept.
            FromLogd::Fetch(fetch) => {
                let gap = Gap {
                    file: fetch.file,
                    id: fetch.fetch.into(),
                    reason: GapReason::Deleted.into(),
                    before: None,
                    after: None,
                    bytes: Some(fetch.to - fetch.from),
                };
                if let Some(up) = self.peers.get(url).and_then(|peer| peer.up.as_ref()) {
                    let _ = up.send(FromSender::Gap(gap));
                }
            }
            // The link knows what these mean.
            FromLogd::Hello(_) | FromLogd::End(_) => {}
        }
    }

    fn numbered(&mut self, url: &Uri, number: u32) -> Option<(Arc<str>, &mut App)> {
        let name = self.peers.get(url)?.numbers.get(&number)?.clone();
        let app = self.apps.get_mut(&name)?;
        Some((name, app))
    }

    fn freed(&mut self, freed: Freed) {
        self.kept -= freed.bytes;
        self.shared.stored.fetch_add(freed.lines, Relaxed);
    }

    fn members_changed(&mut self) {
        let members = self.members.borrow_and_update().clone();
        self.peers.retain(|url, _| members.iter().any(|member| member.url == *url));
        for member in members.iter() {
            self.peers.entry(member.url.clone()).or_insert_with(|| {
                let SourceOptions { name, credentials, .. } = &self.options;
                let (member, events) = (member.clone(), self.events.clone());
                let link = link::start(member, credentials.clone(), name.clone(), events);
                Peer { _link: link, up: None, numbers: HashMap::new(), next: 0 }
            });
        }
        let mut waiting = Vec::new();
        for (name, app) in &mut self.apps {
            let owner = members.owner(name).map(|member| member.url.clone());
            if owner == app.owner {
                continue;
            }
            if let Some(number) = app.number.take() {
                close(&mut self.peers, app.owner.as_ref(), number);
            }
            app.opened = false;
            app.owner = owner;
            if !app.file.is_stored() {
                waiting.push(name.clone());
            }
        }
        waiting.iter().for_each(|app| self.open(app));
    }

    /// Forgets apps that have been silent.
    fn sweep(&mut self) {
        let peers = &mut self.peers;
        self.apps.retain(|_, app| {
            let silent = app.file.is_stored() && app.last.elapsed() >= IDLE;
            if let Some(number) = app.number.filter(|_| silent) {
                close(peers, app.owner.as_ref(), number);
            }
            !silent
        });
    }
}

fn close(peers: &mut HashMap<Uri, Peer>, owner: Option<&Uri>, number: u32) {
    let Some(peer) = owner.and_then(|owner| peers.get_mut(owner)) else { return };
    peer.numbers.remove(&number);
    if let Some(up) = &peer.up {
        let _ = up.send(FromSender::Close(Close { file: number }));
    }
}
