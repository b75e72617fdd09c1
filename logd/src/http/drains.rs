//! `/drains`: how drains are doing. No secret is in any answer.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, request::Parts},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;

use super::{Api, access};
use crate::{
    auth::{Grant, Role},
    drain::{Doing, Lag, LastError, Ledger, Running, Scope, SpecError, lag, trial},
    time,
};

/// All drains that the caller may see.
#[derive(Serialize)]
struct All {
    /// Whether it is known which drains there are. As long as it is not, nothing is settled.
    complete: bool,
    drains: Vec<Drain>,
    /// What is wrong with those that cannot be as they are declared now.
    refused: Vec<Refused>,
}

/// A drain.
#[derive(Serialize)]
struct Drain {
    id: String,
    /// `NAMESPACE/NAME`, `NAMESPACE/*` or `*`.
    apps: String,
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    /// `closed`, `open` or `half_open`.
    breaker: crate::drain::State,
    /// Attempts that failed, in a row.
    failures: u32,
    lag: Lag,
    lines: Ledger,
    last_error: Option<LastError>,
    /// When lines last arrived.
    last_success: Option<String>,
    /// What is wrong with what it is declared to be now: it goes on as it was before.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

#[derive(Serialize)]
struct Refused {
    id: String,
    error: String,
}

pub(super) async fn all(State(api): State<Arc<Api>>, parts: Parts) -> Response {
    match access::grant(&api, &parts.headers) {
        Ok(grant) => match shown(&api, grant).await {
            Some(all) => Json(all).into_response(),
            None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        },
        Err(answer) => *answer,
    }
}

pub(super) async fn one(
    State(api): State<Arc<Api>>,
    Path((namespace, name)): Path<(String, String)>,
    parts: Parts,
) -> Response {
    let grant = match access::grant(&api, &parts.headers) {
        Ok(grant) => grant,
        Err(answer) => return *answer,
    };
    let id = format!("{namespace}/{name}");
    let Some(all) = shown(&api, grant).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let drain = all.drains.into_iter().find(|drain| drain.id == id);
    let refused = all.refused.into_iter().find(|refused| refused.id == id);
    match (drain, refused) {
        (Some(drain), _) => Json(drain).into_response(),
        (None, Some(refused)) => Json(refused).into_response(),
        (None, None) => (StatusCode::NOT_FOUND, "There is no such drain.\n").into_response(),
    }
}

/// Sends a line to where a drain leads.
pub(super) async fn test(
    State(api): State<Arc<Api>>,
    Path((namespace, name)): Path<(String, String)>,
    parts: Parts,
) -> Response {
    let grant = match access::grant(&api, &parts.headers) {
        Ok(grant) => grant,
        Err(answer) => return *answer,
    };
    let id = format!("{namespace}/{name}");
    let seen = api.drains.seen();
    let is_it = |one: &&Running| {
        *one.declared.id == *id && grant.is_for(Role::Write) && may_see(&grant, &one.declared.scope)
    };
    let Some(drain) = seen.running.iter().find(is_it) else {
        return (StatusCode::NOT_FOUND, "There is no such drain.\n").into_response();
    };
    match api.trials.acquire().await {
        Ok(_trying) => Json(trial::of(drain).await).into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn shown(api: &Arc<Api>, grant: Grant) -> Option<All> {
    let api = api.clone();
    // How far they are behind is read from the rings.
    tokio::task::spawn_blocking(move || {
        let seen = api.drains.seen();
        let lags = lag::of_all(&api.store.shared.apps.all());
        let refused = |id: &str| seen.refused.iter().find(|error| &*error.drain == id);
        let running = seen.running.iter().filter(|one| may_see(&grant, &one.declared.scope));
        let drains = running.map(|one| {
            let lag = lags.get(&one.feed.run).copied().unwrap_or_default();
            drain(one, lag, refused(&one.declared.id))
        });
        let of_caller = seen.refused.iter().filter(|error| may_see_refused(&grant, error));
        let entry = |error: &SpecError| Refused {
            id: error.drain.to_string(),
            error: error.problem.to_string(),
        };
        All {
            complete: seen.complete,
            drains: drains.collect(),
            refused: of_caller.map(entry).collect(),
        }
    })
    .await
    .ok()
}

fn drain(running: &Running, lag: Lag, refused: Option<&SpecError>) -> Drain {
    let Running { declared, status, .. } = running;
    let Doing { ledger, breaker, failures, last_error, last_success } = status.doing();
    Drain {
        id: declared.id.to_string(),
        apps: declared.scope.to_string(),
        url: declared.shown.url.clone(),
        filter: declared.shown.filter.clone(),
        breaker,
        failures,
        lag,
        lines: ledger,
        last_error,
        last_success: last_success.map(time::show),
        refused: refused.map(|error| error.problem.to_string()),
    }
}

/// A drain is seen by who may read all apps that it is for, and one for all by administrators.
fn may_see(grant: &Grant, scope: &Scope) -> bool {
    match scope {
        Scope::App(app) => grant.is_for(Role::Read) && grant.covers(app),
        Scope::Namespace(namespace) => {
            grant.is_for(Role::Read) && grant.covers_namespace(namespace)
        }
        Scope::All => grant.is_for(Role::Admin) && grant.covers_all(),
    }
}

/// Which apps it is for is not known.
fn may_see_refused(grant: &Grant, error: &SpecError) -> bool {
    let namespace = error.drain.split_once('/').map_or("", |(namespace, _)| namespace);
    grant.is_for(Role::Admin) && grant.covers_all()
        || grant.is_for(Role::Read) && grant.covers_namespace(namespace)
}
