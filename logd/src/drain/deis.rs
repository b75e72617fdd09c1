//! Deis's names: what its fluentd was told where to send lines by, as drains.

use std::{collections::BTreeMap, fmt::Write as _};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::PlatformDrain;

/// What stands in user, password and values of options as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Groups of names, and those of them that mean something.
const GROUPS: [(&str, &[&str]); 5] = [
    ("SYSLOG_", &["HOST", "PORT"]),
    (
        "ELASTICSEARCH_",
        &[
            "HOST",
            "SCHEME",
            "PORT",
            "USER",
            "PASSWORD",
            "LOGSTASH_FORMAT",
            "LOGSTASH_PREFIX",
            "INDEX_NAME",
            "TARGET_INDEX_KEY",
            "TIME_KEY",
        ],
    ),
    ("SUMOLOGIC_", &["COLLECTOR_URL"]),
    ("GELF_", &["HOST", "PORT", "PROTOCOL", "TLS"]),
    ("FLUENTD_", &[]),
];
/// What the cluster sets by itself, for a Service that is called so.
const OF_SERVICES: [&str; 3] = ["_SERVICE_", "_TCP", "_UDP"];

/// The drains that an environment asks for by the names of Deis, and a warning for each of these
/// names that means nothing here.
#[must_use]
pub fn drains_of_deis(
    environment: impl Iterator<Item = (String, String)>,
) -> (Vec<PlatformDrain>, Vec<String>) {
    let of_deis = |name: &str| {
        GROUPS.iter().any(|(group, _)| name.starts_with(group))
            && !OF_SERVICES.iter().any(|part| name.contains(part))
    };
    // `tcp://…` is a link to a Service, which the cluster sets by itself.
    let is_link = |value: &str| value.starts_with("tcp://") || value.starts_with("udp://");
    let set: BTreeMap<String, String> = environment
        .filter(|(name, value)| of_deis(name) && !value.is_empty() && !is_link(value))
        .collect();
    let get = |name: &str| set.get(name).map(String::as_str);
    let mut drains = Vec::new();
    let mut add = |name: &str, url: String| {
        drains.push(PlatformDrain { name: name.to_owned(), url });
    };
    for (name, host) in &set {
        let Some(number) = name.strip_prefix("SYSLOG_HOST") else { continue };
        if !number.is_empty() && !is_numbered(number) {
            continue;
        }
        let port = get(&format!("SYSLOG_PORT{number}")).unwrap_or("514");
        add(name, format!("syslog://{}:{port}?format=rfc3164", bracketed(host)));
    }
    if let Some(host) = get("ELASTICSEARCH_HOST") {
        add("ELASTICSEARCH_HOST", elasticsearch(host, get));
    }
    if let Some(url) = get("SUMOLOGIC_COLLECTOR_URL") {
        add("SUMOLOGIC_COLLECTOR_URL", format!("json+{url}"));
    }
    if let Some(host) = get("GELF_HOST") {
        let scheme = match (get("GELF_TLS").is_some_and(is_true), get("GELF_PROTOCOL")) {
            (true, _) => "gelf+tls",
            (false, Some("tcp")) => "gelf+tcp",
            (false, _) => "gelf",
        };
        let port = get("GELF_PORT").unwrap_or("12201");
        add("GELF_HOST", format!("{scheme}://{}:{port}", bracketed(host)));
    }
    let warnings = set.keys().filter(|name| !means_something(name));
    let warnings = warnings.map(|name| format!("{name} means nothing to this logd")).collect();
    (drains, warnings)
}

fn elasticsearch<'a>(host: &str, get: impl Fn(&str) -> Option<&'a str>) -> String {
    let get = |name: &str| get(&format!("ELASTICSEARCH_{name}"));
    let encoded = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let user = get("USER").map_or_else(String::new, |user| {
        format!("{}:{}@", encoded(user), encoded(get("PASSWORD").unwrap_or_default()))
    });
    let scheme = get("SCHEME").unwrap_or("http");
    let port = get("PORT").unwrap_or("9200");
    let mut url = format!("elasticsearch+{scheme}://{user}{}:{port}?", bracketed(host));
    let written = match (get("TARGET_INDEX_KEY"), get("LOGSTASH_FORMAT").is_none_or(is_true)) {
        (Some(key), _) => write!(url, "index-from={}", encoded(field(key))),
        (None, true) => {
            write!(url, "prefix={}", encoded(get("LOGSTASH_PREFIX").unwrap_or("logstash")))
        }
        (None, false) => write!(url, "index={}", encoded(get("INDEX_NAME").unwrap_or("fluentd"))),
    };
    let written = written.and_then(|()| match get("TIME_KEY") {
        Some(key) => write!(url, "&time-key={}", encoded(key)),
        None => Ok(()),
    });
    written.expect("a string grows");
    url
}

/// What fluentd's Kubernetes filter called by another name.
fn field(name: &str) -> &str {
    match name {
        "kubernetes.namespace_name" => "kubernetes.namespace",
        "kubernetes.pod_name" => "kubernetes.pod.name",
        "kubernetes.container_name" => "kubernetes.container.name",
        "kubernetes.host" => "kubernetes.node.name",
        name => name,
    }
}

fn means_something(name: &str) -> bool {
    let known = GROUPS.iter().filter_map(|(group, names)| Some((name.strip_prefix(group)?, names)));
    known.flat_map(|(name, names)| names.iter().map(move |known| (name, *known))).any(
        |(name, known)| {
            let number = name.strip_prefix(known);
            let of_syslog = matches!(known, "HOST" | "PORT");
            number.is_some_and(|rest| rest.is_empty() || of_syslog && is_numbered(rest))
        },
    )
}

fn is_numbered(rest: &str) -> bool {
    rest.strip_prefix('_').is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
    })
}

fn is_true(value: &str) -> bool {
    matches!(value, "true" | "1" | "yes")
}

/// As in a URL.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    use fairlead_drain::target::Target;

    use super::*;

    fn drains(set: &[(&str, &str)]) -> (Vec<(String, String)>, Vec<String>) {
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let (drains, warnings) = drains_of_deis(set);
        for drain in &drains {
            Target::parse(&drain.url).unwrap_or_else(|error| panic!("{}: {error}", drain.url));
        }
        (drains.into_iter().map(|drain| (drain.name, drain.url)).collect(), warnings)
    }

    fn one(set: &[(&str, &str)]) -> String {
        let (drains, warnings) = drains(set);
        assert_eq!((drains.len(), warnings), (1, vec![]), "{drains:?}");
        drains[0].1.clone()
    }

    #[test]
    fn row_38_syslog_goes_to_several_receivers_by_their_variables() {
        let (drains, warnings) = drains(&[
            ("SYSLOG_HOST", "logs.papertrailapp.com"),
            ("SYSLOG_PORT", "12345"),
            ("SYSLOG_HOST_1", "10.0.0.7"),
            ("SYSLOG_PORT_1", "1514"),
            ("SYSLOG_HOST_12", "fd00::7"),
            ("PATH", "/bin"),
        ]);
        let of = |name: &str, url: &str| (name.to_owned(), url.to_owned());
        assert_eq!(
            drains,
            [
                of("SYSLOG_HOST", "syslog://logs.papertrailapp.com:12345?format=rfc3164"),
                of("SYSLOG_HOST_1", "syslog://10.0.0.7:1514?format=rfc3164"),
                of("SYSLOG_HOST_12", "syslog://[fd00::7]:514?format=rfc3164"),
            ]
        );
        assert!(warnings.is_empty());
    }

    #[test]
    fn row_39_elasticsearch_by_its_variables() {
        let host = ("ELASTICSEARCH_HOST", "es");
        assert_eq!(one(&[host]), "elasticsearch+http://es:9200?prefix=logstash");
        assert_eq!(
            one(&[
                host,
                ("ELASTICSEARCH_SCHEME", "https"),
                ("ELASTICSEARCH_PORT", "443"),
                ("ELASTICSEARCH_USER", "a@b"),
                ("ELASTICSEARCH_PASSWORD", "p:/?#%"),
                ("ELASTICSEARCH_LOGSTASH_PREFIX", "deis"),
                ("ELASTICSEARCH_TIME_KEY", "time"),
            ]),
            "elasticsearch+https://a%40b:p%3A%2F%3F%23%25@es:443?prefix=deis&time-key=time"
        );
        let fixed = [("ELASTICSEARCH_LOGSTASH_FORMAT", "false"), ("ELASTICSEARCH_INDEX_NAME", "x")];
        assert_eq!(one(&[host, fixed[0], fixed[1]]), "elasticsearch+http://es:9200?index=x");
        assert_eq!(one(&[host, fixed[0]]), "elasticsearch+http://es:9200?index=fluentd");
        assert_eq!(
            one(&[host, ("ELASTICSEARCH_TARGET_INDEX_KEY", "kubernetes.namespace_name")]),
            "elasticsearch+http://es:9200?index-from=kubernetes.namespace"
        );
    }

    #[test]
    fn row_40_sumo_logic_and_gelf_by_their_variables() {
        let collector = "https://collectors.sumologic.com/receiver/v1/http/abc==";
        assert_eq!(one(&[("SUMOLOGIC_COLLECTOR_URL", collector)]), format!("json+{collector}"));
        let host = ("GELF_HOST", "graylog");
        assert_eq!(one(&[host]), "gelf://graylog:12201");
        assert_eq!(
            one(&[host, ("GELF_PROTOCOL", "tcp"), ("GELF_PORT", "1")]),
            "gelf+tcp://graylog:1"
        );
        assert_eq!(one(&[host, ("GELF_TLS", "true")]), "gelf+tls://graylog:12201");
        assert_eq!(one(&[host, ("GELF_PROTOCOL", "udp")]), "gelf://graylog:12201");
    }

    #[test]
    fn names_that_mean_nothing_are_told_and_those_of_services_are_not_meant() {
        let (drains, warnings) = drains(&[
            ("ELASTICSEARCH_HOST", "es"),
            ("ELASTICSEARCH_PORT", "tcp://10.0.0.1:9200"),
            ("ELASTICSEARCH_PORT_9200_TCP", "tcp://10.0.0.1:9200"),
            ("ELASTICSEARCH_PORT_9200_TCP_ADDR", "10.0.0.1"),
            ("ELASTICSEARCH_SERVICE_HOST", "10.0.0.1"),
            ("ELASTICSEARCH_INCLUDE_TAG_KEY", "true"),
            ("FLUENTD_FLUSH_INTERVAL", "10s"),
            ("GELF_TLS_OPTIONS_CERT", "/cert"),
            ("SYSLOG_HOST", ""),
        ]);
        assert_eq!(drains[0].1, "elasticsearch+http://es:9200?prefix=logstash");
        assert_eq!(
            warnings,
            [
                "ELASTICSEARCH_INCLUDE_TAG_KEY means nothing to this logd",
                "FLUENTD_FLUSH_INTERVAL means nothing to this logd",
                "GELF_TLS_OPTIONS_CERT means nothing to this logd"
            ]
        );
    }
}
