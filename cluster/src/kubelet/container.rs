//! One container from its first start to its end.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use uuid::Uuid;

use super::backoff::Backoff;
use super::handler::Handler;
use super::listeners;
use super::probe::Probe;
use super::prober::{Probers, Purpose, Verdict};
use super::process::{Process, Program};
use super::seconds;
use super::status::{ContainerState, Ended, Phase};
use super::supervision::Supervision;
use crate::logs::PodLogs;

/// How long output that is still in the pipes may take after the processes have ended.
const LAST_OUTPUT: Duration = Duration::from_secs(1);

/// When to look for the program's listening socket after it became ready: a program without a
/// readiness probe is ready before it listens.
const LISTENER_CHECKS: [Duration; 3] =
    [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(5)];

/// What the pod wants of its containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    /// Run, and start again as the restart policy says.
    Run,
    /// End: politely at once, by force at this time.
    Stop { by: Instant },
}

/// Whether a container that ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    Always,
    OnFailure,
    Never,
}

/// What a container tells its pod.
#[derive(Debug)]
pub(super) enum Report {
    /// It changed.
    State(ContainerState),
    /// Something happened that people should know of.
    Event { warning: bool, reason: &'static str, message: String },
}

/// A container, ready to be started.
pub(super) struct Container {
    pub(super) index: usize,
    pub(super) name: String,
    pub(super) program: Program,
    pub(super) restart: Restart,
    pub(super) backoff: Duration,
    /// Seconds between the polite and the forced end when a probe ends it.
    pub(super) grace: i64,
    pub(super) startup: Option<Probe>,
    pub(super) readiness: Option<Probe>,
    pub(super) liveness: Option<Probe>,
    /// What to do before it is asked to end; takes part of the grace.
    pub(super) pre_stop: Option<Handler>,
    pub(super) logs: PodLogs,
    pub(super) pod: Arc<Value>,
    pub(super) supervision: Supervision,
    pub(super) intent: watch::Receiver<Intent>,
    pub(super) reports: mpsc::Sender<(usize, Report)>,
}

/// What ended a wait.
enum Wake {
    Ended(i32),
    Verdict(Purpose, Verdict),
    Stop(Instant),
}

impl Container {
    /// Runs the container until it has ended for good. Its last state is an end.
    pub(super) async fn run(mut self) {
        let mut state = ContainerState::waiting("ContainerCreating");
        let mut backoff = Backoff::new(self.backoff);
        loop {
            let started = Instant::now();
            let ended = self.run_once(&mut state).await;
            let failed = ended.code != 0;
            let again = match self.restart {
                Restart::Always => true,
                Restart::OnFailure => failed,
                Restart::Never => false,
            };
            state.ready = false;
            state.started = false;
            if !again || self.stopping().is_some() {
                // An init container that has done its work counts as ready.
                state.ready = !failed && self.restart != Restart::Always;
                state.phase = Phase::Ended(ended);
                return self.report(&state).await;
            }
            let wait = backoff.after(started.elapsed());
            state.last = Some(ended.clone());
            state.phase = Phase::Ended(ended.clone());
            if !wait.is_zero() {
                let message = format!(
                    "back-off {} s restarting failed container {}",
                    wait.as_secs_f32(),
                    self.name
                );
                self.event(true, "BackOff", message.clone()).await;
                state.phase = Phase::Waiting { reason: "CrashLoopBackOff", message };
            }
            self.report(&state).await;
            tokio::select! {
                () = sleep(wait) => {}
                _ = stop(&mut self.intent) => {
                    state.phase = Phase::Ended(ended);
                    return self.report(&state).await;
                }
            }
            state.restarts += 1;
        }
    }

    /// Starts the program and stays until it has ended.
    async fn run_once(&mut self, state: &mut ContainerState) -> Ended {
        let began = Timestamp::now();
        let id = format!("fairlead://{}", Uuid::new_v4().simple());
        let ended = |code, reason, message| Ended {
            code,
            reason,
            message,
            started: began,
            finished: Timestamp::now(),
            id: id.clone(),
        };
        let mut process = match self.program.start(&self.supervision).await {
            Ok(process) => process,
            Err(error) => {
                let message = error.to_string();
                self.event(true, "Failed", format!("Error: {message}")).await;
                return ended(128, "StartError", message);
            }
        };
        let log = self.copy_output(&mut process, state.restarts).await;
        self.event(false, "Started", format!("Started container {}", self.name)).await;
        state.phase = Phase::Running { since: began, id: id.clone() };
        state.started = self.startup.is_none();
        state.ready = state.started && self.readiness.is_none();
        self.report(state).await;

        let code = self.attend(&mut process, state).await;
        if let Some(mut log) = log
            && timeout(LAST_OUTPUT, &mut log).await.is_err()
        {
            // A process that left its group still holds the pipes.
            log.abort();
        }
        ended(code, if code == 0 { "Completed" } else { "Error" }, String::new())
    }

    async fn copy_output(&self, process: &mut Process, run: u32) -> Option<JoinHandle<()>> {
        let (stdout, stderr) = process.output()?;
        match self.logs.begin(&self.pod, &self.name, run) {
            Ok(log) => Some(tokio::spawn(log.copy(stdout, stderr))),
            Err(error) => {
                let message = format!("no log for container {}: {error}", self.name);
                self.event(true, "FailedLog", message).await;
                None
            }
        }
    }

    /// Probes the running program, and ends it when it must; returns how it ended.
    async fn attend(&mut self, process: &mut Process, state: &mut ContainerState) -> i32 {
        let mut probers = Probers::new(self.supervision.clone());
        match self.startup.clone() {
            Some(probe) => probers.add(Purpose::Startup, probe),
            None => self.add_probes(&mut probers),
        }
        let mut watcher = None;
        loop {
            if state.ready && watcher.is_none() {
                watcher = Some(AbortOnDrop(self.watch_listeners(process.group())));
            }
            let wake = tokio::select! {
                code = process.wait() => Wake::Ended(code),
                (purpose, verdict) = probers.next() => Wake::Verdict(purpose, verdict),
                by = stop(&mut self.intent) => Wake::Stop(by),
            };
            match wake {
                Wake::Ended(code) => return code,
                Wake::Stop(by) => {
                    drop(probers);
                    return self.end(process, by).await;
                }
                Wake::Verdict(purpose, verdict) => {
                    let why = match &verdict {
                        Verdict::Attempt(why) | Verdict::Failure(why) => Some(why),
                        Verdict::Success => None,
                    };
                    if let Some(why) = why {
                        let message = format!("{} probe failed: {why}", purpose.name());
                        self.event(true, "Unhealthy", message).await;
                    }
                    let before = state.clone();
                    match (purpose, verdict) {
                        (Purpose::Startup, Verdict::Success) => {
                            state.started = true;
                            state.ready = self.readiness.is_none();
                            self.add_probes(&mut probers);
                        }
                        (Purpose::Readiness, Verdict::Success) => state.ready = true,
                        (Purpose::Readiness, Verdict::Failure(_)) => state.ready = false,
                        (Purpose::Startup | Purpose::Liveness, Verdict::Failure(_)) => {
                            drop(probers);
                            return self.end_unhealthy(process, purpose).await;
                        }
                        _ => {}
                    }
                    if *state != before {
                        self.report(state).await;
                    }
                }
            }
        }
    }

    fn add_probes(&self, probers: &mut Probers) {
        if let Some(probe) = self.readiness.clone() {
            probers.add(Purpose::Readiness, probe);
        }
        if let Some(probe) = self.liveness.clone() {
            probers.add(Purpose::Liveness, probe);
        }
    }

    async fn end_unhealthy(&mut self, process: &mut Process, purpose: Purpose) -> i32 {
        let probe = if purpose == Purpose::Startup { &self.startup } else { &self.liveness };
        let grace = probe.as_ref().and_then(|probe| probe.grace).unwrap_or(self.grace);
        let kind = purpose.name().to_lowercase();
        let message = format!("Container {} failed {kind} probe, will be restarted", self.name);
        self.event(false, "Killing", message).await;
        self.end(process, Instant::now() + seconds(grace)).await
    }

    /// Ends the program: its hook, SIGTERM, and SIGKILL once the time is up. The time may be cut short.
    async fn end(&mut self, process: &mut Process, mut by: Instant) -> i32 {
        if let Some(hook) = self.pre_stop.clone() {
            let supervision = self.supervision.clone();
            let run = async { timeout_at(by, hook.run(&supervision)).await };
            tokio::select! {
                code = process.wait() => return code,
                sooner = earlier(&mut self.intent, by) => by = sooner,
                outcome = run => {
                    let why = match outcome {
                        Ok(Ok(())) => None,
                        Ok(Err(why)) => Some(why),
                        Err(_) => Some("it took longer than the grace period".to_owned()),
                    };
                    if let Some(why) = why {
                        let message = format!("PreStopHook failed: {why}");
                        self.event(true, "FailedPreStopHook", message).await;
                    }
                }
            }
        }
        process.terminate();
        loop {
            tokio::select! {
                code = process.wait() => return code,
                () = sleep_until(by) => break,
                sooner = earlier(&mut self.intent, by) => by = sooner,
            }
        }
        process.kill();
        process.wait().await
    }

    /// Tells people when the program listens on all addresses of the machine.
    fn watch_listeners(&self, group: i32) -> JoinHandle<()> {
        let (name, reports, index) = (self.name.clone(), self.reports.clone(), self.index);
        tokio::spawn(async move {
            for wait in LISTENER_CHECKS {
                sleep(wait).await;
                let found = tokio::task::spawn_blocking(move || listeners::of_group(group)).await;
                let found = found.unwrap_or_default();
                if !found.on_all_addresses.is_empty() {
                    let ports = found.on_all_addresses;
                    let message = format!(
                        "container {name} listens on all addresses of this machine (ports {ports:?}), \
                         where others in the network can reach it; let it bind the address in $HOST"
                    );
                    let reason = "ListensOnAllAddresses";
                    let event = Report::Event { warning: true, reason, message };
                    // The pod may have ended meanwhile.
                    let _ = reports.send((index, event)).await;
                }
                if found.any {
                    return;
                }
            }
        })
    }

    fn stopping(&self) -> Option<Instant> {
        match *self.intent.borrow() {
            Intent::Run => None,
            Intent::Stop { by } => Some(by),
        }
    }

    async fn report(&self, state: &ContainerState) {
        // The pod waits for this container's end: it is there to hear it.
        let _ = self.reports.send((self.index, Report::State(state.clone()))).await;
    }

    async fn event(&self, warning: bool, reason: &'static str, message: String) {
        let _ = self.reports.send((self.index, Report::Event { warning, reason, message })).await;
    }
}

/// Waits until the container is to stop. A pod that is gone wants nothing to go on.
async fn stop(intent: &mut watch::Receiver<Intent>) -> Instant {
    let stop = intent.wait_for(|intent| *intent != Intent::Run).await;
    match stop.as_deref() {
        Ok(Intent::Stop { by }) => *by,
        _ => Instant::now(),
    }
}

/// Waits until the container is to stop sooner than it was.
async fn earlier(intent: &mut watch::Receiver<Intent>, by: Instant) -> Instant {
    let sooner = |intent: &Intent| matches!(intent, Intent::Stop { by: new } if *new < by);
    match intent.wait_for(sooner).await.as_deref() {
        Ok(Intent::Stop { by }) => *by,
        _ => Instant::now(),
    }
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
