//! `/drains`: how drains are doing. No secret is in any answer.

use std::{collections::HashMap, sync::Arc};

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, request::Parts},
    response::{IntoResponse as _, Response},
};
use parking_lot::Mutex;
use serde::Serialize;

use super::{Api, access};
use crate::{
    auth::{Grant, Role},
    drain::{Doing, Lag, LastError, Ledger, RejectedLine, Running, Scope, SpecError, lag, trial},
    time,
};

/// Drains that are tried at a time, of a namespace and of all.
const TRIALS: usize = 4;
const TRIALS_OF_ALL: usize = 64;

/// The drains that are tried, by namespace: who has many that do not answer keeps nobody else waiting.
#[derive(Default)]
pub(crate) struct Trials(Mutex<HashMap<String, usize>>);

/// A drain is tried.
struct Trying<'a> {
    trials: &'a Trials,
    namespace: &'a str,
}

impl Trials {
    /// One of a namespace is tried, unless too many are.
    fn begin<'a>(&'a self, namespace: &'a str) -> Option<Trying<'a>> {
        let mut trials = self.0.lock();
        let all: usize = trials.values().sum();
        if all >= TRIALS_OF_ALL || trials.get(namespace).is_some_and(|of_one| *of_one >= TRIALS) {
            return None;
        }
        *trials.entry(namespace.to_owned()).or_default() += 1;
        Some(Trying { trials: self, namespace })
    }
}

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        let mut trials = self.trials.0.lock();
        if let Some(of_one) = trials.get_mut(self.namespace) {
            *of_one -= 1;
            if *of_one == 0 {
                trials.remove(self.namespace);
            }
        }
    }
}

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
    /// The same of its receiver, shared by all drains that lead there.
    receiver: crate::drain::State,
    /// Attempts that failed, in a row.
    failures: u32,
    lag: Lag,
    lines: Ledger,
    last_error: Option<LastError>,
    /// When lines last arrived.
    last_success: Option<String>,
    /// The newest lines that its receiver will never take; only where it is asked for by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<Vec<RejectedLine>>,
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
    match access::grant(&api, &parts) {
        Ok(grant) => match shown(&api, grant, None).await {
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
    let grant = match access::grant(&api, &parts) {
        Ok(grant) => grant,
        Err(answer) => return *answer,
    };
    let id = format!("{namespace}/{name}");
    let Some(mut all) = shown(&api, grant, Some(id)).await else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    match (all.drains.pop(), all.refused.pop()) {
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
    let grant = match access::grant(&api, &parts) {
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
    let Some(_trying) = api.trials.begin(&namespace) else {
        let text = "Other drains are being tried: ask again when that is done.\n";
        return (StatusCode::TOO_MANY_REQUESTS, text).into_response();
    };
    Json(trial::of(drain).await).into_response()
}

/// All that the caller may see, or one of them, of which more is shown.
async fn shown(api: &Arc<Api>, grant: Grant, id: Option<String>) -> Option<All> {
    let api = api.clone();
    // How far they are behind is read from the rings.
    tokio::task::spawn_blocking(move || {
        let seen = api.drains.seen();
        let asked = |other: &str| id.as_ref().is_none_or(|id| id == other);
        let refused = |id: &str| seen.refused.iter().find(|error| &*error.drain == id);
        let running = seen.running.iter().filter(|one| asked(&one.declared.id));
        let running = running.filter(|one| may_see(&grant, &one.declared.scope));
        let running: Vec<&Running> = running.collect();
        // Whoever asks at the same time finds what was found.
        let lags = {
            let _looking = api.looking.lock();
            lag::of(&api.store.shared.apps.all(), &running)
        };
        let drains = running.into_iter().map(|one| {
            let lag = lags.get(&one.feed.run).copied().unwrap_or_default();
            let shown = drain(one, lag, refused(&one.declared.id));
            let rejected = id.as_ref().map(|_| one.status.rejected_lines());
            Drain { rejected: rejected.filter(|lines| !lines.is_empty()), ..shown }
        });
        let of_caller = seen.refused.iter().filter(|error| asked(&error.drain));
        let of_caller = of_caller.filter(|error| may_see_refused(&grant, error));
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
        receiver: running.receiver(),
        failures,
        lag,
        lines: ledger,
        last_error,
        last_success: last_success.map(time::show),
        rejected: None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_namespace_s_trials_keep_no_other_from_its_own() {
        let trials = Trials::default();
        let mut tried: Vec<_> = (0..TRIALS).map(|_| trials.begin("shop").unwrap()).collect();
        assert!(trials.begin("shop").is_none());
        let other = trials.begin("bank").unwrap();
        tried.pop();
        tried.push(trials.begin("shop").unwrap());
        let names: Vec<String> = (0..TRIALS_OF_ALL).map(|no| no.to_string()).collect();
        let more: Vec<_> = names.iter().filter_map(|name| trials.begin(name)).collect();
        assert_eq!(tried.len() + 1 + more.len(), TRIALS_OF_ALL);
        drop((tried, more, other));
        assert!(trials.0.lock().is_empty());
    }
}
