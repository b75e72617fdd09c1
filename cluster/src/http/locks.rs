//! What every request must pass before it is looked at. The API runs commands, so that a web page
//! open in a browser on the same machine must not reach it.

use std::net::SocketAddr;
use std::sync::Arc;

use http::header::{AUTHORIZATION, HOST, ORIGIN};
use http::request::Parts;

use super::tokens::Tokens;
use crate::status::Status;

/// Refuses a Host that is not the bound address, any Origin, and a token that was not given out;
/// otherwise tells the user.
pub(super) fn admit(parts: &Parts, bound: SocketAddr, tokens: &Tokens) -> Result<Arc<str>, Status> {
    check_host(parts, bound)?;
    if parts.headers.contains_key(ORIGIN) {
        return Err(Status::refused("requests with an Origin header are refused"));
    }
    user(parts, tokens).ok_or_else(Status::unauthorized)
}

/// A name that was made to resolve to a loopback address (DNS rebinding) shows in Host.
fn check_host(parts: &Parts, bound: SocketAddr) -> Result<(), Status> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    // A request target in absolute form carries a host of its own.
    let target = parts.uri.authority().map(|authority| authority.as_str());
    let given = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    let accepted = |host: &str| {
        host == bound.to_string()
            || host
                .rsplit_once(':')
                .is_some_and(|(name, port)| name == "localhost" && port == bound.port().to_string())
    };
    if more.is_none() && accepted(given) && target.is_none_or(accepted) {
        return Ok(());
    }
    Err(Status::refused(format!("Host must be {bound} or localhost:{}", bound.port())))
}

fn user(parts: &Parts, tokens: &Tokens) -> Option<Arc<str>> {
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    let (header, more) = (headers.next()?, headers.next());
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    if more.is_some() || !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    tokens.user(token.trim())
}
