//! Where the rules of `fairlead_router_core::strict` meet Pingora's requests.

use std::{borrow::Cow, sync::Arc};

use fairlead_router_core::{
    Host, Rule, Table,
    strict::{self, Fields, Findings, Violation, is_claim, is_plain_name},
};
use http::{HeaderName, header::UPGRADE};
use pingora_http::RequestHeader;
use pingora_proxy::Session;

use crate::connection::Origin;

/// Checks the head of the request in `session`, and takes out what nobody else is to see.
///
/// # Errors
/// The rule that it breaks.
pub(crate) fn check(session: &mut Session, http2: bool) -> Result<Findings, Violation> {
    let findings = if http2 {
        check_http2(session.req_header())?
    } else {
        strict::check(&session.as_downstream().to_h1_raw())?
    };
    if findings.idle_upgrade {
        // Pingora takes any `Upgrade` for the wish to leave HTTP.
        session.req_header_mut().remove_header(&UPGRADE);
    }
    Ok(findings)
}

/// Of HTTP/2 the library has refused what is malformed (RFC 9113 §8.1.1).
fn check_http2(request: &RequestHeader) -> Result<Findings, Violation> {
    strict::check_request(request.method.as_str().as_bytes(), request.raw_path())?;
    let mut fields = Fields::default();
    for (name, value) in &request.headers {
        let value = value.as_bytes();
        // There is no white space to pass over as in HTTP/1 (RFC 9113 §8.2.1).
        if let [b' ' | b'\t', ..] | [.., b' ' | b'\t'] = value {
            return Err(Violation::Value);
        }
        fields.add(name.as_str().as_bytes(), value)?;
    }
    fields.finish(false)
}

/// The rule of `host` for `request`, if there is one. Sets `target` where another one than the
/// one received is to be passed on.
///
/// # Errors
/// [`Violation::Path`], and [`Violation::AmbiguousPath`] unless everybody would find the same rule.
pub(crate) fn route<'a>(
    request: &RequestHeader,
    host: &'a Host,
    target: &mut Option<String>,
) -> Result<Option<&'a Arc<Rule>>, Violation> {
    let path = strict::normalise(request.uri.path())?;
    let rule = host.route(&path.lookup);
    let is_other = |other: &String| host.route(other).map(Arc::as_ptr) != rule.map(Arc::as_ptr);
    if path.others.iter().any(is_other) {
        return Err(Violation::AmbiguousPath);
    }
    if let Cow::Owned(mut path) = path.path {
        if let Some(query) = request.uri.query() {
            path.push('?');
            path.push_str(query);
        }
        *target = Some(path);
    }
    Ok(rule)
}

/// Whether the connection may be used for `host`, which is named `name`: its TLS was agreed for that
/// name, or with the certificate that the name has as well (RFC 9113 §9.1.1). A client that named
/// no host in its handshake, and a peer that `trusted` speaks of, may ask for any.
pub(crate) fn is_misdirected(
    origin: &Origin,
    name: &str,
    host: &Host,
    table: &Table,
    trusted: bool,
) -> bool {
    let Some(sni) = origin.info.tls.as_ref().and_then(|tls| tls.sni.as_deref()) else {
        return false;
    };
    if sni == name || trusted {
        return false;
    }
    let agreed = table.host(sni).and_then(|host| host.certificate.as_ref());
    let agreed = agreed.or(table.platform.as_ref());
    match (agreed, &host.certificate) {
        (Some(agreed), Some(own)) => !Arc::ptr_eq(agreed, own),
        _ => true,
    }
}

/// Takes out of the `request` to an endpoint what `findings` say is not passed on.
pub(crate) fn strip(request: &mut RequestHeader, findings: Findings, trusted: bool) {
    let unwanted = |name: &[u8]| {
        findings.odd_names && !is_plain_name(name) || findings.claims && !trusted && is_claim(name)
    };
    let names = request.headers.keys().filter(|name| unwanted(name.as_str().as_bytes()));
    let names: Vec<HeaderName> = names.cloned().collect();
    for name in &names {
        request.remove_header(name);
    }
}
