//! `/logs/APP`: reading, following, deleting.

use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Path, RawQuery, State},
    http::{HeaderName, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::StreamExt as _;

use super::{Api, access, forward};
use crate::{
    app::AppId,
    auth::{Caller, Grant, Role, remaining},
    peers::Place,
    read::{
        cursor::Cursor,
        follow::Following,
        line::{Format, Lines},
        query::Query,
        tail::tail,
        turns::{TooLong, Turn, Turns},
    },
    shares::{Share, Shares},
    store::Ending,
    time,
};

/// Where a client of events goes on (HTML, "Server-sent events", §9.2.4).
pub(super) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Requests for logs that are under way, and those with a pattern, which takes memory; so many of them of
/// one caller.
const ASKING: usize = 4_096;
const ASKING_SHARE: usize = 1_024;
const PATTERNS: usize = 256;
const PATTERNS_SHARE: usize = 32;
/// Answers that are made at a time, and those for which lines are looked through: they take longer, and what takes
/// none is not to wait for them. A quarter of them for one caller.
const MAKING: usize = 8;
const LOOKING: usize = 4;
/// Kibibytes of answers that wait for their readers, at most; a quarter of them for one caller.
const SENDING: usize = 128 << 10;
/// For looking through the lines of an app for one answer.
const LOOK: Duration = Duration::from_secs(10);
/// Lines up to which a plain answer is made at once; what takes longer gets a thread.
const QUICK: usize = 10_000;

pub(super) async fn read(
    State(api): State<Arc<Api>>,
    Path(path): Path<String>,
    RawQuery(parameters): RawQuery,
    parts: Parts,
) -> Response {
    let (app, grant) = match access::app(&api, &parts, &path, Role::Read) {
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
    let caller = grant.caller(&app);
    let Some(asking) = api.answers.asking(&caller, &query) else {
        let text = "Too many requests for logs are under way with your token, or others like it.\n";
        return (StatusCode::TOO_MANY_REQUESTS, text).into_response();
    };
    let place = api.place(&app);
    if let Some(answer) = forward::to_owner(&api, &app, &place, &parts, query.follow).await {
        return until_sent(answer, asking);
    }
    let events = parts
        .headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/event-stream"));
    if query.follow {
        let followed = follow(&api, &app, place, grant, query, events).await;
        return until_sent(followed.unwrap_or_else(Unmade::into_response), asking);
    }
    answer(&api, &app, &caller, query, asking).await
}

/// Keeps something until an answer is sent that comes in pieces.
fn until_sent(answer: Response, kept: impl Send + 'static) -> Response {
    if answer.status() != StatusCode::OK {
        return answer;
    }
    answer.map(|body| {
        Body::from_stream(body.into_data_stream().map(move |piece| {
            let _until = &kept;
            piece
        }))
    })
}

pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Path(path): Path<String>,
    parts: Parts,
) -> Response {
    let app = match access::app(&api, &parts, &path, Role::Write) {
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

/// The newest lines. What lets the request in is kept until they are sent.
async fn answer(
    api: &Api,
    app: &AppId,
    caller: &Caller,
    query: Query,
    asking: impl Send + 'static,
) -> Response {
    api.reading.tails.add(1);
    let Some(app) = api.store.app(app) else { return StatusCode::NO_CONTENT.into_response() };
    let media_type = media_type(query.format, false);
    let quick = query.filter.is_empty() && query.lines <= QUICK;
    let make = move |turn: &mut Turn| {
        let mut out = Vec::new();
        let cursor = Cursor { epoch: app.epoch, history: i64::MIN, ..Cursor::default() };
        let mut lines = Lines::new(query.format, false, cursor);
        tail(&app.log, &query.filter, query.lines, &mut lines, &mut out, turn).map(|()| out)
    };
    match api.answers.make(caller, quick, make).await {
        Ok((out, _)) if out.is_empty() => StatusCode::NO_CONTENT.into_response(),
        Ok((out, making)) => {
            let room = api.answers.room(caller, &out).await;
            // Not before: what waits for room is memory as well.
            drop(making);
            let Some(room) = room else { return Unmade::Ending.into_response() };
            let sent = Sent { out, _until: (room, asking) };
            ([(header::CONTENT_TYPE, media_type)], Bytes::from_owner(sent)).into_response()
        }
        Err(unmade) => unmade.into_response(),
    }
}

/// Bounds what answers take in memory while they are made and sent, and the time to make them.
pub(crate) struct Answers {
    asking: Shares,
    patterns: Shares,
    making: Shares,
    looking: Shares,
    /// Kibibytes.
    sending: Shares,
    turns: Arc<Turns>,
    /// For looking through lines for one of them.
    look: Duration,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            asking: Shares::new(ASKING, ASKING_SHARE),
            patterns: Shares::new(PATTERNS, PATTERNS_SHARE),
            making: Shares::new(MAKING, MAKING / 4),
            looking: Shares::new(LOOKING, LOOKING / 4),
            sending: Shares::new(SENDING, SENDING / 4),
            turns: Arc::default(),
            look: LOOK,
        }
    }
}

/// Why there is no answer.
#[derive(Debug)]
enum Unmade {
    TooLong,
    Ending,
}

impl From<Ending> for Unmade {
    fn from(_: Ending) -> Self {
        Self::Ending
    }
}

impl IntoResponse for Unmade {
    fn into_response(self) -> Response {
        match self {
            Self::TooLong => {
                let text = format!(
                    "It took more than {} s to look through the lines: ask with a simpler regex.\n",
                    LOOK.as_secs()
                );
                (StatusCode::UNPROCESSABLE_ENTITY, text).into_response()
            }
            Self::Ending => ending(Ending),
        }
    }
}

impl Answers {
    /// Lets a request in; none where too many like it are under way.
    fn asking(&self, caller: &Caller, query: &Query) -> Option<(Share, Option<Share>)> {
        let asking = self.asking.try_acquire(caller)?;
        let pattern = match query.filter.is_slow() {
            true => Some(self.patterns.try_acquire(caller)?),
            false => None,
        };
        Some((asking, pattern))
    }

    /// Looks through an app's lines. Others of the caller wait as long as the share is kept.
    async fn make<T: Send + 'static>(
        &self,
        caller: &Caller,
        quick: bool,
        make: impl FnOnce(&mut Turn) -> Result<T, TooLong> + Send + 'static,
    ) -> Result<(T, Share), Unmade> {
        let shares = if quick { &self.making } else { &self.looking };
        let making = shares.acquire(caller, 1).await.map_err(|_| Unmade::Ending)?;
        let made = if quick {
            make(&mut Turn::unlimited())
        } else {
            self.turns.run(caller, self.look, make).await.map_err(|_| Unmade::Ending)?
        };
        Ok((made.map_err(|TooLong| Unmade::TooLong)?, making))
    }

    /// Room for an answer to wait until it is sent.
    async fn room(&self, caller: &Caller, out: &[u8]) -> Option<Share> {
        self.sending.acquire(caller, out.len() / 1024).await.ok()
    }
}

/// An answer, and what is kept until all of it is sent.
struct Sent<T> {
    out: Vec<u8>,
    _until: T,
}

impl<T> AsRef<[u8]> for Sent<T> {
    fn as_ref(&self) -> &[u8] {
        &self.out
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
) -> Result<Response, Unmade> {
    let caller = grant.caller(app);
    let follower = api.store.follow(app).await?;
    let media_type = media_type(query.format, events);
    let reading = api.reading.clone();
    reading.followed.add(1);
    let gone = Gone(reading.clone());
    let quick = query.filter.is_empty() || query.after.is_some();
    let turns = query.filter.is_slow().then(|| (api.answers.turns.clone(), caller.clone()));
    let begin = move |turn: &mut Turn| Following::new(follower, query, events, turns, turn);
    let (following, making) = api.answers.make(&caller, quick, begin).await?;
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

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn caller(name: &str) -> Caller {
        Caller::of(&[name.to_owned()])
    }

    #[tokio::test]
    async fn who_asks_for_what_takes_too_long_is_told_so() {
        let answers = Answers { look: Duration::ZERO, ..Answers::default() };
        let long = |turn: &mut Turn| (0..1_000).try_for_each(|_| turn.go_on(1_000));
        let unmade = answers.make(&caller("a"), false, long).await.unwrap_err();
        let answer = unmade.into_response();
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let body = axum::body::to_bytes(answer.into_body(), 1_000).await.unwrap();
        assert!(body.starts_with(b"It took more than 10 s to look through"), "{body:?}");
    }

    /// Those that are not read keep their room.
    #[tokio::test]
    async fn answers_that_one_caller_does_not_read_hold_nobody_else_off() {
        let answers = Answers::default();
        let mut unread = Vec::new();
        let large = vec![0; SENDING / 4 * 1024];
        unread.push(answers.room(&caller("a"), &large).await);
        let a = caller("a");
        let mut next = Box::pin(answers.room(&a, &large));
        assert!(next.as_mut().now_or_never().is_none(), "one caller has all the room");
        for other in ["b", "c", "d"] {
            unread.push(answers.room(&caller(other), &large).await);
        }
        drop(unread);
        assert!(next.await.is_some());
    }
}
