//! From a request's head to the rule that it falls under, and what that says.

use fairlead_router_core::{Reply, RequestFacts, strict::Violation};
use fairlead_router_listen::Scheme;
use http::{Method, Version, header::UPGRADE};
use pingora_http::RequestHeader;

use crate::{
    connection::Origin,
    context::{Context, Flight},
    forwarded::Client,
    head,
    proxy::Proxy,
    strict,
};

/// What becomes of a request once its host and path are known.
pub(crate) enum Route {
    Proxy,
    Answer(Reply),
}

impl Proxy {
    /// Looks `request` up in the table in force and notes in `context` what was found.
    pub(crate) fn route(
        &self,
        request: &RequestHeader,
        origin: &Origin,
        context: &mut Context,
    ) -> Route {
        let table = self.shared.table.load();
        let client = Client::of(&request.headers, &origin.info, &table.settings);
        context.client = Some(client);
        let unrouted = |reply| {
            self.shared.metrics.unrouted(self.worker);
            Route::Answer(reply)
        };
        if table.pages.is_some() {
            context.pages = table.pages.clone();
        }
        let Ok(name) = head::host(request) else { return unrouted(Reply::bad_host()) };
        let host = match name.as_deref().and_then(|name| table.host(name)) {
            Some(host) => host,
            None if request.method == Method::GET && request.uri.path() == "/healthz" => {
                context.unrecorded = true;
                return Route::Answer(Reply::healthy());
            }
            None => match table.catch_all() {
                Some(host) => host,
                None => return unrouted(Reply::not_found()),
            },
        };
        context.pattern = Some(host.pattern.clone());
        if origin.info.scheme == Scheme::Https && host.certificate.is_none() {
            return unrouted(Reply::not_found());
        }
        let found = if self.shared.limits.strict {
            let name = name.as_deref().unwrap_or_default();
            if strict::is_misdirected(origin, name, host, &table, client.trusted) {
                Err(Violation::Misdirected)
            } else {
                strict::route(request, host, &mut context.target)
            }
        } else {
            Ok(host.route(request.uri.path()))
        };
        let rule = match found {
            Ok(Some(rule)) => rule,
            Ok(None) => return unrouted(Reply::not_found()),
            Err(violation) => {
                self.shared.metrics.refused(self.worker);
                return Route::Answer(Reply::violation(violation));
            }
        };
        context.flight = Some(Flight::begin(rule.clone(), self.worker));
        context.upgrade = is_websocket(request) && !context.speaks_http2();
        context.name(request);
        let facts = RequestFacts {
            client: client.address,
            secure: client.proto.is_secure(),
            host: name.as_deref().unwrap_or_default(),
            target: context.target.as_deref().unwrap_or_else(|| target(request)),
            websocket: context.upgrade,
            now: context.started.saturating_duration_since(self.shared.started),
        };
        if let Some(reply) = rule.decide(&facts) {
            return Route::Answer(reply);
        }
        match context.flight.as_mut().map(|flight| flight.enter(client.address)) {
            Some(false) => Route::Answer(Reply::too_many_at_once()),
            _ => Route::Proxy,
        }
    }
}

/// Path and query as received, of a target in any form.
pub(crate) fn target(request: &RequestHeader) -> &str {
    request.uri.path_and_query().map_or("", |target| target.as_str())
}

/// The target as a server gets it (RFC 9112 §3.2.2), or that of OPTIONS for the server as a whole
/// (§3.2.4), where it came in another form.
pub(crate) fn target_for_server(request: &RequestHeader) -> Option<&str> {
    let received = request.raw_path();
    if received.starts_with(b"/") || received == b"*" {
        return None;
    }
    let names_host_only =
        received.iter().filter(|byte| **byte == b'/').count() == 2 && !received.contains(&b'?');
    Some(if names_host_only && request.method == Method::OPTIONS { "*" } else { target(request) })
}

fn is_websocket(request: &RequestHeader) -> bool {
    request.version == Version::HTTP_11
        && request
            .headers
            .get(UPGRADE)
            .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}
