//! Work on routing tables, for its instructions to be counted.
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
    /// Compiles a table of so many apps.
    Compile { apps: usize },
    /// Compiles it, then changes one app so many times, with a new table each time.
    Edit { apps: usize, times: usize },
    /// Compiles it, then finds the rule for a path of one app after another.
    Lookup { apps: usize, times: usize },
}

fn main() {
    match Cli::parse().work {
        Work::Compile { apps } => drop(black_box(compiler(apps).publish())),
        Work::Edit { apps, times } => edit(apps, times),
        Work::Lookup { apps, times } => lookup(apps, times),
    }
}

fn edit(apps: usize, times: usize) {
    let mut compiler = compiler(apps);
    let mut table = compiler.publish();
    for seconds in 0..times {
        compiler.apply(service(apps / 2, seconds + 1));
        table = compiler.publish();
    }
    black_box(table);
}

fn lookup(apps: usize, times: usize) {
    let Some(publication) = compiler(apps).publish() else { return };
    let hosts: Vec<_> = (0..apps).map(host).collect();
    for i in 0..times {
        let host = publication.table.host(&hosts[i * 7919 % apps]);
        black_box(host.and_then(|host| host.route("/some/path")));
    }
}

fn compiler(apps: usize) -> Compiler {
    let mut compiler = Compiler::new(Arc::new(Settings::default()));
    for i in 0..apps {
        compiler.apply(service(i, 0));
        compiler.apply(slice(i));
    }
    compiler
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
        ports: vec![ServicePort { name: "".into(), port: 80 }],
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
