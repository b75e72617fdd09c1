//! Compile and look-up, by number of apps.
#![forbid(unsafe_code)]
#![allow(missing_docs, reason = "criterion_group! makes public items")]

use std::{hint::black_box, sync::Arc};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use fairlead_router_core::{
    Change, Compiler, EndpointSlice, Key, Service, Settings,
    object::{ServicePort, SliceEndpoint},
};

const SIZES: [usize; 3] = [10, 1_000, 10_000];

fn service(i: usize, generation: usize) -> Change {
    let key = Key::new("shop", format!("app-{i}"));
    let service = Service {
        key: key.clone(),
        created: 0,
        labels: [("router.deis.io/routable".into(), "true".into())].into(),
        annotations: [
            ("router.deis.io/domains".into(), format!("app-{i}.example").into()),
            ("router.deis.io/tcpTimeout".into(), format!("{}s", generation % 1000 + 1).into()),
        ]
        .into(),
        ports: vec![ServicePort::new("", 80)],
        external_name: None,
    };
    Change::Service(key, Some(service))
}

fn slice(i: usize, last: u8) -> Change {
    let key = Key::new("shop", format!("app-{i}-1"));
    let endpoint = |address: String| SliceEndpoint {
        address: address.into(),
        ready: true,
        serving: true,
        terminating: false,
    };
    let slice = EndpointSlice {
        key: key.clone(),
        service: format!("app-{i}").into(),
        ports: vec![("".into(), Some(8080))],
        endpoints: vec![endpoint("10.0.0.1".to_owned()), endpoint(format!("10.0.0.{last}"))],
    };
    Change::EndpointSlice(key, Some(slice))
}

fn compiler(apps: usize) -> Compiler {
    let mut compiler = Compiler::new(Arc::new(Settings::default()));
    for i in 0..apps {
        compiler.apply(service(i, 0));
        compiler.apply(slice(i, 2));
    }
    compiler
}

fn table(c: &mut Criterion) {
    for apps in SIZES {
        c.bench_function(&format!("full/{apps}"), |b| {
            b.iter_batched_ref(
                || compiler(apps),
                |compiler| compiler.publish(),
                BatchSize::PerIteration,
            );
        });
        let mut warm = compiler(apps);
        let mut table = warm.publish().expect("all hosts are new").table;
        let mut generation = 0;
        c.bench_function(&format!("edit/{apps}"), |b| {
            b.iter(|| {
                generation += 1;
                warm.apply(service(apps / 2, generation));
                table = warm.publish().expect("the timeout changed").table;
            });
        });
        c.bench_function(&format!("endpoints/{apps}"), |b| {
            let mut last = 0_u8;
            b.iter(|| {
                last = last.wrapping_add(1);
                warm.apply(slice(apps / 2, last));
            });
        });
        let names: Vec<_> = (0..apps).map(|i| format!("app-{i}.example")).collect();
        c.bench_function(&format!("lookup/{apps}"), |b| {
            let mut i = 0;
            b.iter(|| {
                i = (i + 7919) % apps;
                black_box(table.host(&names[i]).and_then(|host| host.route("/some/path")));
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = table
}
criterion_main!(benches);
