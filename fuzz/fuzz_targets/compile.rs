//! Services, slices and settings of any shape, in any order: never a panic; an app that is in order
//! is served whatever the others say; and what came bit by bit is what comes at once.
#![no_main]

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use fairlead_router_core::{
    Change, Compiler, EndpointSlice, Key, Kind, Service, Settings,
    dialect::{router::SETTINGS, service::ANNOTATIONS},
    object::{ServicePort, SliceEndpoint},
    view,
};
use libfuzzer_sys::{
    arbitrary::{self, Arbitrary},
    fuzz_target,
};

#[derive(Arbitrary, Debug)]
enum Event {
    Service { name: u8, service: Option<AnyService> },
    Slice { name: u8, slice: Option<AnySlice> },
    Settings(Option<Vec<(u8, String)>>),
    Publish,
}

#[derive(Arbitrary, Debug)]
struct AnyService {
    created: u16,
    routable: String,
    app: Option<String>,
    annotations: Vec<(u8, String)>,
    ports: Vec<(String, u16)>,
    external_name: Option<String>,
}

#[derive(Arbitrary, Debug)]
struct AnySlice {
    service: u8,
    ports: Vec<(String, Option<i32>)>,
    endpoints: Vec<(String, bool, bool, bool)>,
}

fn key(name: u8) -> Key {
    Key::new("shop", format!("s{}", name % 8))
}

fn annotations(names: &[&str], prefix: &str, values: Vec<(u8, String)>) -> BTreeMap<Box<str>, Box<str>> {
    let name = |n: u8| format!("{prefix}{}", names[usize::from(n) % names.len()]).into();
    values.into_iter().map(|(n, value)| (name(n), value.into())).collect()
}

fn change(event: Event) -> Option<Change> {
    Some(match event {
        Event::Publish => return None,
        Event::Service { name, service } => {
            let names: Vec<_> = ANNOTATIONS.iter().map(|annotation| annotation.name).collect();
            let read = |any: AnyService| Service {
                key: key(name),
                created: any.created.into(),
                labels: [("router.deis.io/routable".into(), any.routable.into())]
                    .into_iter()
                    .chain(any.app.map(|app| ("app".into(), app.into())))
                    .collect(),
                annotations: annotations(&names, "router.deis.io/", any.annotations),
                ports: any
                    .ports
                    .into_iter()
                    .map(|(name, port)| ServicePort::new(name, port))
                    .collect(),
                external_name: any.external_name.map(Into::into),
            };
            Change::Service(key(name), service.map(read))
        }
        Event::Slice { name, slice } => {
            let read = |any: AnySlice| EndpointSlice {
                key: key(name),
                service: key(any.service).name,
                ports: any.ports.into_iter().map(|(name, port)| (name.into(), port)).collect(),
                endpoints: any
                    .endpoints
                    .into_iter()
                    .map(|(address, ready, serving, terminating)| SliceEndpoint {
                        address: address.into(),
                        ready,
                        serving,
                        terminating,
                    })
                    .collect(),
            };
            Change::EndpointSlice(key(name), slice.map(read))
        }
        Event::Settings(values) => {
            let names: Vec<_> = SETTINGS.iter().map(|setting| setting.name).collect();
            let object = Key::new("deis", "deis-router").of(Kind::Deployment);
            let read = |values| annotations(&names, "router.fairlead.dev/", values);
            Change::Settings(object, values.map(read))
        }
    })
}

fn good() -> Change {
    let key = Key::new("good", "good");
    let service = Service {
        key: key.clone(),
        created: -1,
        labels: [("router.deis.io/routable".into(), "true".into())].into(),
        annotations: [("router.deis.io/domains".into(), "good.example".into())].into(),
        ports: vec![ServicePort::new("", 80)],
        external_name: None,
    };
    Change::Service(key, Some(service))
}

/// The last change of each object.
fn last(changes: &mut BTreeMap<String, Change>, change: &Change) {
    let name = match change {
        Change::Service(key, _) => format!("service {key}"),
        Change::EndpointSlice(key, _) => format!("slice {key}"),
        Change::Settings(object, _) => format!("settings {object}"),
        _ => return,
    };
    match changes.entry(name) {
        Entry::Vacant(entry) => drop(entry.insert(change.clone())),
        Entry::Occupied(mut entry) => drop(entry.insert(change.clone())),
    }
}

fuzz_target!(|events: Vec<Event>| {
    let flags = Arc::new(Settings::default());
    let mut compiler = Compiler::new(flags.clone());
    let mut table = None;
    let mut state = BTreeMap::new();
    compiler.apply(good());
    for event in events {
        match change(event) {
            Some(change) => {
                last(&mut state, &change);
                compiler.apply(change);
            }
            None => table = compiler.publish().map(|publication| publication.table).or(table),
        }
    }
    let table = compiler.publish().map(|publication| publication.table).or(table).expect("good is served");
    let host = table.host("good.example").expect("good is served");
    // Others may be mounted on it, which is not for them to hide it.
    assert!(host.rules.iter().any(|rule| &*rule.origin.key.name == "good"));

    let mut at_once = Compiler::new(flags);
    state.into_values().chain([good()]).for_each(|change| at_once.apply(change));
    let fresh = at_once.publish().expect("good is new").table;
    assert_eq!(view::routes(&table), view::routes(&fresh));
    assert_eq!(compiler.diagnostics(), at_once.diagnostics());
});
