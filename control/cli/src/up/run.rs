//! Starting the parts, following the manifests, and stopping again.

use std::{
    collections::BTreeSet,
    io::Write,
    path::Path,
    time::{Duration, Instant},
};

use fairlead_cluster::Cluster;
use fairlead_router::{HTTP, HTTPS, Router};
use fairlead_router_core::view::routes;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    args::{Part, UpArgs},
    certificates,
    error::UpError,
    logs::Logs,
    manifests::{Document, Folder, Follow, Sync, Synced, follow},
    parts,
    state::{self, State},
    status::{Screen, Status},
    urls::urls,
};

/// How often the status is looked at.
const TICK: Duration = Duration::from_secs(1);

pub(super) async fn run<W: Write>(args: UpArgs, screen: Screen<W>) -> Result<(), UpError> {
    // Each connection is a file, and each log.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "cannot raise the limit for open files");
    }
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let path = args.state_dir.clone().map_or_else(state::default_path, Ok)?;
    let state = State::lock(path)?;
    let mut folder = Folder::new(args.manifests.clone());
    let errors = folder.read()?;
    let mut changes = follow(folder.path())?;

    let cluster = Cluster::start(parts::cluster(&args, state.path())?).await?;
    let kubeconfig = state.write_kubeconfig(&cluster.kubeconfig(&cluster.mint("fairlead-user")))?;
    let sync = Sync::new(parts::client(&cluster, "fairlead-up")?);
    let logs = match args.only {
        Some(Part::Router) => None,
        None => {
            let client = parts::client(&cluster, "fairlead-shipper")?;
            let drains = parts::client(&cluster, "fairlead-logd")?;
            Some(Logs::start(&args, &state, &cluster.state().join("pods"), client, drains)?)
        }
    };
    let sender = logs.as_ref().map(Logs::sender);
    let router = parts::router(&args, parts::client(&cluster, "fairlead-router")?, sender)?;
    let shown = BTreeSet::new();
    let mut up = Up { screen, cluster, router, logs, folder, sync, shown, requests: 0 };
    for error in errors {
        up.screen.say(format_args!("error: {error}"));
    }
    up.write().await;
    up.welcome(&kubeconfig);
    tokio::select! {
        () = up.follow(&mut changes) => {}
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    up.stop().await;
    Ok(())
}

/// All that runs.
struct Up<W> {
    screen: Screen<W>,
    cluster: Cluster,
    router: Router,
    logs: Option<Logs>,
    folder: Folder,
    sync: Sync,
    /// URLs that have been told.
    shown: BTreeSet<String>,
    requests: u64,
}

impl<W: Write> Up<W> {
    /// Brings the cluster to what the manifests say.
    async fn write(&mut self) -> Synced {
        let mut wanted: Vec<Document> = self.folder.documents().cloned().collect();
        for secret in certificates::missing(wanted.iter()) {
            let id = secret.id();
            // One that was made before goes on: a new one at every edit would break trust in it.
            match self.sync.applied(&id).cloned().map_or_else(|| secret.issue(), Ok) {
                Ok(document) => wanted.push(document),
                Err(error) => self.screen.say(format_args!("error: {id}: {error}")),
            }
        }
        let synced = self.sync.sync(wanted.iter()).await;
        for error in &synced.errors {
            self.screen.say(format_args!("error: {error}"));
        }
        synced
    }

    fn welcome(&mut self, kubeconfig: &Path) {
        let Self { screen, folder, router, logs, .. } = self;
        screen.say(format_args!(
            "Fairlead is up. It follows the manifests in {}.\n",
            folder.path().display()
        ));
        screen.say(format_args!("  export KUBECONFIG={}", kubeconfig.display()));
        screen.say(format_args!("  http://{}/routes shows every route", router.admin_addr()));
        if let Some(logs) = logs {
            screen.say(format_args!(
                "  fairlead logs -f -a hello shows lines of the app hello (http://{}/logs)",
                logs.addr()
            ));
        }
        screen.say("");
    }

    /// Follows the manifests and shows the status, for ever.
    async fn follow(&mut self, changes: &mut Follow) {
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                changed = changes.changed() => match changed {
                    Some(()) => self.edited().await,
                    None => {
                        self.screen.say("error: the manifests can no longer be followed; start again");
                        std::future::pending::<()>().await;
                    }
                },
                _ = tick.tick() => self.status(),
            }
        }
    }

    async fn edited(&mut self) {
        let begun = Instant::now();
        match self.folder.read() {
            Ok(errors) => {
                errors.iter().for_each(|error| self.screen.say(format_args!("error: {error}")));
            }
            Err(error) => return self.screen.say(format_args!("error: {error}")),
        }
        let synced = self.write().await;
        let took = begun.elapsed().as_millis();
        for id in &synced.applied {
            self.screen.say(format_args!("applied {id} ({took} ms)"));
        }
        for id in &synced.deleted {
            self.screen.say(format_args!("deleted {id} ({took} ms)"));
        }
        self.status();
    }

    fn status(&mut self) {
        let routes = routes(&self.router.table());
        let port = |listener| self.router.addr(listener).map_or(0, |address| address.port());
        let urls = urls(&routes, port(HTTP), port(HTTPS));
        for url in urls.difference(&self.shown) {
            self.screen.say(format_args!("  {url}"));
        }
        self.shown = urls;
        let requests = self.router.requests();
        let status = Status {
            apps: routes.iter().map(|route| &route.app).collect::<BTreeSet<_>>().len(),
            routes: routes.len(),
            pods: parts::pods(&self.cluster),
            requests,
            per_second: requests - self.requests,
            diagnostics: self.router.diagnostics().len(),
        };
        self.requests = requests;
        self.screen.show(status);
    }

    async fn stop(mut self) {
        self.screen.end();
        self.screen.say("Stopping.");
        self.router.shutdown().await;
        if let Some(logs) = self.logs {
            logs.stop().await;
        }
        self.cluster.shutdown().await;
    }
}
