//! Properties of the compiler over random objects and orders of events.

use std::{collections::BTreeMap, sync::Arc, sync::LazyLock};

use crate::support::{self, pair};
use fairlead_router_core::{
    Change, Compiler, Diagnostic, EndpointSlice, Key, Secret, Service, Settings,
    object::{Kind, ServicePort, SliceEndpoint},
    view::{RouteView, routes},
};
use proptest::prelude::*;

static PAIRS: LazyLock<[(String, String); 2]> =
    LazyLock::new(|| [pair("a.example"), pair("b.example")]);

fn settings() -> Arc<Settings> {
    Arc::new(Settings::default())
}

/// Few names, so that objects meet: claim the same hosts, name the same Secrets.
fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c"])
}

fn key() -> impl Strategy<Value = Key> {
    (prop::sample::select(vec!["shop", "blog"]), name())
        .prop_map(|(namespace, name)| Key::new(namespace, name))
}

fn host() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a.example",
        "b.example",
        "*.example",
        "*.b.example",
        "x.b.example",
        "bad..name",
        "dotless",
    ])
}

fn annotations() -> impl Strategy<Value = BTreeMap<Box<str>, Box<str>>> {
    let prefix = || prop::sample::select(vec!["router.deis.io/", "router.fairlead.dev/"]);
    let certificate = (host(), name()).prop_map(|(host, name)| format!("{host}:{name}"));
    let value = prop_oneof![
        (Just("domains"), prop::collection::vec(host(), 0..4).prop_map(|hosts| hosts.join(","))),
        (Just("domains"), prop::collection::vec(host(), 0..4).prop_map(|hosts| hosts.join(","))),
        (
            Just("certificates"),
            prop::collection::vec(certificate, 0..3).prop_map(|entries| entries.join(","))
        ),
        (Just("maintenance"), prop::sample::select(vec!["true", "false", "maybe"]).prop_map_into()),
        (Just("whitelist"), prop::sample::select(vec!["10.0.0.0/8", "::/0,x", ""]).prop_map_into()),
        (Just("proxyDomain"), host().prop_map_into()),
        (
            Just("proxyLocations"),
            prop::sample::select(vec!["/a,/b", "= /a,x", "/"]).prop_map_into()
        ),
        (Just("regexDomain"), prop::sample::select(vec!["a.?", "a("]).prop_map_into()),
        (Just("tcpTimeout"), prop::sample::select(vec!["5s", "never"]).prop_map_into()),
        (Just("unknown"), Just(String::new())),
    ];
    prop::collection::vec((prefix(), value), 0..6).prop_map(|entries| {
        let entry = |(prefix, (name, value)): (&str, (&str, String))| {
            (format!("{prefix}{name}").into(), value.into())
        };
        entries.into_iter().map(entry).collect()
    })
}

fn service() -> impl Strategy<Value = Change> {
    let ports = prop::collection::vec(
        (prop::sample::select(vec!["", "http", "x"]), prop::sample::select(vec![80_u16, 8080])),
        0..3,
    );
    let body =
        (annotations(), ports, 0..3_i64, prop::bool::weighted(0.9), prop::bool::weighted(0.05));
    (key(), prop::option::weighted(0.8, body)).prop_map(|(key, body)| {
        let service = body.map(|(annotations, ports, created, routable, external)| Service {
            key: key.clone(),
            created,
            labels: [("router.deis.io/routable".into(), routable.to_string().into())].into(),
            annotations,
            ports: ports.into_iter().map(|(name, port)| ServicePort::new(name, port)).collect(),
            external_name: external.then(|| "elsewhere.example".into()),
        });
        Change::Service(key, service)
    })
}

fn slice() -> impl Strategy<Value = Change> {
    let address = prop::sample::select(vec!["10.0.0.1", "10.0.0.2", "2001:db8::1", "nonsense"]);
    let endpoint =
        (address, any::<[bool; 3]>()).prop_map(|(address, [ready, serving, terminating])| {
            SliceEndpoint { address: address.into(), ready, serving, terminating }
        });
    let port = (
        prop::sample::select(vec!["", "http"]),
        prop::sample::select(vec![None, Some(80), Some(0), Some(99_999)]),
    )
        .prop_map(|(name, number)| (name.into(), number));
    let body = (name(), prop::collection::vec(port, 0..3), prop::collection::vec(endpoint, 0..4));
    (key(), prop::option::weighted(0.8, body)).prop_map(|(key, body)| {
        let slice = body.map(|(service, ports, endpoints)| EndpointSlice {
            key: key.clone(),
            service: service.into(),
            ports,
            endpoints,
        });
        Change::EndpointSlice(key, slice)
    })
}

fn secret() -> impl Strategy<Value = Change> {
    // Absent, bad, or one of two good pairs.
    (key(), 0..4_usize).prop_map(|(key, content)| {
        let key = Key::new(key.namespace, format!("{}-cert", key.name));
        let secret = (content > 0).then(|| Secret {
            key: key.clone(),
            certificate: Some(PAIRS[content % 2].0.clone().into()),
            private_key: (content > 1).then(|| PAIRS[content % 2].1.clone().into()),
            authorities: None,
        });
        Change::Secret(key, secret)
    })
}

/// The router's settings: where names without dots are, and what concerns every app.
fn router_settings() -> impl Strategy<Value = Change> {
    let value = prop_oneof![
        (Just("platformDomain"), prop::sample::select(vec!["example", "b.example", "*.x"])),
        (Just("matchAnySuffix"), prop::sample::select(vec!["true", "false"])),
        (Just("enableRegexDomains"), Just("true")),
        (Just("defaultWhitelist"), prop::sample::select(vec!["192.0.2.0/24", "x"])),
        (Just("requestIDs"), Just("true")),
        (Just("defaultService"), prop::sample::select(vec!["shop/a", "blog/z", "shop"])),
        (Just("defaultServiceIP"), prop::sample::select(vec!["10.0.0.9", "x"])),
        (Just("defaultServiceEnabled"), Just("true")),
        (Just("proxyBuffers.size"), Just("4k")),
    ];
    let annotations = prop::collection::vec(value, 0..4).prop_map(|values| {
        let entry = |(name, value): (&str, &str)| {
            (format!("router.deis.io/nginx.{name}").into(), value.into())
        };
        values.into_iter().map(entry).collect()
    });
    prop::option::weighted(0.8, annotations).prop_map(|annotations| {
        Change::Settings(Key::new("deis", "deis-router").of(Kind::Deployment), annotations)
    })
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![6 => service(), 4 => slice(), 2 => secret(), 1 => router_settings()];
    prop::collection::vec(change, 0..40)
}

/// What a compiler serves and says, with the certificate in use by host.
type State = (Vec<RouteView>, Vec<Diagnostic>, Vec<(String, Option<Vec<u8>>)>);

fn state(compiler: &mut Compiler) -> State {
    // A table is published only when a host changed: touch one that nothing else claims.
    let probe = support::service("probe", &[(support::DOMAINS, "probe.invalid")]);
    compiler.apply(support::set_service(probe));
    let table = compiler.publish().expect("the probe is new").table;
    let certificate = |host: &fairlead_router_core::Host| {
        let end_entity = host.certificate.as_ref().map(|certificate| certificate.cert[0].to_vec());
        (host.pattern.to_string(), end_entity)
    };
    let mut certificates: Vec<_> = table.hosts().map(|host| certificate(host)).collect();
    certificates.sort();
    (routes(&table), compiler.diagnostics(), certificates)
}

fn compile(changes: impl IntoIterator<Item = Change>, publish: impl Fn(usize) -> bool) -> State {
    let mut compiler = Compiler::new(settings());
    for (i, change) in changes.into_iter().enumerate() {
        compiler.apply(change);
        if publish(i) {
            compiler.publish();
        }
    }
    state(&mut compiler)
}

fn id(change: &Change) -> (u8, Key) {
    match change {
        Change::Service(key, _) => (0, key.clone()),
        Change::EndpointSlice(key, _) => (1, key.clone()),
        Change::Pages(key, _) => (4, key.clone()),
        Change::Authorities(key, _) => (5, key.clone()),
        Change::Secret(key, _) => (2, key.clone()),
        Change::Settings(object, _) => (3, object.key.clone()),
    }
}

fn is_bad_secret(change: &Change) -> bool {
    matches!(change, Change::Secret(_, Some(secret)) if secret.private_key.is_none())
}

/// The events that matter in the end: the last of each object, and before a bad
/// Secret the good one that it leaves in use.
fn final_events(changes: &[Change]) -> Vec<Change> {
    let mut by_object: BTreeMap<_, Vec<Change>> = BTreeMap::new();
    for change in changes {
        let events = by_object.entry(id(change)).or_default();
        let keep = is_bad_secret(change).then(|| events.first().cloned()).flatten();
        let keep = keep
            .filter(|first| matches!(first, Change::Secret(_, Some(_))) && !is_bad_secret(first));
        events.clear();
        events.extend(keep);
        events.push(change.clone());
    }
    by_object.into_values().flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Publishing after every event, now and then, or once at the end: the same table.
    #[test]
    fn incremental_equals_full(changes in changes(), every in 1..5_usize) {
        let full = compile(final_events(&changes), |_| false);
        prop_assert_eq!(&compile(changes.clone(), |_| true), &full);
        prop_assert_eq!(&compile(changes, |i| i % every == 0), &full);
    }

    /// Events of different objects may come in any order.
    #[test]
    fn any_order_of_events_gives_the_same_table(changes in changes(), seed in any::<u64>()) {
        let events = final_events(&changes);
        let mut order: Vec<_> = (0..events.len()).collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut order);
        // What belongs to one object keeps its order.
        let mut queues: BTreeMap<_, std::collections::VecDeque<Change>> = BTreeMap::new();
        for event in &events {
            queues.entry(id(event)).or_default().push_back(event.clone());
        }
        let shuffled = order.into_iter().map(|i| queues.get_mut(&id(&events[i])).unwrap().pop_front().unwrap());
        prop_assert_eq!(compile(shuffled.collect::<Vec<_>>(), |i| i % 3 == 0), compile(events, |_| false));
    }

    /// Arbitrary texts in every field never panic, and the good app beside them is served.
    #[test]
    fn arbitrary_objects_never_panic(
        texts in prop::collection::vec((".*", ".*"), 0..8),
        names in prop::collection::vec("(domains|regexDomain|proxyDomain|proxyLocations|certificates|whitelist|maintenance|bodySize|referrerPolicy|connectTimeout|tcpTimeout)", 0..8),
        address in ".*",
        port in any::<Option<i32>>(),
        pem in ".*",
    ) {
        let mut odd = support::service("odd", &[]);
        for (i, (name, value)) in texts.iter().enumerate() {
            odd.annotations.insert(name.as_str().into(), value.as_str().into());
            if let Some(known) = names.get(i) {
                odd.annotations.insert(format!("router.deis.io/{known}").into(), value.as_str().into());
            }
        }
        // Whatever else they say, both name a host, so that everything else reaches its compilation.
        for (name, always) in [("domains", "odd.example"), ("certificates", "odd.example:odd")] {
            let value = odd.annotations.entry(format!("router.deis.io/{name}").into()).or_default();
            *value = format!("{always},{value}").into();
        }
        let mut slice = support::slice("odd-1", "odd", &[&address]);
        slice.ports = vec![("".into(), port)];
        let events = [
            support::set_service(odd),
            support::set_slice(slice),
            support::set_secret(support::secret("odd-cert", &pem, &pem)),
            support::set_service(support::service("good", &[(support::DOMAINS, "good.example")])),
        ];
        let mut compiler = Compiler::new(settings());
        events.into_iter().for_each(|event| compiler.apply(event));
        let table = compiler.publish().unwrap().table;
        prop_assert!(table.host("good.example").is_some());
        prop_assert!(table.host("odd.example").is_some());
    }
}
