//! Who is answered.

use std::net::SocketAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

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

/// What the caller may do.
pub(super) fn grant(api: &Api, headers: &HeaderMap) -> Result<Grant, Box<Response>> {
    api.auth.grant(headers).ok_or_else(|| {
        let bearer = [(header::WWW_AUTHENTICATE, "Bearer")];
        Box::new((StatusCode::UNAUTHORIZED, bearer, "A token is needed.\n").into_response())
    })
}

/// The app that a path names, and what the caller may do to it. What the caller may not see is not
/// there.
pub(super) fn app(
    api: &Api,
    headers: &HeaderMap,
    path: &str,
    role: Role,
) -> Result<(AppId, Grant), Box<Response>> {
    let grant = grant(api, headers)?;
    let app = path.strip_suffix('/').unwrap_or(path).parse::<AppId>().ok();
    match app.filter(|app| grant.is_for(role) && grant.covers(app)) {
        Some(app) => Ok((app, grant)),
        None => Err(Box::new((StatusCode::NOT_FOUND, "There is no such app.\n").into_response())),
    }
}
