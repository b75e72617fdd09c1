//! Sends one line over a connection of its own, and shows the whole exchange.

use std::time::Duration;

use fairlead_drain::{Batch, Failure, Line, Sink, Verdict, watched};
use fairlead_wire::{Incarnation, message::Source, record::Flags};
use serde::Serialize;
use tokio::{sync::mpsc, time::timeout};

use super::{
    feed::Scope,
    manager::{Declared, Running},
    totals,
};
use crate::time;

/// How long is waited for what the protocol says of a line that was sent.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of a line that was sent to try a drain. No secret is in it.
#[derive(Debug, Serialize)]
pub(crate) struct Trial {
    id: String,
    url: String,
    /// What was done, in order.
    steps: Vec<String>,
    /// `delivered`, `sent`, `rejected`, `unknown` or `failed`.
    outcome: &'static str,
    /// What kind of failure, as in `last_error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    /// What the receiver, or the way to it, said.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Sends a line to where a drain leads. What is under way of the drain's own lines is not touched.
pub(crate) async fn of(running: &Running) -> Trial {
    let Declared { id, scope, shown, settings, .. } = &running.declared;
    let (told, mut steps) = mpsc::unbounded_channel();
    let mut sink = settings.sinks.open();
    let result = watched(told, send(&mut *sink, id, scope)).await;
    let mut taken = Vec::new();
    while let Ok(step) = steps.try_recv() {
        taken.push(step);
    }
    let (outcome, kind, error) = match result {
        Ok(Some(Verdict::Delivered)) => ("delivered", None, None),
        Ok(Some(Verdict::Sent)) => ("sent", None, None),
        Ok(Some(Verdict::Rejected(_) | Verdict::Again)) => ("rejected", None, sink.complaint()),
        Ok(None) => ("unknown", None, None),
        Err(failure) => ("failed", Some(totals::name(failure.kind)), Some(failure.to_string())),
    };
    sink.close().await;
    let (id, url) = (id.to_string(), shown.url.clone());
    Trial { id, url, steps: taken, outcome, kind, error }
}

async fn send(sink: &mut dyn Sink, id: &str, scope: &Scope) -> Result<Option<Verdict>, Failure> {
    let (namespace, app) = match scope {
        Scope::App(app) => (app.namespace(), app.name()),
        Scope::Namespace(namespace) => (namespace.as_str(), "test"),
        Scope::All => ("fairlead", "test"),
    };
    let text = |text: &str| text.to_owned();
    let source = Source {
        namespace: text(namespace),
        app: text(app),
        process: text("logd"),
        ..Source::default()
    };
    let incarnation = Incarnation {
        pod_uid: uuid::Uuid::new_v4().to_string().into(),
        container: "logd".into(),
        restart: 0,
        first_line: 0,
    };
    let payload = format!("This line was sent to test the drain {id}.");
    let line = Line {
        origin: 0,
        source: &source,
        incarnation: &incarnation,
        end: payload.len() as u64 + 1,
        time: time::now(),
        flags: Flags::default(),
        payload: payload.as_bytes(),
    };
    let mut batch = Batch::default();
    if let Some(verdict) = sink.encode(&line, &mut batch) {
        return Ok(Some(verdict));
    }
    let verdicts = sink.send(&mut batch).await?;
    if let Some(verdict) = verdicts.first() {
        return Ok(Some(*verdict));
    }
    match timeout(PATIENCE, sink.confirm()).await {
        Ok(verdicts) => Ok(verdicts?.first().copied()),
        Err(_) => Ok(None),
    }
}
