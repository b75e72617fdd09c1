//! The tables of `docs/security.md`, written from what comes out.

use std::{env, fmt::Write as _, fs, path::PathBuf};

use super::{
    Case, Seen, World, body, differences, fields, framing, host, line, path, response, size,
};
use crate::scenes::{connections, floods, memory, proxies, slow};

const MARKS: [&str; 2] =
    ["<!-- written by the tests: what comes of each request -->\n", "<!-- end -->\n"];

/// To write the tables anew: `FAIRLEAD_WRITE_DOCS=1 ./dev test the_page_on_security`
#[tokio::test]
async fn the_page_on_security_says_what_comes_of_each_request() {
    let (with, without) = (World::start(true).await, World::start(false).await);
    let mut tables = String::new();
    for (title, cases) in [
        ("Request lines and line ends", line::cases()),
        ("Hosts", host::cases()),
        ("Paths", path::cases()),
        ("Fields", fields::cases()),
        ("Lengths of bodies", framing::cases()),
        ("Chunks", body::cases()),
        ("Sizes", size::cases()),
    ] {
        writeln!(tables, "\n### {title}\n").unwrap();
        tables +=
            "| Sent | Standard | Outcome | Pingora alone | Decided |\n|---|---|---|---|---|\n";
        for case in cases {
            let strict = with.send(case.sent, case.expected.parts().0.len()).await;
            let engine = without.send(case.sent, case.engine.parts().0.len()).await;
            tables += &row(&case, &strict, &engine);
        }
    }
    tables += "\n### Answers of applications\n\n";
    tables += "| Given | Standard | What a client gets | Pingora alone | Decided |\n|---|---|---|---|---|\n";
    for answer in response::answers() {
        tables += &answer.row().await;
    }
    for (title, scenes) in [
        ("Connections, and what is made again", connections::scenes()),
        ("The PROXY protocol", proxies::scenes()),
        ("What takes its time", slow::scenes()),
        ("Floods", floods::scenes()),
        ("Memory", memory::scenes()),
    ] {
        writeln!(tables, "\n### {title}\n").unwrap();
        tables +=
            "| Done | Standard | Outcome | Pingora alone | Decided |\n|---|---|---|---|---|\n";
        for scene in scenes {
            let (outcome, alone) = (scene.play(true).await, scene.play(false).await);
            let decided = if outcome == alone { "by the engine" } else { "by us" };
            let name = scene.name.replace('_', " ");
            let section = scene.section;
            writeln!(tables, "| {name} | {section} | {outcome} | {alone} | {decided} |").unwrap();
        }
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/security.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(MARKS[0]).unwrap();
    let (_, after) = rest.split_once(MARKS[1]).unwrap();
    let current = [before, MARKS[0], &tables, "\n", MARKS[1], after].concat();
    if env::var_os("FAIRLEAD_WRITE_DOCS").is_some() {
        fs::write(&path, &current).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap();
    for (n, (committed, seen)) in page.lines().zip(current.lines()).enumerate() {
        assert_eq!(committed, seen, "line {}", n + 1);
    }
    assert_eq!(page.len(), current.len());
}

fn row(case: &Case, strict: &Seen, engine: &Seen) -> String {
    let refused = strict.answers.iter().any(|status| *status != 200);
    let same = (&strict.answers, &strict.received, strict.last)
        == (&engine.answers, &engine.received, engine.last);
    let decided = match same {
        _ if differences::PASSED.contains(&case.name) => {
            assert!(!refused, "{} is refused", case.name);
            "by nobody: [difference](#expected-differences)"
        }
        true if strict.by_engine || !refused => "by the engine",
        _ => "by us",
    };
    let name = case.name.replace('_', " ");
    let (outcome, alone) = (shown(case, strict), shown(case, engine));
    format!("| {name} | {} | {outcome} | {alone} | {decided} |\n", case.section)
}

fn shown(case: &Case, seen: &Seen) -> String {
    let end = if seen.last { ", the connection ends" } else { "" };
    match (&seen.answers[..], &seen.received[..]) {
        ([200], [request]) if request.as_bytes() == case.sent => format!("passed on{end}"),
        ([200], [request]) => format!("passed on as `{}`{end}", short(request)),
        ([200, 200], [_, _]) => "passed on, two requests".to_owned(),
        ([], []) => "cut".to_owned(),
        ([status], []) => status.to_string(),
        (answers, received) => format!("{answers:?}, {} passed on", received.len()),
    }
}

/// The request line, and the fields but for `Host`.
fn short(request: &str) -> String {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let fields = head.split("\r\n").filter(|line| !line.starts_with("Host: "));
    let fields: Vec<_> = fields.map(|line| line.trim_end_matches(" HTTP/1.1")).collect();
    let body = if body.is_empty() { String::new() } else { format!("; {}", body.escape_debug()) };
    format!("{}{body}", fields.join("; "))
}
