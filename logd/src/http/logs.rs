//! `/logs/APP`: reading, following, deleting.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures::StreamExt as _;

use super::{Api, access};
use crate::{
    app::AppId,
    auth::{Grant, Role},
    read::{
        follow::Following,
        line::{Format, Lines},
        query::Query,
        tail::tail,
    },
    store::Ending,
    time,
};

/// Lines up to which a plain answer is made at once; what takes longer gets a thread.
const QUICK: usize = 10_000;

pub(super) async fn read(
    State(api): State<Arc<Api>>,
    Path(path): Path<String>,
    RawQuery(parameters): RawQuery,
    headers: HeaderMap,
) -> Response {
    let (app, grant) = match access::app(&api, &headers, &path, Role::Read) {
        Ok(granted) => granted,
        Err(answer) => return *answer,
    };
    let parameters = parameters.unwrap_or_default();
    let parameters: Vec<_> = form_urlencoded::parse(parameters.as_bytes()).collect();
    let pairs = parameters.iter().map(|(name, value)| (&**name, &**value));
    let query = match Query::parse(pairs, time::now()) {
        Ok(query) => query,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let events = headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"));
    if query.follow {
        return follow(&api, &app, grant, query, events).await.unwrap_or_else(ending);
    }
    answer(&api, &app, query).await
}

pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Response {
    match access::app(&api, &headers, &path, Role::Write) {
        Ok((app, _)) => match api.store.clear(&app).await {
            Ok(()) => StatusCode::OK.into_response(),
            Err(error) => ending(error),
        },
        Err(answer) => *answer,
    }
}

/// The newest lines.
async fn answer(api: &Api, app: &AppId, query: Query) -> Response {
    api.reading.tails.add(1);
    let Some(app) = api.store.app(app) else { return StatusCode::NO_CONTENT.into_response() };
    let quick = query.filter.is_empty() && query.lines <= QUICK;
    let format = query.format;
    let make = move || {
        let mut out = Vec::new();
        let mut lines = Lines::new(query.format, false, app.epoch, i64::MIN);
        tail(&app.log, &query.filter, query.lines, &mut lines, &mut out);
        out
    };
    let made = if quick { Ok(make()) } else { tokio::task::spawn_blocking(make).await };
    match made {
        Ok(out) if out.is_empty() => StatusCode::NO_CONTENT.into_response(),
        Ok(out) => ([(header::CONTENT_TYPE, media_type(format, false))], out).into_response(),
        Err(_) => ending(Ending),
    }
}

/// What was there and what comes, until the client goes or its token ends.
async fn follow(
    api: &Api,
    app: &AppId,
    grant: Grant,
    query: Query,
    events: bool,
) -> Result<Response, Ending> {
    let follower = api.store.follow(app).await?;
    let media_type = media_type(query.format, events);
    let reading = api.reading.clone();
    reading.followed.add(1);
    let gone = Gone(reading.clone());
    let stream = Following::new(follower, query, events)
        .stream(move |missed| {
            let _until = &gone;
            reading.missed.add(missed);
        })
        .map(Ok::<_, std::convert::Infallible>);
    let end = async move {
        match grant.expires.map(remaining) {
            Some(remaining) => tokio::time::sleep(remaining).await,
            None => std::future::pending().await,
        }
    };
    let body = Body::from_stream(stream.take_until(Box::pin(end)));
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-store"),
        // Proxies that gather answers would hold lines back.
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
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

fn remaining(expires: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(expires).saturating_sub(now)
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
