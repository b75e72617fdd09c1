//! The annotations of the Service dialect: a row each.

use std::borrow::Cow;

use rustls::pki_types::ServerName;

use super::{name::HostName, read::Draft};
use crate::{
    diagnostic::Severity,
    dialect::{
        Void, router,
        value::{self, ValueError},
    },
    host::HostRegex,
    object::{Key, Kind},
    path::PathMatch,
    policy::{AccessList, Rate, ReferrerPolicy},
    strict,
    upstream::Protocol,
};

/// One annotation: its name behind the prefix, how it is documented, what it does.
#[derive(Debug)]
pub struct Annotation {
    /// The name behind `router.fairlead.dev/` or `router.deis.io/`.
    pub name: &'static str,
    /// The kind of value.
    pub syntax: &'static str,
    /// What holds without it.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
    pub(super) apply: fn(&mut Draft<'_>, &str),
}

/// Every annotation that is understood.
pub const ANNOTATIONS: &[Annotation] = &[
    Annotation {
        name: "domains",
        syntax: "list of host names",
        default: "none: the Service is not served",
        meaning: "The hosts to serve: `web.example.org`, `*.example.org` for every name below it, \
                  or a name without dot below the platform domain.",
        apply: domains,
    },
    Annotation {
        name: "regexDomain",
        syntax: "regular expression",
        default: "none",
        meaning: "Hosts below the platform domain whose first part the expression describes: `store-\\d*`. \
                  The router has to allow it (`enableRegexDomains`).",
        apply: regex_domain,
    },
    Annotation {
        name: "proxyDomain",
        syntax: "host name",
        default: "none",
        meaning: "A host of another Service below which this one is served too, at `proxyLocations`. \
                  Access lists of both hold there; all else is as this Service says.",
        apply: |draft, text| match HostName::parse(text.trim()) {
            Ok(host) => draft.proxy_domain = Some(host),
            Err(error) => draft.report(Severity::Error, error.to_string()),
        },
    },
    Annotation {
        name: "proxyLocations",
        syntax: "list of paths",
        default: "none",
        meaning: "Where this Service is served below `proxyDomain`: `/api` for `/api` and all below it, \
                  `= /api` for that path alone.",
        apply: proxy_locations,
    },
    Annotation {
        name: "certificates",
        syntax: "map host:name",
        default: "none: the platform certificate where it is valid for the host, else no TLS",
        meaning: "The host uses the certificate in the Secret `<name>-cert` (`tls.crt`, `tls.key`) \
                  of the Service's namespace.",
        apply: certificates,
    },
    Annotation {
        name: "maintenance",
        syntax: "true or false",
        default: "false",
        meaning: "Answers every request with 503 and a maintenance page; pods keep running.",
        apply: |draft, text| {
            draft.take(value::boolean(text), |options, value| options.maintenance = value);
        },
    },
    Annotation {
        name: "ssl.enforce",
        syntax: "true or false",
        default: "false",
        meaning: "Answers http requests with 301 to the same URL under https.",
        apply: |draft, text| {
            draft.take(value::boolean(text), |options, value| options.enforce_https = value);
        },
    },
    Annotation {
        name: "whitelist",
        syntax: "list of IPv4 or IPv6 addresses and networks",
        default: "the router's `defaultWhitelist`",
        meaning: "Clients outside the list get 403. It extends the router's list, or takes its \
                  place (`whitelistMode`). An entry that cannot be read lets nobody in.",
        apply: whitelist,
    },
    Annotation {
        name: "connectTimeout",
        syntax: "duration",
        default: "the router's, 30s",
        meaning: "Limit for connecting to a pod; then the next pod is tried, then 504.",
        apply: |draft, text| {
            let timeout = value::duration(text);
            draft.take(timeout, |options, value| options.connect_timeout = Some(value));
        },
    },
    Annotation {
        name: "tcpTimeout",
        syntax: "duration",
        default: "the router's, 1300s",
        meaning: "Limit between two reads or writes upstream; then 504, or the end of an idle WebSocket.",
        apply: |draft, text| {
            let timeout = value::duration(text);
            draft.take(timeout, |options, value| options.tcp_timeout = Some(value));
        },
    },
    Annotation {
        name: "bodySize",
        syntax: "size",
        default: "the router's, 1m",
        meaning: "The largest request body; 413 beyond. 0: no limit.",
        apply: |draft, text| {
            draft.take(value::limit(text), |options, value| options.body_size = Some(value));
        },
    },
    Annotation {
        name: "errorPages",
        syntax: "name of a ConfigMap",
        default: "the router's, none",
        meaning: "Pages in place of the router's own, from a ConfigMap of the Service's namespace with the label \
                  `router.fairlead.dev/pages: \"true\"`. Its entries are named by the status: `503.html`, `404.json`, \
                  `5xx.html`, and `maintenance.html`. What pods answer is passed on as it is.",
        apply: |draft, text| match Key::named(draft.namespace.clone(), text.trim()) {
            Some(key) => draft.error_pages = Some(key),
            None => draft.report(Severity::Error, no_name(text, "ConfigMap")),
        },
    },
    Annotation {
        name: "upstreamProtocol",
        syntax: "http, h2c, grpc, https or grpcs",
        default: "the port's `appProtocol`, else http",
        meaning: "What the pods speak: HTTP/1.1, HTTP/2 in the clear (`h2c`, also `grpc`), HTTP/1.1 over TLS, or \
                  HTTP/2 over TLS (`grpcs`). Of `appProtocol`, `kubernetes.io/h2c`, `grpc` and `https` are understood.",
        apply: |draft, text| match value::word(text, &PROTOCOLS) {
            Ok(protocol) => draft.protocol = Some(protocol),
            // To guess would be to send requests in the clear that were meant to be secret.
            Err(error) => draft.refuse(error.to_string()),
        },
    },
    Annotation {
        name: "upstreamCA",
        syntax: "name of a Secret, or `configmap/` and that of a ConfigMap",
        default: "none: pods that speak TLS are not served",
        meaning: "The Secret of the Service's namespace whose `ca.crt` has the authorities that the pods' certificates \
                  are signed by. Of ConfigMaps only those with the label `router.fairlead.dev/authorities: \"true\"` are read.",
        apply: |draft, text| {
            let (kind, name) = match text.trim().strip_prefix("configmap/") {
                Some(name) => (Kind::ConfigMap, name),
                None => (Kind::Secret, text.trim()),
            };
            match Key::named(draft.namespace.clone(), name) {
                Some(key) => draft.authorities = Some(key.of(kind)),
                None => draft.refuse(no_name(text, &kind.to_string())),
            }
        },
    },
    Annotation {
        name: "upstreamCertificate",
        syntax: "name of a Secret",
        default: "none: the router shows none",
        meaning: "The Secret of the Service's namespace whose certificate (`tls.crt`, `tls.key`) the router shows to pods \
                  that speak TLS and ask for one. Without a usable one they get no requests.",
        apply: |draft, text| match Key::named(draft.namespace.clone(), text.trim()) {
            Some(key) => draft.client_certificate = Some(key),
            None => draft.refuse(no_name(text, "Secret")),
        },
    },
    Annotation {
        name: "upstreamServerName",
        syntax: "host name",
        default: "`<service>.<namespace>.svc`",
        meaning: "The name that the pods' certificates are for.",
        apply: |draft, text| match ServerName::try_from(text.trim()) {
            Ok(_) => draft.server_name = Some(text.trim().into()),
            Err(_) => draft.refuse(format!("{text:?} is not a host name")),
        },
    },
    Annotation {
        name: "headerSize",
        syntax: "size from 1k to 64k",
        default: "the router's, 64k",
        meaning: "The largest head of a request, line and fields; 431 beyond.",
        apply: |draft, text| {
            let size = value::head_size(text);
            draft.take(size, |options, value| options.head_size = Some(value));
        },
    },
    Annotation {
        name: "rateLimit",
        syntax: "number/s, /m or /h, or none",
        default: "the router's, none",
        meaning: "Requests of one client (an IPv4 address or IPv6 /64) in a second, minute or hour: `10/s`; 429 with \
                  `Retry-After` beyond. What cannot be read is `1/s`.",
        apply: |draft, text| {
            let (rate, strictest) = (value::rate(text), Some(Rate::STRICTEST));
            draft.take_strictly(rate, strictest, |options, value| options.rate = Some(value));
        },
    },
    Annotation {
        name: "rateBurst",
        syntax: "number",
        default: "the router's, else that of `rateLimit`",
        meaning: "How many of these may come at once. What cannot be read is 1.",
        apply: |draft, text| {
            let burst = value::count(text);
            draft.take_strictly(burst, 1, |options, value| options.rate_burst = Some(value));
        },
    },
    Annotation {
        name: "concurrencyLimit",
        syntax: "number, 0 for none",
        default: "the router's, none",
        meaning: "Requests and WebSockets of one client that may be under way; 503 with `Retry-After` beyond. \
                  What cannot be read is 1.",
        apply: |draft, text| {
            let limit = value::count_or_none(text);
            draft.take_strictly(limit, Some(1), |options, value| options.concurrency = Some(value));
        },
    },
    Annotation {
        name: "gzip.enabled",
        syntax: "true or false",
        default: "the router's, true",
        meaning: "Responses are compressed by gzip, brotli or zstd, as clients ask for it and the router's \
                  other settings of `gzip` say.",
        apply: |draft, text| {
            draft.take(value::boolean(text), |options, value| options.compression = Some(value));
        },
    },
    Annotation {
        name: "disableRequestStartHeader",
        syntax: "true or false",
        default: "false",
        meaning: "Requests get no `X-Request-Start`, even if the router sets it.",
        apply: |draft, text| {
            draft.take(value::boolean(text), |options, value| options.no_request_start = value);
        },
    },
    Annotation {
        name: "referrerPolicy",
        syntax: "a value of `Referrer-Policy`, or none",
        default: "the router's, none",
        meaning: "Responses get `Referrer-Policy` with this value.",
        apply: |draft, text| {
            let policy = ReferrerPolicy::read(text);
            draft.take(policy, |options, value| options.referrer_policy = Some(value));
        },
    },
];

/// What pods may speak.
const PROTOCOLS: [(&str, Protocol); 5] = [
    ("http", Protocol::Http),
    ("h2c", Protocol::H2c),
    ("grpc", Protocol::H2c),
    ("https", Protocol::Https),
    ("grpcs", Protocol::H2),
];

const STREAMED: &str = "responses are always streamed, so there are no buffers to set";
const ROUTER_WIDE: &str = "this is a setting of the router as a whole, also on Deis Workflow";

/// Annotations of Deis Workflow and Hephy that mean nothing here.
pub const VOID: &[Void] = &[
    Void { name: "nginx.proxyBuffers.enabled", instead: STREAMED },
    Void { name: "nginx.proxyBuffers.number", instead: STREAMED },
    Void { name: "nginx.proxyBuffers.size", instead: STREAMED },
    Void { name: "nginx.proxyBuffers.busySize", instead: STREAMED },
    Void { name: "ssl.protocols", instead: ROUTER_WIDE },
    Void { name: "ssl.ciphers", instead: ROUTER_WIDE },
    Void { name: "ssl.sessionCache", instead: ROUTER_WIDE },
    Void { name: "ssl.sessionTimeout", instead: ROUTER_WIDE },
    Void { name: "ssl.useSessionTickets", instead: ROUTER_WIDE },
    Void { name: "ssl.bufferSize", instead: ROUTER_WIDE },
    Void { name: "ssl.earlyDataMethods", instead: ROUTER_WIDE },
    Void { name: "ssl.hsts.enabled", instead: ROUTER_WIDE },
    Void { name: "ssl.hsts.maxAge", instead: ROUTER_WIDE },
    Void { name: "ssl.hsts.includeSubDomains", instead: ROUTER_WIDE },
    Void { name: "ssl.hsts.preload", instead: ROUTER_WIDE },
    Void { name: "nginx.tcellAppID", instead: router::FIREWALL },
    Void { name: "tcellAppID", instead: router::FIREWALL },
];

fn no_name(text: &str, kind: &str) -> String {
    format!("{text:?} is no name of a {kind}: names have lower-case letters, digits, - and .")
}

fn domains(draft: &mut Draft<'_>, text: &str) {
    for entry in value::list(text) {
        match HostName::parse(entry) {
            Ok(host) => draft.hosts.push(host),
            Err(error) => draft.report(Severity::Error, error.to_string()),
        }
    }
}

fn regex_domain(draft: &mut Draft<'_>, text: &str) {
    let text = text.trim();
    let regex = HostRegex { text: text.into(), domain: None };
    match regex.compile() {
        Ok(_) => draft.hosts.push(HostName::Regex(regex.text)),
        Err(error) => {
            // The error spans lines and shows the expression with what was put around it.
            let error = error.to_string();
            let reason = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
            draft
                .report(Severity::Error, format!("{text:?} is not a regular expression: {reason}"));
        }
    }
}

fn proxy_locations(draft: &mut Draft<'_>, text: &str) {
    for entry in value::list(text) {
        match location(entry) {
            Some(path) => draft.proxy_locations.push(path),
            None => draft.report(
                Severity::Error,
                format!("{entry:?} is not a location; write a path such as /api, or = /api for that path alone"),
            ),
        }
    }
}

/// A location as nginx has it, but for regular expressions.
fn location(text: &str) -> Option<PathMatch> {
    let (exact, path) = match text.strip_prefix('=') {
        Some(path) => (true, path),
        None => (false, text.strip_prefix("^~").unwrap_or(text)),
    };
    let path = path.trim();
    let valid =
        path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic() && !b"?#".contains(&b));
    // As paths of requests are looked up: in another spelling it would never match.
    let path = strict::normalise(path).ok().filter(|_| valid)?.lookup;
    Some(match path.trim_end_matches('/') {
        _ if exact => PathMatch::Exact(path.into()),
        "" => PathMatch::Prefix("/".into()),
        prefix => PathMatch::Prefix(prefix.into()),
    })
}

fn certificates(draft: &mut Draft<'_>, text: &str) {
    for entry in value::list(text) {
        let read =
            value::pair(entry).map_err(|e| Cow::from(e.to_string())).and_then(|(host, name)| {
                let host = HostName::parse(host).map_err(|e| e.to_string())?;
                let secret = Key::named(draft.namespace.clone(), &format!("{name}-cert"));
                Ok((host, secret.ok_or_else(|| no_name(name, "certificate"))?))
            });
        match read {
            Ok((host, secret)) => {
                draft.certificates.insert(host, secret);
            }
            Err(reason) => draft.report(Severity::Error, reason),
        }
    }
}

fn whitelist(draft: &mut Draft<'_>, text: &str) {
    let (list, errors) = AccessList::read(text);
    for error in errors {
        draft.report(Severity::Error, format!("{error}. Until then this entry lets nobody in"));
    }
    draft.options.access = Some(list);
}

impl AccessList {
    /// The entries of a list that can be read, and what is wrong with the others.
    pub(crate) fn read(text: &str) -> (Self, Vec<ValueError>) {
        let (mut networks, mut errors) = (Vec::new(), Vec::new());
        for entry in value::list(text) {
            match value::network(entry) {
                Ok(network) => networks.push(network),
                Err(error) => errors.push(error),
            }
        }
        (Self::new(networks), errors)
    }
}

impl ReferrerPolicy {
    /// A policy by its name, or `none`.
    pub(crate) fn read(text: &str) -> Result<Option<Self>, ValueError> {
        let policies = Self::all().map(|(name, policy)| (name, Some(policy)));
        value::word(text, &policies.chain([("none", None)]).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_path_as_paths_of_requests_are_looked_up() {
        let prefix = |path: &str| Some(PathMatch::Prefix(path.into()));
        for (text, expected) in [
            ("/api", prefix("/api")),
            ("/api/", prefix("/api")),
            ("^~ /api", prefix("/api")),
            ("/", prefix("/")),
            ("= /status", Some(PathMatch::Exact("/status".into()))),
            ("/%61pi/./x/../v1", prefix("/api/v1")),
            ("/caf%c3%a9", prefix("/caf%C3%A9")),
            ("~ ^/api/v[0-9]", None),
            ("api", None),
            ("/a?b", None),
            ("/100%", None),
        ] {
            assert_eq!(location(text), expected, "{text}");
        }
    }
}
