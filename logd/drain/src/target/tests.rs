use proptest::prelude::*;

use super::*;

fn endpoint(host: &str, port: u16) -> Endpoint {
    Endpoint { host: Host::Name(host.to_owned()), port }
}

fn syslog(host: &str, port: u16, transport: Transport) -> Syslog {
    Syslog {
        endpoint: endpoint(host, port),
        transport,
        format: Format::Rfc5424,
        framing: Framing::OctetCounting,
        facility: Facility::USER,
    }
}

fn http(host: &str, port: u16, tls: bool, path: &str) -> Http {
    Http { endpoint: endpoint(host, port), tls, path: Secret::new(path), user: None }
}

fn elasticsearch(url: &str) -> Elasticsearch {
    match Target::parse(url) {
        Ok(Target::Elasticsearch(elasticsearch)) => elasticsearch,
        other => panic!("{url}: {other:?}"),
    }
}

fn json(http: Http) -> JsonLines {
    JsonLines { http, gzip: false, sumo: Sumo::default() }
}

#[test]
fn every_scheme_is_read() {
    use Transport::{Tcp, Tls, Udp};
    for (url, target) in [
        ("syslog://logs.example.com", Target::Syslog(syslog("logs.example.com", 514, Udp))),
        ("SYSLOG://Logs:5140/", Target::Syslog(syslog("logs", 5140, Udp))),
        ("syslog+tcp://logs:601", Target::Syslog(syslog("logs", 601, Tcp))),
        (
            "syslog+tls://logs?format=rfc3164&framing=lf&facility=local7",
            Target::Syslog(Syslog {
                format: Format::Rfc3164,
                framing: Framing::Lf,
                facility: Facility::named("local7").unwrap(),
                ..syslog("logs", 6514, Tls)
            }),
        ),
        (
            "papertrail://logs7.papertrailapp.com:12345",
            Target::Syslog(syslog("logs7.papertrailapp.com", 12345, Tls)),
        ),
        (
            "gelf://graylog",
            Target::Gelf(Gelf { endpoint: endpoint("graylog", 12201), transport: Udp }),
        ),
        (
            "gelf+tcp://graylog:1",
            Target::Gelf(Gelf { endpoint: endpoint("graylog", 1), transport: Tcp }),
        ),
        (
            "gelf+tls://graylog",
            Target::Gelf(Gelf { endpoint: endpoint("graylog", 12201), transport: Tls }),
        ),
        ("http://drain", Target::Logplex(http("drain", 80, false, "/"))),
        ("https://drain/a/b?key=%20", Target::Logplex(http("drain", 443, true, "/a/b?key=%20"))),
        ("https://drain?key", Target::Logplex(http("drain", 443, true, "/?key"))),
        ("json+https://sumo/r/T==", Target::JsonLines(json(http("sumo", 443, true, "/r/T==")))),
        ("json+http://sumo", Target::JsonLines(json(http("sumo", 80, false, "/")))),
        ("otlp+http://otel", Target::Otlp(http("otel", 4318, false, "/v1/logs"))),
        ("otlp+https://otel:443/x", Target::Otlp(http("otel", 443, true, "/x"))),
        (
            "elasticsearch+https://es/behind",
            Target::Elasticsearch(Elasticsearch {
                http: http("es", 9200, true, "/behind"),
                product: Product::Elasticsearch,
                destination: Destination::PerApp,
                time_key: "@timestamp".to_owned(),
            }),
        ),
        (
            "opensearch+http://os?prefix=logstash&time-key=when",
            Target::Elasticsearch(Elasticsearch {
                http: http("os", 9200, false, "/"),
                product: Product::OpenSearch,
                destination: Destination::Dated("logstash".to_owned()),
                time_key: "when".to_owned(),
            }),
        ),
    ] {
        assert_eq!(Target::parse(url), Ok(target), "{url}");
    }
    for (query, destination) in [
        ("index=logs-2026", Destination::Index("logs-2026".to_owned())),
        ("data-stream=logs-all-prod", Destination::DataStream("logs-all-prod".to_owned())),
        (
            "index-from=kubernetes.labels.example.com/team",
            Destination::Field(Field::Label("example.com/team".to_owned())),
        ),
        ("index-from=kubernetes.namespace", Destination::Field(Field::Namespace)),
    ] {
        assert_eq!(
            elasticsearch(&format!("elasticsearch+http://es?{query}")).destination,
            destination
        );
    }
}

#[test]
fn hosts_are_names_or_addresses() {
    let host = |text: &str| {
        Target::parse(&format!("syslog://{text}:1")).map(|target| target.endpoint().host.clone())
    };
    assert_eq!(host("192.0.2.1"), Ok(Host::Address("192.0.2.1".parse().unwrap())));
    assert_eq!(host("[2001:db8::1]"), Ok(Host::Address("2001:db8::1".parse().unwrap())));
    assert_eq!(host("a.example."), Ok(Host::Name("a.example.".to_owned())));
    // What some resolvers take for an address is neither.
    for wrong in ["127.1", "2130706433", "0x7f.0.0.0x1", "[::1%lo]", "[1.2.3.4]", "a..b", "-%41"] {
        assert!(host(wrong).is_err(), "{wrong}");
    }
    assert_eq!(host(&"a".repeat(64)), Err(TargetError::Host));
}

#[test]
fn users_are_decoded() {
    let Ok(Target::Logplex(http)) = Target::parse("https://us%40er:p%3Aa%40ss@drain") else {
        panic!("well-formed")
    };
    let user = http.user.unwrap();
    assert_eq!((user.name.expose(), user.password.expose()), ("us@er", "p:a@ss"));
    assert_eq!(Target::parse("https://a%3Ab:c@drain"), Err(TargetError::UserText));
    assert_eq!(Target::parse("https://%ff@drain"), Err(TargetError::UserText));
}

#[test]
fn errors_name_the_part() {
    for (url, error) in [
        ("", TargetError::Syntax),
        ("logs.example.com", TargetError::Syntax),
        ("logs.example.com:514", TargetError::Syntax),
        ("/path", TargetError::Syntax),
        ("ftp://logs", TargetError::Scheme),
        ("tcp://logs:1", TargetError::Scheme),
        ("syslog+tcp://logs", TargetError::NoPort("syslog+tcp")),
        ("papertrail://logs7.papertrailapp.com", TargetError::NoPort("papertrail")),
        ("syslog://logs:0", TargetError::Port),
        ("syslog://logs:70000", TargetError::Port),
        ("syslog://logs:", TargetError::Port),
        ("syslog://token@logs", TargetError::User("syslog")),
        ("gelf://graylog/gelf", TargetError::Path("gelf")),
        ("https://u:p#w@drain", TargetError::Fragment),
        ("syslog://h?framing=lf&framing=lf", TargetError::Twice("framing")),
        (
            "syslog://h?framing=lf&token=1",
            TargetError::Option { nth: 2, known: "format, framing and facility" },
        ),
        ("gelf://h?x", TargetError::Option { nth: 1, known: "none" }),
        (
            "syslog://h?format=rfc5425",
            TargetError::Value { option: "format", expected: "rfc5424 or rfc3164" },
        ),
        (
            "elasticsearch+http://es?index=a&prefix=b",
            TargetError::Together("index, data-stream, prefix and index-from"),
        ),
    ] {
        assert_eq!(Target::parse(url), Err(error), "{url}");
    }
    for url in ["elasticsearch+http://es?index=Upper", "elasticsearch+http://es?time-key=t"] {
        assert!(matches!(Target::parse(url), Err(TargetError::Value { .. })), "{url}");
    }
    let long = format!("https://drain/{}", "x".repeat(4096));
    assert_eq!(Target::parse(&long), Err(TargetError::TooLong));
}

#[test]
fn what_may_be_secret_is_not_shown() {
    let show = |url| Target::parse(url).unwrap().to_string();
    assert_eq!(show("https://user:pass@drain/token?key=1"), "https://…@drain:443/…");
    assert_eq!(show("elasticsearch+https://es"), "elasticsearch+https://es:9200");
    assert_eq!(show("papertrail://[2001:db8::1]:9"), "syslog+tls://[2001:db8::1]:9");
}

proptest! {
    #[test]
    fn whatever_is_read_is_answered(url in any::<String>()) {
        let _ = Target::parse(&url);
    }

    #[test]
    fn whatever_follows_a_scheme_is_answered(
        scheme in prop::sample::select(vec!["syslog", "gelf+tls", "https", "elasticsearch+https"]),
        rest in "[ -~é]{0,60}",
    ) {
        let url = format!("{scheme}://{rest}");
        match Target::parse(&url) {
            // What is shown leads to the same place.
            Ok(target) => {
                let shown = format!("{scheme}://{}", target.endpoint());
                let again = Target::parse(&shown).unwrap();
                prop_assert_eq!(again.endpoint(), target.endpoint());
            }
            Err(error) => prop_assert!(error.to_string().len() <= 400),
        }
    }

    /// Not by what is shown of a target, and not by what is said of one that is malformed.
    #[test]
    fn no_secret_gets_out(
        scheme in prop::sample::select(vec![
            "syslog", "syslog+tcp", "papertrail", "gelf", "http", "https", "json+https", "otlp+https",
            "elasticsearch+https", "opensearch+http", "unknown",
        ]),
        user in "zQ[a-z0-9]{8}", password in "zQ[a-z0-9]{8}", path in "zQ[a-z0-9]{8}",
        query in "zQ[a-z0-9]{8}", port in any::<u16>(),
    ) {
        let at = format!("{user}:{password}@drain:{port}/{path}?{query}=1&k={query}#");
        for end in 0..=at.len() {
            let url = format!("{scheme}://{}", &at[..end]);
            let shown = match Target::parse(&url) {
                // Before the `@` has come, the user stands where the host does.
                Ok(target) if url.contains('@') => format!("{target} {target:?}"),
                Ok(_) => continue,
                Err(error) => format!("{error} {error:?}"),
            };
            prop_assert!(!shown.contains("zQ"), "{}: {}", url, shown);
        }
    }
}

#[test]
fn the_query_of_json_lines_is_the_receivers_but_for_our_options() {
    let read = |query: &str| Target::parse(&format!("json+https://in.example.com/a?{query}"));
    let at = |path: &str| json(http("in.example.com", 443, true, path));
    assert_eq!(read("key=k&b=c%20d"), Ok(Target::JsonLines(at("/a?key=k&b=c%20d"))));
    assert_eq!(
        read("sumo-name=front&key=k&gzip=true&sumo-category=a/b%20c"),
        Ok(Target::JsonLines(JsonLines {
            gzip: true,
            sumo: Sumo {
                name: Some("front".to_owned()),
                host: None,
                category: Some("a/b c".to_owned())
            },
            ..at("/a?key=k")
        }))
    );
    assert_eq!(read("gzip=true&gzip=false"), Err(TargetError::Twice("gzip")));
    for query in ["gzip=yes", "sumo-name=", "sumo-host=a%0Ab", "sumo-host=%20a", "sumo-category=ä"]
    {
        assert!(matches!(read(query), Err(TargetError::Value { .. })), "{query}");
    }
}
