//! The reference page of annotations is made from the table that the router reads them by.

use std::{env, fmt::Write, fs};

use fairlead_router_core::dialect::service::{ANNOTATIONS, Annotation};

use crate::root;

const HEAD: &str = "# Annotations of a Service

The router serves a Service that has the label `router.fairlead.dev/routable: \"true\"` and names a host in `domains`. Each annotation
is written with the prefix `router.fairlead.dev/`, or with `router.deis.io/` as in Deis Workflow; of two the first counts, and so with
the label. A value that cannot be read costs only what it names: it is reported under `/diagnostics` and as an Event of the Service.

* A list is separated by commas; spaces around an entry do not matter. A map is a list of `key:value`.
* A duration is a whole number and a unit: `ms`, `s` (also where none is given), `m`, `h`, `d`, `w`, `M` (30 days) or `y` (365 days);
  more than zero, at most 10 years.

| Annotation | Value | Default | Meaning |
|---|---|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for Annotation { name, syntax, default, meaning, .. } in ANNOTATIONS {
        writeln!(page, "| `{name}` | {syntax} | {default} | {meaning} |").unwrap();
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
