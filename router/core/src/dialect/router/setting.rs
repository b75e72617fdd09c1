//! The settings: a row each.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use super::tls;
use crate::{
    diagnostic::Severity,
    dialect::{
        Void,
        value::{self, ValueError},
    },
    host::HostPattern,
    object::Key,
    policy::{AccessList, ListMode, ReferrerPolicy},
    settings::Settings,
};

/// One setting: its names, how it is documented, what it does.
#[derive(Debug)]
pub struct Setting {
    /// The name behind a prefix.
    pub name: &'static str,
    /// The flag, without `--`.
    pub flag: &'static str,
    /// The kind of value.
    pub syntax: &'static str,
    /// What holds without it.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
    apply: fn(&mut Settings, &str) -> Result<(), Problem>,
}

/// A value that cannot be read, or not wholly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Problem {
    /// What it costs.
    pub severity: Severity,
    /// What is wrong and what holds now.
    pub reason: String,
}

impl From<ValueError> for Problem {
    fn from(error: ValueError) -> Self {
        warning(error.to_string())
    }
}

impl Setting {
    /// Sets what `text` says.
    ///
    /// # Errors
    /// For a value that cannot be read. Then all is as before, but for lists: these are as
    /// strict as they can be.
    pub fn set(&self, settings: &mut Settings, text: &str) -> Result<(), Problem> {
        (self.apply)(settings, text)
    }
}

/// A switch of [`Settings`].
macro_rules! switch {
    ($($field:tt)+) => {
        |settings, text| {
            settings.$($field)+ = value::boolean(text)?;
            Ok(())
        }
    };
}

/// The syntax of settings that are on or off.
pub const SWITCH: &str = "true or false";
const NETWORKS: &str = "list of IPv4 or IPv6 addresses and networks";

/// Every setting.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "platformDomain",
        flag: "platform-domain",
        syntax: "domain",
        default: "none",
        meaning: "Domain below which names without a dot are served.",
        apply: platform_domain,
    },
    Setting {
        name: "matchAnySuffix",
        flag: "match-any-suffix",
        syntax: SWITCH,
        default: "false",
        meaning: "Without a platform domain, a name without a dot, such as web, is served at web. \
                  and anything, as on Deis Workflow.",
        apply: switch!(match_any_suffix),
    },
    Setting {
        name: "enableRegexDomains",
        flag: "enable-regex-domains",
        syntax: SWITCH,
        default: "false",
        meaning: "Apps may name hosts by regular expressions (regexDomain).",
        apply: switch!(regex_domains),
    },
    Setting {
        name: "proxyRealIpCidrs",
        flag: "trusted-cidrs",
        syntax: NETWORKS,
        default: "none",
        meaning: "Proxies in front whose X-Forwarded-* headers are believed.",
        apply: trusted,
    },
    Setting {
        name: "useProxyProtocol",
        flag: "use-proxy-protocol",
        syntax: SWITCH,
        default: "false",
        meaning: "The proxies in proxyRealIpCidrs tell who their clients are by the PROXY protocol, \
                  version 1 or 2, on every port but that of the admin endpoints.",
        apply: switch!(proxy_protocol),
    },
    Setting {
        name: "publicHttpPort",
        flag: "public-http-port",
        syntax: "port",
        default: "80",
        meaning: "Port under which clients reach HTTP; apps are told in X-Forwarded-Port.",
        apply: |settings, text| {
            settings.public_http_port = port(text)?;
            Ok(())
        },
    },
    Setting {
        name: "publicHttpsPort",
        flag: "public-https-port",
        syntax: "port",
        default: "443",
        meaning: "Port under which clients reach HTTPS; https redirects name it, and apps are told \
                  in X-Forwarded-Port.",
        apply: |settings, text| {
            settings.public_https_port = port(text)?;
            Ok(())
        },
    },
    Setting {
        name: "ssl.enforce",
        flag: "ssl-enforce",
        syntax: SWITCH,
        default: "false",
        meaning: "Every app answers http requests with 301 to the same URL under https.",
        apply: switch!(enforce_https),
    },
    Setting {
        name: "ssl.protocols",
        flag: "ssl-protocols",
        syntax: "TLSv1.2, TLSv1.3 or both",
        default: "TLSv1.2 TLSv1.3",
        meaning: "Versions of TLS that are offered. Older ones are not.",
        apply: tls::protocols,
    },
    Setting {
        name: "ssl.ciphers",
        flag: "ssl-ciphers",
        syntax: "names of OpenSSL with colons between them",
        default: "all that are safe, in the client's order",
        meaning: "Cipher suites of TLS 1.2 that are offered, the best first. Those of TLS 1.3 always are.",
        apply: tls::ciphers,
    },
    Setting {
        name: "ssl.useSessionTickets",
        flag: "ssl-use-session-tickets",
        syntax: SWITCH,
        default: "true",
        meaning: "TLS sessions resume by tickets.",
        apply: switch!(tls.tickets),
    },
    Setting {
        name: "http2Enabled",
        flag: "http2-enabled",
        syntax: SWITCH,
        default: "true",
        meaning: "HTTP/2 is offered over TLS.",
        apply: switch!(tls.http2),
    },
    Setting {
        name: "ssl.hsts.enabled",
        flag: "ssl-hsts-enabled",
        syntax: SWITCH,
        default: "false",
        meaning: "Responses over https get Strict-Transport-Security, and https is enforced.",
        apply: switch!(strict_transport.enabled),
    },
    Setting {
        name: "ssl.hsts.maxAge",
        flag: "ssl-hsts-max-age",
        syntax: "duration",
        default: "15552000s",
        meaning: "How long browsers remember it.",
        apply: |settings, text| {
            settings.strict_transport.max_age = value::duration(text)?;
            Ok(())
        },
    },
    Setting {
        name: "ssl.hsts.includeSubDomains",
        flag: "ssl-hsts-include-sub-domains",
        syntax: SWITCH,
        default: "false",
        meaning: "It holds for all hosts below the one that is visited too.",
        apply: switch!(strict_transport.include_sub_domains),
    },
    Setting {
        name: "ssl.hsts.preload",
        flag: "ssl-hsts-preload",
        syntax: SWITCH,
        default: "false",
        meaning: "Browsers may come with the host on their list.",
        apply: switch!(strict_transport.preload),
    },
    Setting {
        name: "defaultWhitelist",
        flag: "default-whitelist",
        syntax: NETWORKS,
        default: "none: all clients are let in",
        meaning: "Clients that may use the apps; others get 403. An entry that cannot be read \
                  lets nobody in.",
        apply: default_whitelist,
    },
    Setting {
        name: "whitelistMode",
        flag: "whitelist-mode",
        syntax: "extend or override",
        default: "extend",
        meaning: "Whether an app's own whitelist extends this list or takes its place.",
        apply: |settings, text| {
            let modes = [("extend", ListMode::Extend), ("override", ListMode::Override)];
            settings.access.mode = value::word(text, &modes)?;
            Ok(())
        },
    },
    Setting {
        name: "enforceWhitelists",
        flag: "enforce-whitelists",
        syntax: SWITCH,
        default: "false",
        meaning: "An app that no list names clients for lets nobody in.",
        apply: switch!(access.enforce),
    },
    Setting {
        name: "bodySize",
        flag: "body-size",
        syntax: "size",
        default: "1m",
        meaning: "The largest request body, where an app sets none; 413 beyond. 0: no limit.",
        apply: |settings, text| {
            settings.body_size = value::limit(text)?;
            Ok(())
        },
    },
    Setting {
        name: "errorPages",
        flag: "error-pages",
        syntax: "namespace/name",
        default: "none: the built-in ones",
        meaning: "The ConfigMap with pages for errors and maintenance where an app has none; it has the label \
                  router.fairlead.dev/pages: \"true\".",
        apply: |settings, text| {
            settings.error_pages = Some(object_key(text, "ConfigMap")?);
            Ok(())
        },
    },
    Setting {
        name: "headerSize",
        flag: "header-size",
        syntax: "size from 1k to 64k",
        default: "64k",
        meaning: "The largest head of a request, where an app sets none; 431 beyond.",
        apply: |settings, text| {
            settings.head_size = Some(value::head_size(text)?);
            Ok(())
        },
    },
    Setting {
        name: "rateLimit",
        flag: "rate-limit",
        syntax: "number/s, /m or /h, or none",
        default: "none",
        meaning: "Requests of one client, an IPv4 address or IPv6 /64, to one app, where the app does not say; \
                  429 beyond.",
        apply: |settings, text| {
            settings.rate = value::rate(text)?;
            Ok(())
        },
    },
    Setting {
        name: "rateBurst",
        flag: "rate-burst",
        syntax: "number",
        default: "that of rateLimit",
        meaning: "How many of these may come at once.",
        apply: |settings, text| {
            settings.rate_burst = Some(value::count(text)?);
            Ok(())
        },
    },
    Setting {
        name: "concurrencyLimit",
        flag: "concurrency-limit",
        syntax: "number, 0 for none",
        default: "none",
        meaning: "Requests and WebSockets of one client to one app that may be under way; 503 beyond.",
        apply: |settings, text| {
            settings.concurrency = value::count_or_none(text)?;
            Ok(())
        },
    },
    Setting {
        name: "gzip.enabled",
        flag: "gzip-enabled",
        syntax: SWITCH,
        default: "true",
        meaning: "Responses are compressed by gzip, brotli or zstd, whichever the client likes best, where \
                  their app does not say otherwise.",
        apply: |settings, text| {
            Arc::make_mut(&mut settings.compression).enabled = value::boolean(text)?;
            Ok(())
        },
    },
    Setting {
        name: "gzip.compLevel",
        flag: "gzip-comp-level",
        syntax: "1 to 9",
        default: "5",
        meaning: "How hard to compress. Brotli and zstd take 6 at most.",
        apply: |settings, text| {
            let level = value::number(text, 1..=9)?;
            Arc::make_mut(&mut settings.compression).level =
                u32::try_from(level).expect("the number is in range");
            Ok(())
        },
    },
    Setting {
        name: "gzip.minLength",
        flag: "gzip-min-length",
        syntax: "size",
        default: "256",
        meaning: "Responses that say they are shorter are not compressed.",
        apply: |settings, text| {
            Arc::make_mut(&mut settings.compression).min_length = value::size(text)?;
            Ok(())
        },
    },
    Setting {
        name: "gzip.types",
        flag: "gzip-types",
        syntax: "list of media types, also separated by spaces",
        default: "HTML, plain text, CSS, JavaScript, JSON, XML, SVG, icons, fonts, WebAssembly",
        meaning: "What is compressed beside text/html; * for anything.",
        apply: gzip_types,
    },
    Setting {
        name: "gzip.vary",
        flag: "gzip-vary",
        syntax: "on or off",
        default: "on",
        meaning: "Vary tells caches that such responses depend on Accept-Encoding.",
        apply: |settings, text| {
            let words = [("on", true), ("off", false), ("true", true), ("false", false)];
            Arc::make_mut(&mut settings.compression).vary = value::word(text, &words)?;
            Ok(())
        },
    },
    Setting {
        name: "requestIDs",
        flag: "request-ids",
        syntax: SWITCH,
        default: "false",
        meaning: "Requests and responses get a new X-Request-Id, and X-Correlation-Id with that id \
                  appended to the one that came.",
        apply: switch!(request_ids),
    },
    Setting {
        name: "requestStartHeader",
        flag: "request-start-header",
        syntax: SWITCH,
        default: "false",
        meaning: "Requests get X-Request-Start: t= and the seconds since 1970.",
        apply: switch!(request_start),
    },
    Setting {
        name: "referrerPolicy",
        flag: "referrer-policy",
        syntax: "a value of Referrer-Policy, or none",
        default: "none",
        meaning: "Responses get Referrer-Policy with this value, where an app sets none.",
        apply: |settings, text| {
            settings.referrer_policy = ReferrerPolicy::read(text)?;
            Ok(())
        },
    },
    Setting {
        name: "defaultService",
        flag: "default-service",
        syntax: "namespace/name",
        default: "none: 404",
        meaning: "The Service that is served where no host is found.",
        apply: |settings, text| {
            settings.default_service.service = Some(object_key(text, "Service")?);
            Ok(())
        },
    },
    Setting {
        name: "defaultServiceEnabled",
        flag: "default-service-enabled",
        syntax: SWITCH,
        default: "false",
        meaning: "The address defaultServiceIP is served where no host is found.",
        apply: switch!(default_service.enabled),
    },
    Setting {
        name: "defaultServiceIP",
        flag: "default-service-ip",
        syntax: "address, or address:port",
        default: "none",
        meaning: "The address to serve, such as a Service's cluster IP; port 80 unless it is given.",
        apply: default_service_ip,
    },
    Setting {
        name: "defaultAppName",
        flag: "default-app-name",
        syntax: "name",
        default: "that of the Service, or the address",
        meaning: "The name of what is served where no host is found, in metrics and logs.",
        apply: |settings, text| {
            settings.default_service.app = Some(text.trim().into());
            Ok(())
        },
    },
    Setting {
        name: "defaultTimeout",
        flag: "default-timeout",
        syntax: "duration",
        default: "1300s",
        meaning: "Sets tcpTimeout and idleTimeout in one.",
        apply: |settings, text| {
            settings.tcp_timeout = value::duration(text)?;
            settings.idle_timeout = settings.tcp_timeout;
            Ok(())
        },
    },
    Setting {
        name: "connectTimeout",
        flag: "connect-timeout",
        syntax: "duration",
        default: "30s",
        meaning: "Limit for connecting to a pod, where its app sets none.",
        apply: |settings, text| {
            settings.connect_timeout = value::duration(text)?;
            Ok(())
        },
    },
    Setting {
        name: "tcpTimeout",
        flag: "tcp-timeout",
        syntax: "duration",
        default: "1300s",
        meaning: "Limit between two reads or writes on the way to a pod, where its app sets none.",
        apply: |settings, text| {
            settings.tcp_timeout = value::duration(text)?;
            Ok(())
        },
    },
    Setting {
        name: "idleTimeout",
        flag: "idle-timeout",
        syntax: "duration",
        default: "1300s",
        meaning: "How long a client may keep a connection open without a request; longer than the \
                  load balancer in front does.",
        apply: |settings, text| {
            settings.idle_timeout = value::duration(text)?;
            Ok(())
        },
    },
];

const STREAMED: &str = "responses are always streamed, so there are no buffers to set";
const HEADS: &str = "the head of a request may have 64 KiB, and a single field all of them";
const NO_HASH: &str = "any number of names of any length is looked up alike";
const COMPRESSION: &str =
    "every client gets the coding that it asks for in Accept-Encoding, or none";
const SESSIONS: &str = "TLS sessions are resumed by tickets alone; nothing is stored";

/// Settings of Deis Workflow and Hephy that mean nothing here.
pub const VOID: &[Void] = &[
    Void { name: "largeHeaderBuffersCount", instead: HEADS },
    Void { name: "largeHeaderBuffersSize", instead: HEADS },
    Void { name: "workerProcesses", instead: "set the number of threads with --workers" },
    Void { name: "maxWorkerConnections", instead: "set the limit with --max-connections" },
    Void { name: "trafficStatusZoneSize", instead: "metrics need no zone of memory" },
    Void { name: "serverNameHashMaxSize", instead: NO_HASH },
    Void { name: "serverNameHashBucketSize", instead: NO_HASH },
    Void { name: "errorLogLevel", instead: "choose what is told with --log" },
    Void {
        name: "logFormat",
        instead: "choose a format with --access-log; deis is Deis's default one",
    },
    Void { name: "disableServerTokens", instead: "responses never name the router" },
    Void { name: "gzip.disable", instead: COMPRESSION },
    Void { name: "gzip.httpVersion", instead: COMPRESSION },
    Void { name: "gzip.proxied", instead: COMPRESSION },
    Void { name: "ssl.sessionCache", instead: SESSIONS },
    Void { name: "ssl.sessionTimeout", instead: SESSIONS },
    Void { name: "ssl.bufferSize", instead: "TLS records are sized by what there is to send" },
    Void { name: "ssl.earlyDataMethods", instead: "early data of TLS 1.3 is never accepted" },
    Void { name: "proxyBuffers.enabled", instead: STREAMED },
    Void { name: "proxyBuffers.number", instead: STREAMED },
    Void { name: "proxyBuffers.size", instead: STREAMED },
    Void { name: "proxyBuffers.busySize", instead: STREAMED },
    Void { name: "loadModsecurityModule", instead: super::FIREWALL },
    Void { name: "loadTcellModule", instead: super::FIREWALL },
    Void { name: "globalTcellAppID", instead: super::FIREWALL },
];

fn platform_domain(settings: &mut Settings, text: &str) -> Result<(), Problem> {
    match HostPattern::parse(text.trim()) {
        Ok(HostPattern::Exact(name)) => settings.platform_domain = Some((*name).into()),
        Ok(_) => return Err(warning("write the domain without *".to_owned())),
        Err(error) => return Err(warning(error.to_string())),
    }
    Ok(())
}

fn port(text: &str) -> Result<u16, Problem> {
    let port = value::number(text, 1..=65_535)?;
    Ok(u16::try_from(port).expect("the number is in range"))
}

fn default_service_ip(settings: &mut Settings, text: &str) -> Result<(), Problem> {
    let text = text.trim();
    let address = text.parse().ok();
    let address = address.or_else(|| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 80)));
    settings.default_service.address = Some(address.ok_or_else(|| {
        warning(format!("{text:?} is not an address; write one such as 10.0.0.1 or 10.0.0.1:8080"))
    })?);
    Ok(())
}

/// nginx's list has spaces; `text/html` is always part of it.
fn gzip_types(settings: &mut Settings, text: &str) -> Result<(), Problem> {
    let entries = text.split([',', ' ', '\t']).map(str::trim).filter(|entry| !entry.is_empty());
    let is_type = |entry: &str| {
        let mut halves = entry.split('/');
        let valid = |half: &str| {
            !half.is_empty()
                && half.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b))
        };
        entry == "*"
            || halves.by_ref().take(2).filter(|half| valid(half)).count() == 2
                && halves.next().is_none()
    };
    if let Some(wrong) = entries.clone().find(|entry| !is_type(entry)) {
        return Err(warning(format!(
            "{wrong:?} is not a media type; write one such as application/json, or * for anything"
        )));
    }
    let types =
        ["text/html".into()].into_iter().chain(entries.map(|e| e.to_ascii_lowercase().into()));
    Arc::make_mut(&mut settings.compression).types = types.collect();
    Ok(())
}

fn object_key(text: &str, kind: &str) -> Result<Key, Problem> {
    match text.trim().split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok(Key::new(namespace, name))
        }
        _ => Err(warning(format!("{text:?} names no {kind}; write namespace/name"))),
    }
}

/// Some words of a list are of no use.
pub(super) fn partly(words: &[&str], why: &str) -> Result<(), Problem> {
    if words.is_empty() {
        return Ok(());
    }
    let words: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
    Err(Problem { severity: Severity::Warning, reason: format!("{} {why}", words.join(", ")) })
}

/// The value is of no use.
pub(super) fn warning(reason: String) -> Problem {
    Problem { severity: Severity::Warning, reason: format!("{reason}. The default stands") }
}

fn trusted(settings: &mut Settings, text: &str) -> Result<(), Problem> {
    let (mut networks, mut errors) = (Vec::new(), Vec::new());
    for entry in value::list(text) {
        match value::network(entry) {
            Ok(network) => networks.push(network),
            Err(error) => errors.push(error),
        }
    }
    settings.trusted = networks;
    unless(errors, "Until then this entry is not trusted")
}

fn default_whitelist(settings: &mut Settings, text: &str) -> Result<(), Problem> {
    let (list, errors) = AccessList::read(text);
    settings.access.list = Some(list);
    unless(errors, "Until then this entry lets nobody in")
}

/// Entries of a list that cannot be read are an error, with its consequence.
fn unless(errors: Vec<ValueError>, consequence: &str) -> Result<(), Problem> {
    let errors: Vec<_> = errors.iter().map(|error| format!("{error}. {consequence}")).collect();
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem { severity: Severity::Error, reason: errors.join("; ") })
}
