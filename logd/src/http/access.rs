//! Who is answered.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use fairlead_wire::slots::Slot;

use super::Api;
use crate::{
    app::AppId,
    auth::{Grant, Role},
};

/// On a loopback address only requests for that address or localhost are answered: a web
/// page whose name was made to point there must not read what a browser can reach.
pub(super) async fn own_host(
    State(address): State<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let host =
        request.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host }
    });
    let address = address.ip().to_canonical();
    let own = name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse() == Ok(address);
    if address.is_loopback() && !own {
        return (StatusCode::FORBIDDEN, "This address is asked for by another name.\n")
            .into_response();
    }
    next.run(request).await
}

/// What the caller may do. While it is answered, its connection gives way to no other.
pub(super) fn grant(api: &Api, parts: &Parts) -> Result<Grant, Box<Response>> {
    let grant = api.auth.grant(&parts.headers).ok_or_else(|| {
        let bearer = [(header::WWW_AUTHENTICATE, "Bearer")];
        Box::new((StatusCode::UNAUTHORIZED, bearer, "A token is needed.\n").into_response())
    })?;
    let slot = parts.extensions.get::<Arc<Slot>>();
    if slot.is_none_or(|slot| slot.hold()) {
        Ok(grant)
    } else {
        let text = "There are too many readers.\n";
        Err(Box::new((StatusCode::SERVICE_UNAVAILABLE, text).into_response()))
    }
}

/// The app that a path names, and what the caller may do to it. What the caller may not see is not
/// there.
pub(super) fn app(
    api: &Api,
    parts: &Parts,
    path: &str,
    role: Role,
) -> Result<(AppId, Grant), Box<Response>> {
    let grant = grant(api, parts)?;
    let app = path.strip_suffix('/').unwrap_or(path).parse::<AppId>().ok();
    match app.filter(|app| grant.is_for(role) && grant.covers(app)) {
        Some(app) => Ok((app, grant)),
        None => Err(Box::new((StatusCode::NOT_FOUND, "There is no such app.\n").into_response())),
    }
}
