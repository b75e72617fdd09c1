//! `docs/cluster.md` lists every kind that the embedded API serves.

use std::{env, fmt::Write as _, fs};

use fairlead_cluster::kinds::KINDS;

use super::root;

const MARKS: [&str; 2] = ["<!-- written by the tests: the kinds -->\n", "<!-- end -->\n"];

fn table() -> String {
    let mut table = String::from(
        "| Kind | API | Scope | Below an object | What is done with it |\n|---|---|---|---|---|\n",
    );
    for kind in KINDS {
        let (name, about) = (kind.kind, kind.about.trim());
        let api = match kind.group {
            "" => kind.version.to_owned(),
            group => format!("{group}/{}", kind.version),
        };
        let scope = if kind.namespaced { "namespace" } else { "cluster" };
        let below = kind.subresources().join(", ");
        writeln!(table, "| {name} | `{api}` | {scope} | {below} | {about} |").unwrap();
    }
    table
}

/// To write the table anew: `FAIRLEAD_WRITE_DOCS=1 ./dev test the_cluster_page`
#[test]
fn the_cluster_page_shows_every_kind() {
    let path = root().join("docs/cluster.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(MARKS[0]).unwrap();
    let (_, after) = rest.split_once(MARKS[1]).unwrap();
    let current = [before, MARKS[0], "\n", &table(), "\n", MARKS[1], after].concat();
    if env::var_os("FAIRLEAD_WRITE_DOCS").is_some() {
        fs::write(&path, &current).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), current);
}
