//! Health, metrics, accounts.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse as _, Response},
};

use super::{Api, access, forward};
use crate::{auth::Role, peers::Peers};

/// The process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether to send requests here.
pub(super) async fn readyz(State(api): State<Arc<Api>>) -> Response {
    if api.ending.load(Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready\nending\n").into_response();
    }
    if !api.peers.as_ref().is_none_or(Peers::are_known) {
        let text = "not ready\nthe endpoints of --peers are not known yet\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    }
    "ready\n".into_response()
}

/// OpenMetrics text.
pub(super) async fn metrics(State(api): State<Arc<Api>>) -> Response {
    let mut body = String::new();
    if prometheus_client::encoding::text::encode(&mut body, &api.registry).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

/// The account of an app.
pub(super) async fn ledger(
    State(api): State<Arc<Api>>,
    Path(path): Path<String>,
    parts: Parts,
) -> Response {
    let app = match access::app(&api, &parts, &path, Role::Read) {
        Ok((app, _)) => app,
        Err(answer) => return *answer,
    };
    if let Some(answer) = forward::to_owner(&api, &app, &api.place(&app), &parts, false).await {
        return answer;
    }
    match api.store.ledger(&app).await {
        Ok(Some(ledger)) => Json(ledger).into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, "There is no such app.\n").into_response(),
        Err(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
