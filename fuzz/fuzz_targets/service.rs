//! Annotation values of a Service, compiled beside a good app: never a panic, and
//! the good app is served whatever the other one says.
#![no_main]

use std::sync::Arc;

use fairlead_router_core::{
    Change, Compiler, Key, Service, Settings, dialect::service::ANNOTATIONS, object::ServicePort,
};
use libfuzzer_sys::fuzz_target;

fn service(name: &str, annotations: impl Iterator<Item = (Box<str>, Box<str>)>) -> Change {
    let key = Key::new("shop", name);
    let service = Service {
        key: key.clone(),
        created: 0,
        labels: [("router.deis.io/routable".into(), "true".into())].into(),
        annotations: annotations.collect(),
        ports: vec![ServicePort::new("", 80)],
        external_name: None,
    };
    Change::Service(key, Some(service))
}

// One value per line, for the annotations in the order of their table.
fuzz_target!(|text: &str| {
    let names = ANNOTATIONS.iter().map(|annotation| format!("router.deis.io/{}", annotation.name).into());
    let odd = names.zip(text.split('\n').map(Into::into));
    let mut compiler = Compiler::new(Arc::new(Settings::default()));
    compiler.apply(service("good", [("router.deis.io/domains".into(), "good.example".into())].into_iter()));
    compiler.apply(service("odd", odd));
    let table = compiler.publish().expect("the good app is new").table;
    assert!(table.host("good.example").is_some());
});
