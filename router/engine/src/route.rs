//! From a request's head to the rule that it falls under, and what that says.

use fairlead_router_core::{Reply, RequestFacts};
use fairlead_router_listen::Scheme;
use http::{Method, Version, header::UPGRADE};
use pingora_http::RequestHeader;

use crate::{
    connection::Origin,
    context::{Context, Flight},
    forwarded::Client,
    head,
    proxy::Proxy,
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
        let Ok(name) = head::host(request) else { return unrouted(Reply::bad_host()) };
        let Some(host) = name.as_deref().and_then(|name| table.host(name)) else {
            if request.method == Method::GET && request.uri.path() == "/healthz" {
                context.unrecorded = true;
                return Route::Answer(Reply::healthy());
            }
            return unrouted(Reply::not_found());
        };
        context.pattern = Some(host.pattern.clone());
        if origin.info.scheme == Scheme::Https && host.certificate.is_none() {
            return unrouted(Reply::not_found());
        }
        let Some(rule) = host.route(request.uri.path()) else {
            return unrouted(Reply::not_found());
        };
        context.flight = Some(Flight::begin(rule.clone(), self.worker));
        context.upgrade = is_websocket(request);
        let facts = RequestFacts {
            client: client.address,
            secure: client.proto.is_secure(),
            host: name.as_deref().unwrap_or_default(),
            target: target(request),
            websocket: context.upgrade,
        };
        rule.decide(&facts).map_or(Route::Proxy, Route::Answer)
    }
}

/// Path and query as received, of a target in any form.
pub(crate) fn target(request: &RequestHeader) -> &str {
    request.uri.path_and_query().map_or("", |target| target.as_str())
}

fn is_websocket(request: &RequestHeader) -> bool {
    request.version == Version::HTTP_11
        && request
            .headers
            .get(UPGRADE)
            .is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"))
}
