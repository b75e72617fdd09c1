//! What each endpoint answers; see `docs/reference/admin-api.md`.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use fairlead_router_core::{
    Diagnostic, Severity,
    object::{Kind, ObjectRef},
    view::{self, RouteView},
};
use serde::Serialize;

use super::Admin;
use crate::watch::{Phase, WatchReport};

/// The process answers; says nothing of the API or of routes.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// Whether to send traffic here.
pub(super) async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    let obstacles = admin.health.obstacles();
    if obstacles.is_empty() {
        return "ready\n".into_response();
    }
    let body = format!("not ready\n{}\n", obstacles.join("\n"));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

/// OpenMetrics text.
pub(super) async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let mut body = String::new();
    if prometheus_client::encoding::text::encode(&mut body, &admin.registry).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

#[derive(Serialize)]
pub(super) struct Status {
    version: &'static str,
    ready: bool,
    uptime_seconds: u64,
    revision: u64,
    revisions: BTreeMap<Kind, u64>,
    generation: u64,
    hosts: usize,
    apps: usize,
    watches: Vec<WatchReport>,
}

/// What is served and how old it may be.
pub(super) async fn status(State(admin): State<Arc<Admin>>) -> Json<Status> {
    let health = &admin.health;
    let (generation, hosts) = {
        let table = health.state.table.load();
        (table.generation, table.len())
    };
    let revisions = &health.state.counts.revisions;
    let revisions: BTreeMap<_, _> =
        health.watches.kinds().into_iter().map(|kind| (kind, revisions.get(kind))).collect();
    Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        ready: health.is_ready(),
        uptime_seconds: admin.started.elapsed().as_secs(),
        revision: revisions.values().copied().max().unwrap_or_default(),
        revisions,
        generation,
        hosts,
        apps: health.state.compiler.lock().apps().count(),
        watches: health.watches.reports().collect(),
    })
}

/// Every route, sorted.
pub(super) async fn routes(State(admin): State<Arc<Admin>>) -> Json<Vec<RouteView>> {
    Json(view::routes(&admin.health.state.table.load()))
}

#[derive(Serialize)]
pub(super) struct Diagnostics {
    objects: Vec<ObjectFindings>,
    watches: Vec<WatchReport>,
}

#[derive(Serialize)]
struct ObjectFindings {
    #[serde(flatten)]
    object: ObjectRef,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    field: String,
    severity: Severity,
    reason: String,
}

/// What is wrong with which object, and with which watch.
pub(super) async fn diagnostics(State(admin): State<Arc<Admin>>) -> Json<Diagnostics> {
    let diagnostics = admin.health.state.compiler.lock().diagnostics();
    let watches = admin
        .health
        .watches
        .reports()
        .filter(|watch| watch.problem.is_some() || watch.state != Phase::Watching);
    Json(Diagnostics { objects: by_object(diagnostics), watches: watches.collect() })
}

/// `diagnostics` are sorted by object.
fn by_object(diagnostics: Vec<Diagnostic>) -> Vec<ObjectFindings> {
    let mut objects: Vec<ObjectFindings> = Vec::new();
    for Diagnostic { object, field, severity, reason } in diagnostics {
        let finding = Finding { field: field.into(), severity, reason: reason.into() };
        match objects.last_mut().filter(|last| last.object == object) {
            Some(last) => last.findings.push(finding),
            None => objects.push(ObjectFindings { object, findings: vec![finding] }),
        }
    }
    objects
}
