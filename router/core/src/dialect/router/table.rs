//! The settings: a row each.

use std::sync::Arc;

use super::{
    setting::{SWITCH, Setting},
    tls,
    values::{self, strictly},
};
use crate::{
    dialect::value,
    policy::{ListMode, Rate, ReferrerPolicy},
};

/// Sets a field of [`Settings`] to what a function reads of the text.
macro_rules! set {
    ($($field:ident).+ = Some($($read:ident)::+)) => {
        |settings, text| {
            settings.$($field).+ = Some($($read)::+(text)?);
            Ok(())
        }
    };
    ($($field:ident).+ = $($read:ident)::+) => {
        |settings, text| {
            settings.$($field).+ = $($read)::+(text)?;
            Ok(())
        }
    };
}

const NETWORKS: &str = "list of IPv4 or IPv6 addresses and networks";

/// Every setting.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "platformDomain",
        flag: "platform-domain",
        syntax: "domain",
        default: "none",
        meaning: "Domain below which names without a dot are served.",
        apply: values::platform_domain,
    },
    Setting {
        name: "matchAnySuffix",
        flag: "match-any-suffix",
        syntax: SWITCH,
        default: "false",
        meaning: "Without a platform domain, a name without a dot, such as web, is served at web. \
                  and anything, as on Deis Workflow.",
        apply: set!(match_any_suffix = value::boolean),
    },
    Setting {
        name: "enableRegexDomains",
        flag: "enable-regex-domains",
        syntax: SWITCH,
        default: "false",
        meaning: "Apps may name hosts by regular expressions (regexDomain).",
        apply: set!(regex_domains = value::boolean),
    },
    Setting {
        name: "proxyRealIpCidrs",
        flag: "trusted-cidrs",
        syntax: NETWORKS,
        default: "none",
        meaning: "Proxies in front whose X-Forwarded-* headers are believed.",
        apply: values::trusted,
    },
    Setting {
        name: "useProxyProtocol",
        flag: "use-proxy-protocol",
        syntax: SWITCH,
        default: "false",
        meaning: "The proxies in proxyRealIpCidrs tell who their clients are by the PROXY protocol, \
                  version 1 or 2, on every port but that of the admin endpoints.",
        apply: set!(proxy_protocol = value::boolean),
    },
    Setting {
        name: "publicHttpPort",
        flag: "public-http-port",
        syntax: "port",
        default: "80",
        meaning: "Port under which clients reach HTTP; apps are told in X-Forwarded-Port.",
        apply: set!(public_http_port = values::port),
    },
    Setting {
        name: "publicHttpsPort",
        flag: "public-https-port",
        syntax: "port",
        default: "443",
        meaning: "Port under which clients reach HTTPS; https redirects name it, and apps are told \
                  in X-Forwarded-Port.",
        apply: set!(public_https_port = values::port),
    },
    Setting {
        name: "ssl.enforce",
        flag: "ssl-enforce",
        syntax: SWITCH,
        default: "false",
        meaning: "Every app answers http requests with 301 to the same URL under https.",
        apply: set!(enforce_https = value::boolean),
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
        apply: set!(tls.tickets = value::boolean),
    },
    Setting {
        name: "http2Enabled",
        flag: "http2-enabled",
        syntax: SWITCH,
        default: "true",
        meaning: "HTTP/2 is offered over TLS, and understood in the clear.",
        apply: set!(tls.http2 = value::boolean),
    },
    Setting {
        name: "ssl.hsts.enabled",
        flag: "ssl-hsts-enabled",
        syntax: SWITCH,
        default: "false",
        meaning: "Responses over https get Strict-Transport-Security, and https is enforced.",
        apply: set!(strict_transport.enabled = value::boolean),
    },
    Setting {
        name: "ssl.hsts.maxAge",
        flag: "ssl-hsts-max-age",
        syntax: "duration",
        default: "15552000s",
        meaning: "How long browsers remember it.",
        apply: set!(strict_transport.max_age = values::max_age),
    },
    Setting {
        name: "ssl.hsts.includeSubDomains",
        flag: "ssl-hsts-include-sub-domains",
        syntax: SWITCH,
        default: "false",
        meaning: "It holds for all hosts below the one that is visited too.",
        apply: set!(strict_transport.include_sub_domains = value::boolean),
    },
    Setting {
        name: "ssl.hsts.preload",
        flag: "ssl-hsts-preload",
        syntax: SWITCH,
        default: "false",
        meaning: "Browsers may come with the host on their list.",
        apply: set!(strict_transport.preload = value::boolean),
    },
    Setting {
        name: "defaultWhitelist",
        flag: "default-whitelist",
        syntax: NETWORKS,
        default: "none: all clients are let in",
        meaning: "Clients that may use the apps; others get 403. An entry that cannot be read \
                  lets nobody in.",
        apply: values::default_whitelist,
    },
    Setting {
        name: "whitelistMode",
        flag: "whitelist-mode",
        syntax: "extend or override",
        default: "extend",
        meaning: "Whether an app's own whitelist extends this list or takes its place.",
        apply: |settings, text| {
            let modes = [("extend", ListMode::Extend), ("override", ListMode::Override)];
            strictly(&mut settings.access.mode, value::word(text, &modes), ListMode::Override)
        },
    },
    Setting {
        name: "enforceWhitelists",
        flag: "enforce-whitelists",
        syntax: SWITCH,
        default: "false",
        meaning: "An app that no list names clients for lets nobody in.",
        apply: |settings, text| strictly(&mut settings.access.enforce, value::boolean(text), true),
    },
    Setting {
        name: "bodySize",
        flag: "body-size",
        syntax: "size",
        default: "1m",
        meaning: "The largest request body, where an app sets none; 413 beyond. 0: no limit.",
        apply: set!(body_size = value::limit),
    },
    Setting {
        name: "errorPages",
        flag: "error-pages",
        syntax: "namespace/name",
        default: "none: the built-in ones",
        meaning: "The ConfigMap with pages for errors and maintenance where an app has none; it has the label \
                  router.fairlead.dev/pages: \"true\".",
        apply: |settings, text| {
            settings.error_pages = Some(values::object_key(text, "ConfigMap")?);
            Ok(())
        },
    },
    Setting {
        name: "headerSize",
        flag: "header-size",
        syntax: "size from 1k to 64k",
        default: "64k",
        meaning: "The largest head of a request, where an app sets none; 431 beyond.",
        apply: set!(head_size = Some(value::head_size)),
    },
    Setting {
        name: "rateLimit",
        flag: "rate-limit",
        syntax: "number/s, /m or /h, or none",
        default: "none",
        meaning: "Requests of one client, an IPv4 address or IPv6 /64, to one app, where the app does not say; \
                  429 beyond.",
        apply: |settings, text| {
            strictly(&mut settings.rate, value::rate(text), Some(Rate::STRICTEST))
        },
    },
    Setting {
        name: "rateBurst",
        flag: "rate-burst",
        syntax: "number",
        default: "that of rateLimit",
        meaning: "How many of these may come at once.",
        apply: |settings, text| {
            strictly(&mut settings.rate_burst, value::count(text).map(Some), Some(1))
        },
    },
    Setting {
        name: "concurrencyLimit",
        flag: "concurrency-limit",
        syntax: "number, 0 for none",
        default: "none",
        meaning: "Requests and WebSockets of one client to one app that may be under way; 503 beyond.",
        apply: |settings, text| {
            strictly(&mut settings.concurrency, value::count_or_none(text), Some(1))
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
        meaning: "How hard to compress. Brotli and zstd take 4 at most.",
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
        apply: values::gzip_types,
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
        apply: set!(request_ids = value::boolean),
    },
    Setting {
        name: "requestStartHeader",
        flag: "request-start-header",
        syntax: SWITCH,
        default: "false",
        meaning: "Requests get X-Request-Start: t= and the seconds since 1970.",
        apply: set!(request_start = value::boolean),
    },
    Setting {
        name: "referrerPolicy",
        flag: "referrer-policy",
        syntax: "a value of Referrer-Policy, or none",
        default: "none",
        meaning: "Responses get Referrer-Policy with this value, where an app sets none.",
        apply: set!(referrer_policy = ReferrerPolicy::read),
    },
    Setting {
        name: "defaultService",
        flag: "default-service",
        syntax: "namespace/name",
        default: "none: 404",
        meaning: "The Service that is served where no host is found.",
        apply: |settings, text| {
            settings.default_service.service = Some(values::object_key(text, "Service")?);
            Ok(())
        },
    },
    Setting {
        name: "defaultServiceEnabled",
        flag: "default-service-enabled",
        syntax: SWITCH,
        default: "false",
        meaning: "The address defaultServiceIP is served where no host is found.",
        apply: set!(default_service.enabled = value::boolean),
    },
    Setting {
        name: "defaultServiceIP",
        flag: "default-service-ip",
        syntax: "address, or address:port",
        default: "none",
        meaning: "The address to serve, such as a Service's cluster IP; port 80 unless it is given.",
        apply: values::default_service_ip,
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
        apply: set!(connect_timeout = value::duration),
    },
    Setting {
        name: "tcpTimeout",
        flag: "tcp-timeout",
        syntax: "duration",
        default: "1300s",
        meaning: "Limit between two reads or writes on the way to a pod, where its app sets none.",
        apply: set!(tcp_timeout = value::duration),
    },
    Setting {
        name: "idleTimeout",
        flag: "idle-timeout",
        syntax: "duration",
        default: "1300s",
        meaning: "How long a client may keep a connection open without a request; longer than the \
                  load balancer in front does.",
        apply: set!(idle_timeout = value::duration),
    },
];
