//! Work on routing tables, for its instructions to be counted: those in `counted`.
#![forbid(unsafe_code)]

use std::{hint::black_box, sync::Arc};

use clap::{Parser, Subcommand};
use fairlead_router_core::{
    Change, Compiler, EndpointSlice, Key, Service, Settings,
    object::{ServicePort, SliceEndpoint},
};

#[derive(Parser, Debug)]
struct Cli {
    #[command(subcommand)]
    work: Work,
}

#[derive(Subcommand, Debug)]
enum Work {
    /// Makes a table of so many apps.
    Compile { apps: usize },
    /// Changes one of so many apps so many times, with a new table each time.
    Change { apps: usize, times: usize },
    /// Finds the rule for a path of one of so many apps, so many times.
    Lookup { apps: usize, times: usize },
}

fn main() {
    match Cli::parse().work {
        Work::Compile { apps } => compile(apps),
        Work::Change { apps, times } => change(apps, times),
        Work::Lookup { apps, times } => lookup(apps, times),
    }
}

#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    work()
}

fn compile(apps: usize) {
    let objects: Vec<_> = objects(apps).collect();
    let mut compiler = compiler();
    let table = counted(|| {
        objects.into_iter().for_each(|object| compiler.apply(object));
        compiler.publish()
    });
    black_box(table);
}

fn change(apps: usize, times: usize) {
    let changes: Vec<_> = (0..times).map(|seconds| service(apps / 2, seconds + 1)).collect();
    let mut compiler = compiler();
    objects(apps).for_each(|object| compiler.apply(object));
    let mut table = compiler.publish();
    counted(|| {
        for change in changes {
            compiler.apply(change);
            table = compiler.publish();
        }
    });
    black_box(table);
}

fn lookup(apps: usize, times: usize) {
    let mut compiler = compiler();
    objects(apps).for_each(|object| compiler.apply(object));
    let Some(publication) = compiler.publish() else { return };
    let hosts: Vec<_> = (0..times).map(|i| host(i * 7919 % apps)).collect();
    counted(|| {
        for host in &hosts {
            let host = publication.table.host(host);
            black_box(host.and_then(|host| host.route("/some/path")));
        }
    });
}

fn compiler() -> Compiler {
    Compiler::new(Arc::new(Settings::default()))
}

fn objects(apps: usize) -> impl Iterator<Item = Change> {
    (0..apps).flat_map(|i| [service(i, 0), slice(i)])
}

fn host(i: usize) -> String {
    format!("app-{i}.example.org")
}

/// `seconds` is a limit that can be changed.
fn service(i: usize, seconds: usize) -> Change {
    let key = Key::new("bench", format!("app-{i}"));
    let service = Service {
        key: key.clone(),
        created: 0,
        labels: [("router.fairlead.dev/routable".into(), "true".into())].into(),
        annotations: [
            ("router.fairlead.dev/domains".into(), host(i).into()),
            ("router.fairlead.dev/tcpTimeout".into(), format!("{}s", seconds + 1).into()),
        ]
        .into(),
        ports: vec![ServicePort::new("", 80)],
        external_name: None,
    };
    Change::Service(key, Some(service))
}

fn slice(i: usize) -> Change {
    let key = Key::new("bench", format!("app-{i}-1"));
    let endpoint = SliceEndpoint {
        address: "10.0.0.1".into(),
        ready: true,
        serving: true,
        terminating: false,
    };
    let slice = EndpointSlice {
        key: key.clone(),
        service: format!("app-{i}").into(),
        ports: vec![("".into(), Some(8080))],
        endpoints: vec![endpoint],
    };
    Change::EndpointSlice(key, Some(slice))
}
