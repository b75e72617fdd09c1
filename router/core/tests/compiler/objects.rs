//! What the compiler makes of Services, EndpointSlices and Secrets.

use std::sync::Arc;

use crate::support::*;
use fairlead_router_core::{
    Change, Compiler, Key, Settings, Severity, dialect::router::SETTINGS, object::Kind,
};

#[test]
fn a_routable_service_with_domains_is_served() {
    let web = service("web", &[(DOMAINS, "Web.example, *.example.org")]);
    let (compiler, table) =
        compiled([set_service(web), set_slice(slice("web-1", "web", &["10.0.0.2", "10.0.0.1"]))]);
    assert_eq!(
        summary(&table),
        [
            "web.example -> shop/web [10.0.0.1:8080 10.0.0.2:8080]",
            "*.example.org -> shop/web [10.0.0.1:8080 10.0.0.2:8080]",
        ]
    );
    assert_eq!(reasons(&compiler), [""; 0]);
    assert!(table.host("web.example").is_some());
    assert!(table.host("a.b.example.org").is_some());
    assert!(table.host("example.org").is_none());
    assert!(table.host("other.example").is_none());
}

#[test]
fn exact_beats_wildcard_and_a_longer_suffix_a_shorter_one() {
    let (_, table) = compiled([
        set_service(service("exact", &[(DOMAINS, "a.b.example")])),
        set_service(service("deep", &[(DOMAINS, "*.b.example")])),
        set_service(service("wide", &[(DOMAINS, "*.example")])),
    ]);
    let owner = |name| table.host(name).unwrap().route("/x").unwrap().origin.key.name.to_string();
    assert_eq!(owner("a.b.example"), "exact");
    assert_eq!(owner("z.b.example"), "deep");
    assert_eq!(owner("z.example"), "wide");
}

#[test]
fn without_label_or_domains_nothing_is_served() {
    let mut unlabelled = service("unlabelled", &[(DOMAINS, "a.example")]);
    unlabelled.labels.clear();
    let (compiler, table) =
        compiled([set_service(unlabelled), set_service(service("nameless", &[]))]);
    assert!(table.is_empty());
    assert_eq!(reasons(&compiler), [""; 0]);
}

#[test]
fn the_own_prefix_wins_over_the_one_of_deis() {
    let web =
        service("web", &[(DOMAINS, "old.example"), ("router.fairlead.dev/domains", "new.example")]);
    assert_eq!(summary(&compiled([set_service(web)]).1), ["new.example -> shop/web []"]);
}

#[test]
fn the_oldest_claim_gets_the_host_and_the_other_is_told() {
    let mut young = service("a-young", &[(DOMAINS, "web.example, young.example")]);
    young.created = 2;
    let mut old = service("b-old", &[(DOMAINS, "web.example")]);
    old.created = 1;
    let (mut compiler, table) = compiled([set_service(young), set_service(old.clone())]);
    assert_eq!(
        summary(&table),
        ["web.example -> shop/b-old []", "young.example -> shop/a-young []"]
    );
    assert_eq!(
        reasons(&compiler),
        [
            "Service shop/a-young: metadata.annotations[domains]: web.example is served by Service shop/b-old, \
          which claimed it first; remove it from one of them"
        ]
    );
    compiler.apply(Change::Service(old.key, None));
    let table = compiler.publish().unwrap().table;
    assert_eq!(
        summary(&table),
        ["web.example -> shop/a-young []", "young.example -> shop/a-young []"]
    );
    assert_eq!(reasons(&compiler), [""; 0]);
}

#[test]
fn endpoints_change_without_a_new_table() {
    let (mut compiler, table) =
        compiled([set_service(service("web", &[(DOMAINS, "web.example")]))]);
    assert_eq!(summary(&table), ["web.example -> shop/web []"]);
    compiler.apply(set_slice(slice("web-1", "web", &["10.0.0.1"])));
    compiler.apply(set_slice(slice("web-2", "web", &["10.0.0.2"])));
    assert!(!compiler.is_dirty() && compiler.publish().is_none());
    assert_eq!(summary(&table), ["web.example -> shop/web [10.0.0.1:8080 10.0.0.2:8080]"]);
    compiler.apply(Change::EndpointSlice(Key::new("shop", "web-1"), None));
    assert_eq!(summary(&table), ["web.example -> shop/web [10.0.0.2:8080]"]);
    // A slice may move to another Service.
    compiler.apply(set_slice(slice("web-2", "other", &["10.0.0.2"])));
    assert_eq!(summary(&table), ["web.example -> shop/web []"]);
}

#[test]
fn an_edit_of_a_setting_keeps_endpoints_and_counters() {
    let web = |annotations: &[_]| set_service(service("web", annotations));
    let (mut compiler, before) = compiled([
        web(&[(DOMAINS, "web.example")]),
        set_slice(slice("web-1", "web", &["10.0.0.1"])),
    ]);
    compiler.apply(web(&[(DOMAINS, "web.example"), ("router.deis.io/maintenance", "true")]));
    let after = compiler.publish().unwrap().table;
    let rule = |table: &fairlead_router_core::Table| {
        table.host("web.example").unwrap().route("/").unwrap().clone()
    };
    assert!(Arc::ptr_eq(&rule(&before).app, &rule(&after).app));
    assert!(Arc::ptr_eq(&rule(&before).backend, &rule(&after).backend));
    // The same object again changes nothing.
    compiler.apply(web(&[(DOMAINS, "web.example"), ("router.deis.io/maintenance", "true")]));
    assert!(!compiler.is_dirty());
}

#[test]
fn only_touched_hosts_are_compiled() {
    let apps = (0..1000).map(|i| {
        set_service(service(&format!("app-{i}"), &[(DOMAINS, &format!("app-{i}.example"))]))
    });
    let (mut compiler, _) = compiled(apps);
    compiler.apply(set_service(service("app-7", &[(DOMAINS, "app-7.example, more.example")])));
    assert_eq!(compiler.publish().unwrap().compiled, 2);
}

#[test]
fn the_port_is_80_or_the_only_one_or_the_one_named_http() {
    let with = |ports: &[(&str, u16)]| {
        let mut web = service("web", &[(DOMAINS, "web.example")]);
        web.ports = ports
            .iter()
            .map(|&(name, port)| fairlead_router_core::object::ServicePort::new(name, port))
            .collect();
        let (compiler, table) = compiled([set_service(web)]);
        summary(&table).pop().unwrap_or_else(|| reasons(&compiler).pop().unwrap())
    };
    assert_eq!(with(&[("http", 8000), ("main", 80)]), "web.example -> shop/web:main []");
    assert_eq!(with(&[("any", 5000)]), "web.example -> shop/web:any []");
    assert_eq!(with(&[("metrics", 9000), ("http", 8000)]), "web.example -> shop/web:http []");
    let unclear = "Service shop/web: spec.ports: which port to send requests to is not clear; \
                   have a port 80, a single TCP port, or one named http";
    assert_eq!(with(&[("a", 1), ("b", 2)]), unclear);
    assert_eq!(with(&[]), unclear);
}

#[test]
fn an_external_name_is_refused() {
    let mut web = service("web", &[(DOMAINS, "web.example")]);
    web.external_name = Some("169.254.169.254".into());
    let (compiler, table) = compiled([set_service(web)]);
    assert!(table.is_empty());
    assert_eq!(
        reasons(&compiler),
        [
            "Service shop/web: spec.type: a Service of type ExternalName is not served: its name could lead anywhere"
        ]
    );
}

#[test]
fn a_dotless_name_needs_a_platform_domain() {
    let web = set_service(service("web", &[(DOMAINS, "web")]));
    let (compiler, table) = compiled([web.clone()]);
    assert!(table.is_empty());
    assert_eq!(
        reasons(&compiler),
        [
            "Service shop/web: metadata.annotations[domains]: \"web\" has no dot and the router has no \
          platform domain; write the full name, or start the router with --platform-domain"
        ]
    );
    let settings = Settings { platform_domain: Some("apps.example".into()), ..Settings::default() };
    let mut compiler = Compiler::new(Arc::new(settings));
    compiler.apply(web);
    assert_eq!(summary(&compiler.publish().unwrap().table), ["web.apps.example -> shop/web []"]);
}

#[test]
fn bad_values_cost_only_themselves() {
    let web = service(
        "web",
        &[
            (DOMAINS, "good.example, bad domain"),
            ("router.deis.io/connectTimeout", "soon"),
            ("router.deis.io/tcpTimeout", "7s"),
            ("router.deis.io/whitelist", "10.0.0.0/8, nonsense"),
            ("router.deis.io/gzip", "on"),
        ],
    );
    let (compiler, table) = compiled([set_service(web)]);
    let route = fairlead_router_core::view::routes(&table).pop().unwrap();
    assert_eq!((route.connect_timeout_ms, route.tcp_timeout_ms), (30_000, 7_000));
    assert_eq!(route.policies, ["access-list [10.0.0.0/8]", "require-endpoint"]);
    let at = "Service shop/web: metadata.annotations[router.deis.io";
    assert_eq!(
        reasons(&compiler),
        [
            format!(
                "{at}/connectTimeout]: \"soon\" is not a duration; write a whole number with ms, s, m, h, d, w, M or \
                 y, such as 30s, of at most 10 years. The default stands"
            ),
            format!(
                "{at}/domains]: \"bad domain\" is not a host name; write a name such as web.example.org or \
                     *.example.org"
            ),
            format!("{at}/gzip]: this annotation is not known and does nothing"),
            format!(
                "{at}/whitelist]: \"nonsense\" is not an IP address or network; write one such as 192.0.2.1, \
                 10.0.0.0/8 or 2001:db8::/32. Until then this entry lets nobody in"
            ),
        ]
    );
}

#[test]
fn an_unreadable_access_list_denies_everyone() {
    let web = service("web", &[(DOMAINS, "web.example"), ("router.deis.io/whitelist", "nonsense")]);
    let (_, table) = compiled([set_service(web)]);
    let route = fairlead_router_core::view::routes(&table).pop().unwrap();
    assert_eq!(route.policies, ["access-list []", "require-endpoint"]);
}

#[test]
fn an_unreadable_limit_on_clients_is_the_strictest() {
    let limits = [("rateLimit", "ten a second"), ("rateBurst", "some"), ("concurrencyLimit", "-1")];
    for (name, text) in limits {
        let annotation = format!("router.fairlead.dev/{name}");
        let web = [(DOMAINS, "web.example"), (annotation.as_str(), text)];
        let (compiler, table) = compiled([set_service(service("web", &web))]);
        let told = &compiler.diagnostics()[0];
        assert_eq!((told.severity, compiler.diagnostics().len()), (Severity::Error, 1));
        assert!(told.reason.ends_with(". Until then the strictest value holds"), "{told}");
        let rule = table.host("web.example").unwrap().route("/").unwrap();
        let policies: Vec<_> = rule.policies.iter().map(ToString::to_string).collect();
        let limited = policies.contains(&"rate-limit every 1s burst 1".to_owned());
        assert_eq!(
            (limited, rule.concurrency),
            match name {
                "rateLimit" => (true, None),
                "concurrencyLimit" => (false, Some(1)),
                _ => (false, None),
            }
        );
        // As a setting of the router the same holds for all apps.
        let mut settings = Settings::default();
        let setting = SETTINGS.iter().find(|setting| setting.name == name).unwrap();
        assert_eq!(setting.set(&mut settings, text).unwrap_err().severity, Severity::Error);
        let rate = settings.rate.map(|rate| rate.limit(None).to_string());
        let expected = match name {
            "rateLimit" => (Some("rate-limit every 1s burst 1".to_owned()), None, None),
            "rateBurst" => (None, Some(1), None),
            _ => (None, None, Some(1)),
        };
        assert_eq!((rate, settings.rate_burst, settings.concurrency), expected);
    }
}

#[test]
fn an_unreadable_limit_of_the_router_leaves_the_one_in_force_and_is_the_strictest_where_there_is_none()
 {
    let object = Key::new("deis", "deis-router").of(Kind::Deployment);
    let set = |rate: &str, burst: &str, most: &str| {
        let values = [("rateLimit", rate), ("rateBurst", burst), ("concurrencyLimit", most)];
        let annotation = |(name, value): (&str, &str)| {
            (format!("router.fairlead.dev/{name}").into(), value.into())
        };
        Change::Settings(object.clone(), Some(values.map(annotation).into()))
    };
    let limits = |compiler: &mut Compiler| {
        let settings = compiler.publish().unwrap().table.settings.clone();
        let rate = settings.rate.map(|rate| rate.limit(settings.rate_burst).to_string());
        (rate.unwrap(), settings.concurrency)
    };
    let mut compiler = Compiler::new(Settings::default().into());
    compiler.apply(set("ten", "few", "-1"));
    let strictest = ("rate-limit every 1s burst 1".to_owned(), Some(1));
    assert_eq!(limits(&mut compiler), strictest);
    compiler.apply(set("100/s", "20", "30"));
    let good = ("rate-limit every 10ms burst 20".to_owned(), Some(30));
    assert_eq!(limits(&mut compiler), good);
    compiler.apply(set("100 per s", "some", "-1"));
    let told = compiler.diagnostics();
    assert_eq!(told.len(), 3);
    for told in told {
        assert_eq!(told.severity, Severity::Error);
        assert!(told.reason.ends_with(". Until then the value in force stays"), "{told}");
    }
    // The same table as before is none to publish.
    assert!(compiler.publish().is_none());
    compiler.apply(set("100 per s", "some", "40"));
    assert_eq!(limits(&mut compiler), (good.0, Some(40)));
}

#[test]
fn a_certificate_comes_and_goes_with_its_secret() {
    let (certificate, key) = pair("web.example");
    let web = service(
        "web",
        &[(DOMAINS, "web.example, plain.example"), (CERTIFICATES, "web.example:web")],
    );
    let (mut compiler, table) = compiled([set_service(web)]);
    assert!(table.host("web.example").unwrap().certificate.is_none());
    assert!(compiler.references(&Key::new("shop", "web-cert")));
    assert_eq!(
        reasons(&compiler),
        [
            "Service shop/web: metadata.annotations[certificates]: Secret shop/web-cert does not exist; until it does, \
          web.example is not served over TLS"
        ]
    );
    compiler.apply(set_secret(secret("web-cert", &certificate, &key)));
    let publication = compiler.publish().unwrap();
    assert_eq!(publication.compiled, 1, "only the host that names the Secret");
    assert!(publication.table.host("web.example").unwrap().certificate.is_some());
    assert!(publication.table.host("plain.example").unwrap().certificate.is_none());
    assert_eq!(reasons(&compiler), [""; 0]);

    compiler.apply(set_secret(secret("web-cert", &certificate, "garbage")));
    let publication = compiler.publish().unwrap();
    assert!(
        publication.table.host("web.example").unwrap().certificate.is_some(),
        "the last good one stays"
    );
    assert_eq!(
        publication.appeared.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "Secret shop/web-cert: data[tls.key]: data[tls.key] holds no readable private key in PEM form. The last good \
          certificate stays in use"
        ]
    );

    compiler.apply(Change::Secret(Key::new("shop", "web-cert"), None));
    assert!(compiler.publish().unwrap().table.host("web.example").unwrap().certificate.is_none());
}

#[test]
fn a_fault_in_one_app_leaves_the_other_alone_in_the_same_pass() {
    let mut broken = slice("a-1", "a", &["10.0.0.1", "not-an-address"]);
    broken.ports.push(("extra".into(), Some(70_000)));
    let (mut compiler, _) = compiled([
        set_service(service("a", &[(DOMAINS, "a.example"), (CERTIFICATES, "a.example:a")])),
        set_service(service("b", &[(DOMAINS, "b.example")])),
    ]);
    compiler.apply(set_service(service(
        "a",
        &[(DOMAINS, "..,a.example"), (CERTIFICATES, "a.example:a")],
    )));
    compiler.apply(set_secret(secret("a-cert", "x", "y")));
    compiler.apply(set_slice(broken));
    compiler.apply(set_service(service("b", &[(DOMAINS, "b.example, new-b.example")])));
    let table = compiler.publish().unwrap().table;
    assert_eq!(
        summary(&table),
        [
            "a.example -> shop/a [10.0.0.1:8080]",
            "b.example -> shop/b []",
            "new-b.example -> shop/b []"
        ]
    );
    assert_eq!(
        reasons(&compiler),
        [
            "Service shop/a: metadata.annotations[router.deis.io/domains]: \"..\" is not a host name; write a \
             name such as web.example.org or *.example.org",
            "EndpointSlice shop/a-1: endpoints[1].addresses[0]: \"not-an-address\" is not an IP address; requests \
             are not sent to it",
            "EndpointSlice shop/a-1: ports[1].port: 70000 is not a port; a port is 1 to 65535",
            "Secret shop/a-cert: data[tls.crt]: data[tls.crt] holds no readable certificate in PEM form. Hosts that \
             name it are not served over TLS",
        ]
    );
}

#[test]
fn what_pods_speak_is_told_by_annotation_or_port_and_never_guessed() {
    let with = |annotations: &[(&str, &str)], app_protocol: Option<&str>| {
        let all = [&[(DOMAINS, "web.example")], annotations].concat();
        let mut web = service("web", &all);
        web.ports[0].app_protocol = app_protocol.map(Into::into);
        let (compiler, table) = compiled([set_service(web)]);
        let route = fairlead_router_core::view::routes(&table).pop();
        (route.map(|route| route.upstream), reasons(&compiler))
    };
    const PROTOCOL: &str = "router.fairlead.dev/upstreamProtocol";
    let speaks = |text: &str| Some(Some(text.to_owned()));
    for (annotations, app_protocol, expected) in [
        (&[][..], None, Some(None)),
        (&[], Some("http"), Some(None)),
        (&[], Some("kubernetes.io/ws"), Some(None)),
        (&[], Some("kubernetes.io/h2c"), speaks("HTTP/2")),
        (&[], Some("grpc"), speaks("HTTP/2")),
        (&[(PROTOCOL, "http")], Some("grpc"), Some(None)),
        (&[(PROTOCOL, "grpc")], None, speaks("HTTP/2")),
        (&[(PROTOCOL, "h2c")], Some("http"), speaks("HTTP/2")),
    ] {
        assert_eq!(
            with(annotations, app_protocol),
            (expected, vec![]),
            "{annotations:?} {app_protocol:?}"
        );
    }
    let unverified = "the pods' certificates cannot be verified; name the Secret or ConfigMap with their \
                      authorities in upstreamCA; until then the Service is not served";
    let at = "Service shop/web:";
    for (annotations, app_protocol, field, reason) in [
        (&[(PROTOCOL, "https")][..], None, "metadata.annotations[upstreamProtocol]", unverified),
        (&[(PROTOCOL, "grpcs")], None, "metadata.annotations[upstreamProtocol]", unverified),
        (&[], Some("https"), "spec.ports", unverified),
        (
            &[(PROTOCOL, "tls")],
            None,
            "metadata.annotations[router.fairlead.dev/upstreamProtocol]",
            "\"tls\" is none of http, h2c, grpc, https, grpcs; until then the Service is not served",
        ),
        (
            &[("router.fairlead.dev/upstreamServerName", "")],
            None,
            "metadata.annotations[router.fairlead.dev/upstreamServerName]",
            "\"\" is not a host name; until then the Service is not served",
        ),
    ] {
        let expected = (None, vec![format!("{at} {field}: {reason}")]);
        assert_eq!(with(annotations, app_protocol), expected);
    }
}

#[test]
fn without_their_authorities_pods_are_not_believed() {
    let web = service(
        "web",
        &[
            (DOMAINS, "web.example"),
            ("router.fairlead.dev/upstreamProtocol", "https"),
            ("router.fairlead.dev/upstreamCA", "ca"),
        ],
    );
    let authorities = |table: &fairlead_router_core::Table| {
        let rule = table.host("web.example").unwrap().route("/").unwrap().clone();
        let tls = rule.upstream.as_ref().unwrap().tls.as_ref().unwrap();
        (tls.server_name.to_string(), tls.authorities.len())
    };
    let (mut compiler, table) = compiled([set_service(web)]);
    assert_eq!(authorities(&table), ("web.shop.svc".to_owned(), 0));
    assert!(compiler.references(&Key::new("shop", "ca")));
    assert_eq!(
        reasons(&compiler),
        [
            "Service shop/web: metadata.annotations[upstreamCA]: Secret shop/ca does not exist. Until then the pods of \
             Service shop/web get no requests"
        ]
    );
    let (certificate, key) = pair("ca.example");
    let mut ca = secret("ca", &certificate, &key);
    compiler.apply(set_secret(ca.clone()));
    compiler.publish().unwrap();
    assert_eq!(
        reasons(&compiler),
        [
            "Secret shop/ca: data[ca.crt]: there is no ca.crt; add the certificates that those of endpoints are \
             signed by. Until then the pods of Service shop/web get no requests"
        ]
    );
    ca.authorities = Some(certificate.into());
    compiler.apply(set_secret(ca));
    let table = compiler.publish().unwrap().table;
    assert_eq!(authorities(&table), ("web.shop.svc".to_owned(), 1));
    assert_eq!(reasons(&compiler), [""; 0]);
}

#[test]
fn authorities_may_be_in_a_config_map() {
    let named = |text| {
        let annotations = [
            (DOMAINS, "web.example"),
            ("router.fairlead.dev/upstreamProtocol", "https"),
            ("router.fairlead.dev/upstreamCA", text),
        ];
        set_service(service("web", &annotations))
    };
    let authorities = |table: &fairlead_router_core::Table| {
        let rule = table.host("web.example").unwrap().route("/").unwrap().clone();
        rule.upstream.as_ref().unwrap().tls.as_ref().unwrap().authorities.len()
    };
    let key = || Key::new("shop", "ca");
    let (mut compiler, table) = compiled([named("configmap/ca")]);
    assert_eq!(authorities(&table), 0);
    assert!(!compiler.references(&key()), "there is no Secret of this name");
    let at = "Service shop/web: metadata.annotations[upstreamCA]";
    let until = "Until then the pods of Service shop/web get no requests";
    let absent = format!(
        "{at}: ConfigMap shop/ca does not exist, or has not the label router.fairlead.dev/authorities: \"true\". \
         {until}"
    );
    assert_eq!(reasons(&compiler), std::slice::from_ref(&absent));
    // A Secret of the same name is another object.
    let (certificate, private) = pair("ca.example");
    let mut secret = secret("ca", &certificate, &private);
    secret.authorities = Some(certificate.clone().into());
    compiler.apply(set_secret(secret));
    assert!(!compiler.is_dirty());

    let entries = |name: &str| [(name.into(), certificate.clone().into())].into();
    compiler.apply(Change::Authorities(key(), Some(entries("other"))));
    assert_eq!(authorities(&compiler.publish().unwrap().table), 0);
    let missing = "there is no ca.crt; add the certificates that those of endpoints are signed by";
    assert_eq!(
        reasons(&compiler),
        [format!("ConfigMap shop/ca: data[ca.crt]: {missing}. {until}")]
    );
    compiler.apply(Change::Authorities(key(), Some(entries("ca.crt"))));
    assert_eq!(authorities(&compiler.publish().unwrap().table), 1);
    assert_eq!(reasons(&compiler), [""; 0]);
    compiler.apply(Change::Authorities(key(), Some(entries("ca.crt"))));
    assert!(!compiler.is_dirty(), "nothing has changed");
    compiler.apply(Change::Authorities(key(), None));
    assert_eq!(authorities(&compiler.publish().unwrap().table), 0);
    assert_eq!(reasons(&compiler), [absent]);
    // The Secret, which has been there all the time.
    compiler.apply(named("ca"));
    assert_eq!(authorities(&compiler.publish().unwrap().table), 1);
}

#[test]
fn without_the_certificate_that_they_are_to_be_shown_pods_get_no_requests() {
    let (certificate, key) = pair("router.example");
    let mut ca = secret("ca", &certificate, &key);
    ca.authorities = Some(certificate.clone().into());
    let web = service(
        "web",
        &[
            (DOMAINS, "web.example"),
            ("router.fairlead.dev/upstreamProtocol", "https"),
            ("router.fairlead.dev/upstreamCA", "ca"),
            ("router.fairlead.dev/upstreamCertificate", "mine"),
        ],
    );
    // How many authorities are believed, and which certificate is shown.
    let upstream = |table: &fairlead_router_core::Table| {
        let rule = table.host("web.example").unwrap().route("/").unwrap().clone();
        let tls = rule.upstream.as_ref().unwrap().tls.as_ref().unwrap();
        (tls.authorities.len(), tls.certificate.as_ref().map(|shown| shown.chain.clone()))
    };
    let (mut compiler, table) = compiled([set_service(web), set_secret(ca)]);
    assert_eq!(upstream(&table), (0, None));
    assert!(compiler.references(&Key::new("shop", "mine")));
    assert_eq!(
        reasons(&compiler),
        [
            "Service shop/web: metadata.annotations[upstreamCertificate]: Secret shop/mine does not exist. Until then \
             the pods of Service shop/web get no requests"
        ]
    );
    compiler.apply(set_secret(secret("mine", &certificate, "no key")));
    assert_eq!(upstream(&compiler.publish().unwrap().table), (0, None));
    assert_eq!(
        reasons(&compiler),
        [
            "Secret shop/mine: data[tls.key]: data[tls.key] holds no readable private key in PEM form. Until then the \
             pods of Service shop/web get no requests"
        ]
    );
    compiler.apply(set_secret(secret("mine", &certificate, &key)));
    let shown = upstream(&compiler.publish().unwrap().table);
    assert_eq!((shown.0, shown.1.as_ref().map(|chain| chain.len())), (1, Some(1)));
    assert_eq!(reasons(&compiler), [""; 0]);
    // One that turns bad leaves the last good one in use.
    compiler.apply(set_secret(secret("mine", &certificate, "no key")));
    assert_eq!(upstream(&compiler.publish().unwrap().table), shown);
    assert_eq!(
        reasons(&compiler),
        [
            "Secret shop/mine: data[tls.key]: data[tls.key] holds no readable private key in PEM form. The last good \
             certificate stays in use"
        ]
    );
}

#[test]
fn a_changed_setting_holds_for_the_catch_all_too() {
    let (mut compiler, _) = compiled([set_service(service("web", &[]))]);
    let mut policies = |annotations: &[(&str, &str)]| {
        let object = Key::new("deis", "deis-router").of(fairlead_router_core::Kind::Deployment);
        let annotations = annotations.iter().map(|&(name, value)| (name.into(), value.into()));
        compiler.apply(Change::Settings(object, Some(annotations.collect())));
        let table = compiler.publish().unwrap().table;
        fairlead_router_core::view::routes(&table).pop().unwrap().policies
    };
    const DEFAULT: (&str, &str) = ("router.deis.io/nginx.defaultService", "shop/web");
    assert_eq!(policies(&[DEFAULT]), ["require-endpoint"]);
    assert_eq!(
        policies(&[DEFAULT, ("router.deis.io/nginx.defaultWhitelist", "192.0.2.0/24")]),
        ["access-list [192.0.2.0/24]", "require-endpoint"]
    );
}
