//! The annotations of the Service dialect: a row each.

use super::{
    read::Draft,
    value::{self, ValueError},
};
use crate::{
    diagnostic::Severity,
    host::HostPattern,
    object::Key,
    policy::{AccessList, HttpsRedirect, Policy},
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
        name: "certificates",
        syntax: "map host:name",
        default: "none: the host is not served over TLS",
        meaning: "The host uses the certificate in the Secret `<name>-cert` (`tls.crt`, `tls.key`) \
                  of the Service's namespace.",
        apply: certificates,
    },
    Annotation {
        name: "maintenance",
        syntax: "true or false",
        default: "false",
        meaning: "Answers every request with 503 and a maintenance page; pods keep running.",
        apply: maintenance,
    },
    Annotation {
        name: "ssl.enforce",
        syntax: "true or false",
        default: "false",
        meaning: "Answers http requests with 301 to the same URL under https.",
        apply: ssl_enforce,
    },
    Annotation {
        name: "whitelist",
        syntax: "list of IPv4 or IPv6 addresses and networks",
        default: "none: all clients are let in",
        meaning: "Clients outside the list get 403. An entry that cannot be read lets nobody in.",
        apply: whitelist,
    },
    Annotation {
        name: "connectTimeout",
        syntax: "duration",
        default: "30s",
        meaning: "Limit for connecting to a pod; then the next pod is tried, then 504.",
        apply: connect_timeout,
    },
    Annotation {
        name: "tcpTimeout",
        syntax: "duration",
        default: "1300s",
        meaning: "Limit between two reads or writes upstream; then 504, or the end of an idle WebSocket.",
        apply: tcp_timeout,
    },
];

fn domains(draft: &mut Draft<'_>, text: &str) {
    for entry in value::list(text) {
        match draft
            .qualify(entry)
            .and_then(|name| HostPattern::parse(&name).map_err(|e| e.to_string()))
        {
            Ok(host) => draft.hosts.push(host),
            Err(reason) => draft.report(Severity::Error, reason),
        }
    }
    draft.hosts.sort_unstable();
    draft.hosts.dedup();
}

fn certificates(draft: &mut Draft<'_>, text: &str) {
    for entry in value::list(text) {
        let read = value::pair(entry).map_err(|e| e.to_string()).and_then(|(host, name)| {
            let host = draft.qualify(host)?;
            let host = HostPattern::parse(&host).map_err(|e| e.to_string())?;
            Ok((host, Key::new(draft.namespace.clone(), format!("{name}-cert"))))
        });
        match read {
            Ok((host, secret)) => {
                draft.certificates.insert(host, secret);
            }
            Err(reason) => draft.report(Severity::Error, reason),
        }
    }
}

fn maintenance(draft: &mut Draft<'_>, text: &str) {
    if draft.or_default(value::boolean(text)) == Some(true) {
        draft.policies.push(Policy::Maintenance);
    }
}

fn ssl_enforce(draft: &mut Draft<'_>, text: &str) {
    if draft.or_default(value::boolean(text)) == Some(true) {
        let port = draft.settings.public_https_port;
        draft.policies.push(Policy::HttpsRedirect(HttpsRedirect { port }));
    }
}

fn whitelist(draft: &mut Draft<'_>, text: &str) {
    let mut networks = Vec::new();
    for entry in value::list(text) {
        match value::network(entry) {
            Ok(network) => networks.push(network),
            Err(error) => {
                draft.report(
                    Severity::Error,
                    format!("{error}. Until then this entry lets nobody in"),
                );
            }
        }
    }
    draft.policies.push(Policy::AccessList(AccessList::new(networks)));
}

fn connect_timeout(draft: &mut Draft<'_>, text: &str) {
    if let Some(timeout) = draft.or_default(value::duration(text)) {
        draft.timeouts.connect = timeout;
    }
}

fn tcp_timeout(draft: &mut Draft<'_>, text: &str) {
    if let Some(timeout) = draft.or_default(value::duration(text)) {
        draft.timeouts.tcp = timeout;
    }
}

impl Draft<'_> {
    /// The value, or a warning that the default stands.
    fn or_default<T>(&mut self, value: Result<T, ValueError>) -> Option<T> {
        value
            .map_err(|error| self.report(Severity::Warning, format!("{error}. The default stands")))
            .ok()
    }

    /// A name without dot, put below the platform domain.
    fn qualify(&self, name: &str) -> Result<String, String> {
        if name.trim_end_matches('.').contains('.') {
            return Ok(name.to_owned());
        }
        match &self.settings.platform_domain {
            Some(domain) => Ok(format!("{name}.{domain}")),
            None => Err(format!(
                "{name:?} has no dot and the router has no platform domain; write the full name, \
                 or start the router with --platform-domain"
            )),
        }
    }
}
