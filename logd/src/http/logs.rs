//! `/logs/APP`: reading, following, deleting.

use std::{convert::Infallible, future::pending, sync::Arc};

use axum::{
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Api, access, forward};
use crate::{
    app::AppId,
    auth::{Grant, Role, remaining},
    peers::Place,
    read::{
        cursor::Cursor,
        follow::Following,
        line::{Format, Lines},
        query::Query,
        tail::tail,
    },
    store::Ending,
    time,
};

/// Where a client of events goes on (HTML, "Server-sent events", §9.2.4).
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Answers that are made at a time.
const MAKING: usize = 8;
/// Kibibytes of answers that wait for their readers, at most.
const SENDING: usize = 128 << 10;
const PIECE: usize = 64 << 10;
/// Lines up to which a plain answer is made at once; what takes longer gets a thread.
const QUICK: usize = 10_000;

pub(super) async fn read(
    State(api): State<Arc<Api>>,
    Path(path): Path<String>,
    RawQuery(parameters): RawQuery,
    parts: Parts,
) -> Response {
    let (app, grant) = match access::app(&api, &parts.headers, &path, Role::Read) {
        Ok(granted) => granted,
        Err(answer) => return *answer,
    };
    let parameters = parameters.unwrap_or_default();
    let parameters: Vec<_> = form_urlencoded::parse(parameters.as_bytes()).collect();
    let pairs = parameters.iter().map(|(name, value)| (&**name, &**value));
    let mut query = match Query::parse(pairs, time::now()) {
        Ok(query) => query,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    // What a client of events has when it comes back is newer than what it asked for at first.
    let last = parts.headers.get(LAST_EVENT_ID).and_then(|last| last.to_str().ok());
    query.after = last.and_then(|last| last.parse().ok()).or(query.after);
    let place = api.place(&app);
    if let Some(answer) = forward::to_owner(&api, &app, &place, &parts, query.follow).await {
        return answer;
    }
    let events = parts
        .headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"));
    if query.follow {
        return follow(&api, &app, place, grant, query, events).await.unwrap_or_else(ending);
    }
    answer(&api, &app, query).await
}

pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Path(path): Path<String>,
    parts: Parts,
) -> Response {
    let app = match access::app(&api, &parts.headers, &path, Role::Write) {
        Ok((app, _)) => app,
        Err(answer) => return *answer,
    };
    if let Some(answer) = forward::to_owner(&api, &app, &api.place(&app), &parts, false).await {
        return answer;
    }
    match api.store.clear(&app).await {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => ending(error),
    }
}

/// The newest lines.
async fn answer(api: &Api, app: &AppId, query: Query) -> Response {
    api.reading.tails.add(1);
    let Some(app) = api.store.app(app) else { return StatusCode::NO_CONTENT.into_response() };
    let media_type = media_type(query.format, false);
    let quick = query.filter.is_empty() && query.lines <= QUICK;
    let make = move || {
        let mut out = Vec::new();
        let cursor = Cursor { epoch: app.epoch, history: i64::MIN, ..Cursor::default() };
        let mut lines = Lines::new(query.format, false, cursor);
        tail(&app.log, &query.filter, query.lines, &mut lines, &mut out);
        out
    };
    match api.answers.make(quick, make).await {
        Ok((out, _)) if out.is_empty() => StatusCode::NO_CONTENT.into_response(),
        Ok((out, making)) => {
            let length = out.len();
            let body = api.answers.body(out).await;
            // Not before: what waits for room is memory as well.
            drop(making);
            let Some(body) = body else { return ending(Ending) };
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
                (header::CONTENT_LENGTH, HeaderValue::from(length)),
            ];
            (headers, body).into_response()
        }
        Err(error) => ending(error),
    }
}

/// Bounds what answers take in memory while they are made and sent.
pub(crate) struct Answers {
    making: Semaphore,
    /// Kibibytes.
    sending: Arc<Semaphore>,
}

impl Default for Answers {
    fn default() -> Self {
        Self { making: Semaphore::new(MAKING), sending: Arc::new(Semaphore::new(SENDING)) }
    }
}

impl Answers {
    /// Looks through an app's lines. Others wait as long as the permit is kept.
    async fn make<T: Send + 'static>(
        &self,
        quick: bool,
        make: impl FnOnce() -> T + Send + 'static,
    ) -> Result<(T, SemaphorePermit<'_>), Ending> {
        let making = self.making.acquire().await.map_err(|_| Ending)?;
        if quick {
            return Ok((make(), making));
        }
        let made = tokio::task::spawn_blocking(make).await.map_err(|_| Ending)?;
        Ok((made, making))
    }

    /// A body that gives back its room when it is sent.
    async fn body(&self, out: Vec<u8>) -> Option<Body> {
        let room = u32::try_from(out.len() / 1024).unwrap_or(u32::MAX).min(SENDING as u32);
        let room = self.sending.clone().acquire_many_owned(room).await.ok()?;
        let pieces = futures::stream::unfold((Bytes::from(out), room), |(mut rest, room)| async {
            let piece = rest.split_to(rest.len().min(PIECE));
            let piece = (!piece.is_empty()).then_some(Ok::<_, Infallible>(piece))?;
            Some((piece, (rest, room)))
        });
        Some(Body::from_stream(pieces))
    }
}

/// What was there and what comes, until the client goes, its token ends or the app is no longer in
/// its place.
async fn follow(
    api: &Api,
    app: &AppId,
    place: Place,
    grant: Grant,
    query: Query,
    events: bool,
) -> Result<Response, Ending> {
    let follower = api.store.follow(app).await?;
    let media_type = media_type(query.format, events);
    let reading = api.reading.clone();
    reading.followed.add(1);
    let gone = Gone(reading.clone());
    let quick = query.filter.is_empty() || query.after.is_some();
    let following = api.answers.make(quick, move || Following::new(follower, query, events));
    let (following, making) = following.await?;
    drop(making);
    let stream = following
        .stream(move |missed| {
            let _until = &gone;
            reading.missed.add(missed);
        })
        .map(Ok::<_, Infallible>);
    let (peers, app) = (api.peers.clone(), app.clone());
    let end = async move {
        let expired = async {
            match grant.expires.map(remaining) {
                Some(remaining) => tokio::time::sleep(remaining).await,
                None => pending().await,
            }
        };
        let left = async {
            match peers {
                Some(peers) => peers.left(app, place).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = expired => {}
            () = left => {}
        }
    };
    let body = Body::from_stream(stream.take_until(Box::pin(end)));
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that gather answers would hold lines back.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, body).into_response())
}

/// Counts that a follower has gone.
struct Gone(Arc<super::Reading>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.unfollowed.add(1);
    }
}

fn media_type(format: Format, events: bool) -> &'static str {
    match format {
        _ if events => "text/event-stream",
        Format::Text => "text/plain; charset=utf-8",
        Format::Json => "application/x-ndjson",
    }
}

fn ending(_: Ending) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "logd is ending.\n").into_response()
}
