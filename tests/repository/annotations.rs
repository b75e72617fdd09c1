//! The reference page of annotations is made from the table that the router reads them by.

use std::{env, fmt::Write, fs};

use fairlead_router_core::dialect::{
    Void,
    router::{self, SETTINGS, Setting},
    service::{self, ANNOTATIONS, Annotation},
};

use crate::root;

const HEAD: &str = "# Annotations

The router serves a Service that has the label `router.fairlead.dev/routable: \"true\"` and names a host in `domains`. Each annotation
is written with the prefix `router.fairlead.dev/`, or with `router.deis.io/` as in Deis Workflow; of two the first counts, and so with
the label. A value that cannot be read costs only what it names: it is reported under `/diagnostics` and as an Event of the object.

* A list is separated by commas; spaces around an entry do not matter. A map is a list of `key:value`.
* A duration is a whole number and a unit: `ms`, `s` (also where none is given), `m`, `h`, `d`, `w`, `M` (30 days) or `y` (365 days);
  more than zero, at most 10 years.
* A size is a whole number of bytes, or with `k`, `m` or `g` of KiB, MiB or GiB.

## Of a Service

| Annotation | Value | Default | Meaning |
|---|---|---|---|
";

const SETTINGS_HEAD: &str = "
## Of the router

Settings of the router as a whole are read from one object: the one that `--settings` names, else the Deployment, DaemonSet or StatefulSet that
owns the router's pod. A change is in effect as fast as one of a Service. There, each is written `router.fairlead.dev/NAME`, or
`router.deis.io/nginx.NAME` as on the Deployment of Deis's router. Each is a [flag](router-flags.md) as well, which holds where the object
says nothing. What restricts clients and cannot be read is as strict as it can be: `enforceWhitelists`, `whitelistMode`, `rateLimit` (`1/s`),
`rateBurst` and `concurrencyLimit` (1).

| Annotation | Flag | Value | Default | Meaning |
|---|---|---|---|---|
";

const VOID_HEAD: &str = "
## Without effect

These are known from Deis Workflow and Hephy, do nothing here, and are reported under `/diagnostics`.

| Annotation | Of | Why |
|---|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for Annotation { name, syntax, default, meaning, .. } in ANNOTATIONS {
        writeln!(page, "| `{name}` | {syntax} | {default} | {meaning} |").unwrap();
    }
    page += SETTINGS_HEAD;
    for Setting { name, flag, syntax, default, meaning, .. } in SETTINGS {
        writeln!(page, "| `{name}` | `--{flag}` | {syntax} | {default} | {meaning} |").unwrap();
    }
    page += VOID_HEAD;
    let services = service::VOID.iter().map(|void| (void, "a Service"));
    for (Void { name, instead }, of) in
        services.chain(router::VOID.iter().map(|void| (void, "the router")))
    {
        writeln!(page, "| `{name}` | {of} | {instead} |").unwrap();
    }
    page
}

/// To write the page anew: `FAIRLEAD_WRITE_DOCS=1 ./dev test annotations`
#[test]
fn the_reference_page_shows_every_annotation() {
    let path = root().join("docs/reference/annotations.md");
    let page = page();
    if env::var_os("FAIRLEAD_WRITE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), page);
}
