//! Watches: JSON lines, written as changes happen.

use std::convert::Infallible;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream;
use http::StatusCode;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::time::{Instant, Interval, interval_at, sleep_until};

use super::query::Query;
use super::render::{self, Form};
use super::respond::{self, Reply};
use super::route::Resource;
use crate::registry::{Event, EventType, Registry, Stored, Watch};
use crate::status::{Cause, Status};

/// How long a watch runs when the client does not say.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30 * 60);

/// The longest that a client may ask for.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// How often a client that wants bookmarks gets one.
const BOOKMARK_EVERY: Duration = Duration::from_secs(30);

/// Stop collecting events into one chunk beyond this size.
const CHUNK: usize = 64 * 1024;

/// Starts a watch.
pub(super) fn watch(
    registry: &Registry,
    resource: &Resource,
    query: &Query<'_>,
    form: Form,
    stop: tokio::sync::watch::Receiver<u64>,
) -> Result<Reply, Status> {
    let kind = resource.kind;
    let namespace = resource.namespace.as_deref();
    let selector = query.selector(kind)?;
    let kind = kind.kept_as();
    let bookmarks = query.flag("allowWatchBookmarks")?;
    let since = query.number("resourceVersion")?.unwrap_or_default();
    let start = match initial_events(query)? {
        Some(true) => Ok(registry.list_watch(kind, namespace, &selector)),
        None if since == 0 => Ok(registry.list_watch(kind, namespace, &selector)),
        Some(false) if since == 0 => {
            let list = registry.list(kind, namespace, &selector);
            registry.watch(kind, namespace, &selector, list.revision)
        }
        _ => registry.watch(kind, namespace, &selector, since),
    };
    let timeout = query.number("timeoutSeconds")?.filter(|seconds| *seconds > 0);
    let timeout = timeout.map_or(DEFAULT_TIMEOUT, Duration::from_secs).min(LONGEST_TIMEOUT);
    let end = Instant::now() + timeout;
    let initial_end = match initial_events(query)? {
        Some(true) if bookmarks => InitialEnd::Marked,
        _ => InitialEnd::Silent,
    };
    let lines = match start {
        Ok(watch) => {
            let bookmarks =
                bookmarks.then(|| interval_at(Instant::now() + BOOKMARK_EVERY, BOOKMARK_EVERY));
            Lines::Running(Box::new(Running { watch, form, end, bookmarks, initial_end, stop }))
        }
        // A watch that cannot start says so in its stream.
        Err(refused) => Lines::Refused(refused),
    };
    let body = stream::unfold(lines, async |lines| {
        let (chunk, lines) = lines.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(chunk)), lines))
    });
    Ok(respond::stream(StatusCode::OK, "application/json", StreamBody::new(body).boxed_unsync()))
}

/// `sendInitialEvents`, which needs to be told which revision will do.
fn initial_events(query: &Query<'_>) -> Result<Option<bool>, Status> {
    let forbidden = |field: &str, why: &str| {
        let cause = Cause::forbidden(field, why);
        Err(Status::invalid_named("meta.k8s.io", "ListOptions", "", vec![cause]))
    };
    match (query.get("sendInitialEvents"), query.get("resourceVersionMatch")) {
        ("", "") => Ok(None),
        ("", _) => forbidden(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
        (_, "NotOlderThan") => query.flag("sendInitialEvents").map(Some),
        _ => forbidden(
            "resourceVersionMatch",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
    }
}

enum Lines {
    Running(Box<Running>),
    Refused(Status),
    Ended,
}

/// How the end of what was there at the start is told.
#[derive(Clone, Copy, PartialEq)]
enum InitialEnd {
    Marked,
    Silent,
}

struct Running {
    watch: Watch,
    form: Form,
    end: Instant,
    bookmarks: Option<Interval>,
    initial_end: InitialEnd,
    /// Changes when all watches are to be cut.
    stop: tokio::sync::watch::Receiver<u64>,
}

impl Lines {
    /// The next chunk: every event that is there, as far as it fits.
    async fn next(self) -> Option<(Bytes, Self)> {
        match self {
            Self::Ended => None,
            Self::Refused(status) => Some((render::error_event(&status).into(), Self::Ended)),
            Self::Running(mut running) => match running.chunk().await {
                Ok(Some(chunk)) => Some((chunk, Self::Running(running))),
                Ok(None) => None,
                // The kind is gone: there is nothing to tell of.
                Err(status) if status.code == 404 => None,
                Err(status) => Some((render::error_event(&status).into(), Self::Ended)),
            },
        }
    }
}

impl Running {
    /// `None` when the watch is over.
    async fn chunk(&mut self) -> Result<Option<Bytes>, Status> {
        let mut chunk = BytesMut::new();
        while chunk.is_empty() {
            let Some(event) = self.event().await? else { return Ok(None) };
            self.write(&event, &mut chunk);
            while chunk.len() < CHUNK {
                // What was collected goes out before a refusal, which comes again.
                let Ok(Some(event)) = self.watch.ready() else { break };
                self.write(&event, &mut chunk);
            }
        }
        Ok(Some(chunk.freeze()))
    }

    async fn event(&mut self) -> Result<Option<Event>, Status> {
        loop {
            tokio::select! {
                biased;
                _ = self.stop.changed() => return Ok(None),
                event = self.watch.next() => return event.map(Some),
                () = sleep_until(self.end) => return Ok(None),
                () = tick(&mut self.bookmarks) => {
                    if let Some(bookmark) = self.watch.bookmark() {
                        return Ok(Some(bookmark));
                    }
                }
            }
        }
    }

    fn write(&mut self, event: &Event, chunk: &mut BytesMut) {
        if event.event == EventType::Bookmark && self.bookmarks.is_none() {
            return;
        }
        if event.event == EventType::Bookmark && self.initial_end == InitialEnd::Marked {
            self.initial_end = InitialEnd::Silent;
            let mut marked = Value::clone(&event.object);
            marked["metadata"]["annotations"] = json!({ "k8s.io/initial-events-end": "true" });
            let event = Event::new(event.event, Stored::new(marked.into()), event.revision);
            chunk.extend_from_slice(&self.form.event(&event));
        } else {
            chunk.extend_from_slice(&self.form.event(event));
        }
        self.form.columns = false;
    }
}

async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}
