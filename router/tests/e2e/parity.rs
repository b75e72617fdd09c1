//! The page that says which test shows which row of the checklist, and what came of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write as _,
    fs,
    process::Command,
};

use fairlead_test_support::skip;

/// What Deis Workflow's router did, as the rows of the checklist that the tests are named by, and what is different here.
const ROWS: [(&str, &str); 33] = [
    ("A Service with the label and `domains` is served; without the label it is 404", ""),
    (
        "A name without a dot is below the platform domain",
        "without a platform domain it has any suffix only where `matchAnySuffix` says so",
    ),
    ("Several domains and wildcards; the exact name beats the wildcard", ""),
    ("A Service without `domains` is ignored; unknown hosts get 404 by http and https", ""),
    ("`certificates`: the right one by SNI; a replaced Secret counts without a restart", ""),
    ("The platform certificate serves names without a dot and unknown hosts", ""),
    (
        "A full name without a certificate: https gives the default one and 404, http works",
        "the platform certificate serves every name that it is valid for",
    ),
    ("A Secret that is missing or lacks the key costs its own domain TLS and nothing else", ""),
    ("`maintenance`: 503 with a page; pods stay", ""),
    ("No pod that is ready: 503", ""),
    ("`ssl.enforce` of app and router: 301 with path and query; ws becomes wss", ""),
    ("HSTS on https alone, with its three options; it implies the redirect", ""),
    (
        "`whitelist`, `defaultWhitelist`, `whitelistMode`, `enforceWhitelists`: 403",
        "an entry that cannot be read lets nobody in; IPv6; 403 comes before 301 and 503",
    ),
    ("`connectTimeout`, `tcpTimeout` per app: 504 at the limit", ""),
    ("`bodySize`: 413 beyond, 0 is no limit", "each app may have its own"),
    ("Compression: types, least length, level, Vary, on and off", "brotli and zstd as well"),
    (
        "`X-Forwarded-For`, `-Proto`, `-Port` of trusted and other peers; TLS is https",
        "of trusted peers the list grows; nobody is trusted unless named",
    ),
    (
        "PROXY protocol on the ports of http, https and the builder; not on 9090",
        "the proxies have to be named in `proxyRealIpCidrs`",
    ),
    ("`requestIDs`: a new id, and correlation ids that grow, both ways", ""),
    ("`requestStartHeader`, and an app that opts out (Hephy)", ""),
    ("WebSockets pass, and end after `tcpTimeout` of silence", ""),
    ("HTTP/2 to clients over TLS, with a switch", ""),
    ("Connections of clients are kept for `defaultTimeout`, 1,300 s", ""),
    (
        "Responses are streamed; buffers by annotation",
        "they are always streamed, and the annotations of buffers reported as void",
    ),
    (
        "TLS versions, ciphers, tickets by annotation",
        "TLS 1.0 and 1.1 and unsafe ciphers are never offered; sessions resume by tickets alone",
    ),
    ("An annotation that cannot be read: a warning and the default; others live on", ""),
    ("The access log has 14 fields", "that format or JSON; no other"),
    ("`/healthz` on 9090 and for unknown hosts, while routes change", ""),
    ("Port 2222 leads to the builder, with its own timeouts; a push of 100 MB passes", ""),
    ("A Service for unknown hosts", ""),
    ("A Service at paths of another one's host (Hephy)", ""),
    ("`referrerPolicy`, heads of 32 KiB, TLS 1.3 (Hephy)", ""),
    ("Requests by status, bytes and times are counted per app", "as Prometheus metrics"),
];

const HEAD: &str = "# What Deis's router did, row by row

The router of Deis Workflow 2.13, with what Hephy added, as 33 rows. Each row has tests named by it, in `router/tests/e2e`: they start a
cluster and a router, write objects as Deis's controller and charts did, and look at what comes over sockets. The results are what came of
them: `./dev test` runs them and fails where this page says otherwise. [Coming from Deis](../guide/from-deis.md) says how to move.

| Row | What Deis's router did | Different here | Tests | Result |
|---|---|---|---|---|
";

/// This program once more, with the tests of rows.
fn tests_of_rows() -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    // With the module: this test is not to run itself.
    command.arg("::row_").env_remove("FAIRLEAD_SOAK");
    command
}

/// The names of tests by their rows, without modules.
fn named() -> BTreeMap<usize, BTreeSet<String>> {
    let list = tests_of_rows().args(["--list", "--format=terse"]).output().unwrap();
    let mut rows = BTreeMap::<_, BTreeSet<_>>::new();
    for line in String::from_utf8(list.stdout).unwrap().lines() {
        let name = line.trim_end_matches(": test").rsplit("::").next().unwrap();
        let digits = name.strip_prefix("row_").and_then(|rest| rest.get(..2)).unwrap();
        rows.entry(digits.parse().unwrap()).or_default().insert(name.to_owned());
    }
    rows
}

/// What comes of each test.
fn results() -> BTreeMap<String, String> {
    let skips = tempfile::NamedTempFile::new().unwrap();
    let run = tests_of_rows().env("FAIRLEAD_SKIPS", skips.path()).output().unwrap();
    let (said, mut results) = (String::from_utf8(run.stdout).unwrap(), BTreeMap::new());
    if !run.status.success() {
        eprintln!("{said}");
    }
    for line in said.lines() {
        if let Some((name, result)) = line.strip_prefix("test ").and_then(|l| l.split_once(" ... "))
        {
            let name = name.rsplit("::").next().unwrap().to_owned();
            let result = if result == "ok" { "passes" } else { "**fails**" };
            results.insert(name, result.to_owned());
        }
    }
    for skip in fs::read_to_string(skips.path()).unwrap().lines() {
        let name = skip.trim_start_matches("SKIP ").split(':').next().unwrap();
        results.insert(name.to_owned(), "skipped".to_owned());
    }
    results
}

fn page(result: impl Fn(&str) -> String) -> String {
    let (named, mut page) = (named(), HEAD.to_owned());
    for (i, (what, different)) in ROWS.iter().enumerate() {
        let tests: Vec<_> = named.get(&(i + 1)).into_iter().flatten().collect();
        let names: Vec<_> = tests.iter().map(|name| format!("`{name}`")).collect();
        let results: BTreeSet<_> = tests.iter().map(|name| result(name)).collect();
        let result = match results.len() {
            0 => "no test".to_owned(),
            _ => results.into_iter().collect::<Vec<_>>().join(", "),
        };
        let names = names.join("<br>");
        writeln!(page, "| {} | {what} | {different} | {names} | {result} |", i + 1).unwrap();
    }
    page
}

/// To write the page anew: `FAIRLEAD_WRITE_DOCS=1 ./dev test the_page_on_parity`
#[test]
fn the_page_on_parity_says_what_came_of_the_tests_of_each_row() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/parity.md");
    let results = results();
    let page = page(|name| results.get(name).cloned().unwrap_or_else(|| "did not run".to_owned()));
    if env::var_os("FAIRLEAD_WRITE_DOCS").is_some() {
        fs::write(path, &page).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap();
    for (committed, seen) in committed.lines().zip(page.lines()) {
        if committed != seen && seen.ends_with("skipped |") {
            skip("the_page_on_parity_says_what_came_of_the_tests_of_each_row", seen);
        } else {
            assert_eq!(committed, seen);
        }
    }
    assert_eq!(committed.lines().count(), page.lines().count());
}
