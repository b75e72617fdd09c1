use std::fmt::Write as _;

use clap::CommandFactory as _;

use super::*;

fn parse(args: &[&str]) -> Result<Flags, clap::Error> {
    Flags::try_parse_from(["fairlead-logd"].into_iter().chain(args.iter().copied()))
}

fn options(args: &[&str], lines: Option<u64>) -> LogdOptions {
    parse(args).unwrap().options(lines).unwrap()
}

#[test]
fn without_flags_the_options_are_the_defaults() {
    let options = options(&["--no-auth"], None);
    assert_eq!(format!("{options:?}"), format!("{:?}", LogdOptions::new(Auth::Off)));
}

#[test]
fn flags_are_read() {
    let options = options(
        &["--no-auth", "--http=127.0.0.1:0", "--memory=1Gi", "--app-bytes=5000", "--app-age=24h"],
        Some(1_000),
    );
    assert_eq!(options.http, "127.0.0.1:0".parse().unwrap());
    assert_eq!(options.memory, 1 << 30);
    let age = Duration::from_secs(24 * 3_600);
    assert_eq!(options.limits, AppLimits { bytes: 5_000, lines: 1_000, age });
    let flags = ["--no-auth", "--app-lines=7"];
    assert_eq!(super::tests::options(&flags, Some(1_000)).limits.lines, 7);
}

#[test]
fn a_bad_value_names_its_flag() {
    let bad = ["--http=8088", "--memory=0", "--memory=1Ti", "--app-age=1y", "--shards=0"];
    for arg in bad.into_iter().chain(["--peers=http://logd:8088", "--peers=service:logd"]) {
        let error = parse(&["--no-auth", arg]).unwrap_err();
        let flag = arg.split_once('=').unwrap().0;
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(flag), "{error}");
    }
}

#[test]
fn which_of_several_it_is_is_told_with_them() {
    assert!(parse(&["--no-auth"]).unwrap().peers().unwrap().is_none());
    let flags = parse(&["--no-auth", "--peers=service:fairlead/logd", "--name=logd-0"]).unwrap();
    let service = Logds::Service { namespace: "fairlead".to_owned(), name: "logd".to_owned() };
    assert_eq!(flags.peers().unwrap(), Some((service, "logd-0".to_owned())));
    assert!(parse(&["--no-auth", "--name=logd-0"]).is_err());
    // What comes by syslog stays where it comes, and would be looked for elsewhere.
    let both = ["--no-auth", "--peers=service:a/b", "--syslog=[::]:1514", "--syslog-app=*=c/d"];
    let error = parse(&both).unwrap_err().to_string();
    assert!(error.contains("--peers") && error.contains("cannot be used with"), "{error}");
}

#[test]
fn either_tokens_or_none() {
    let error = parse(&[]).unwrap_err().to_string();
    assert!(error.contains("--token-keys"), "{error}");
    assert!(parse(&["--no-auth", "--token-keys=/x"]).is_err());
    let error = parse(&["--token-keys=/nonexistent"]).unwrap().options(None).unwrap_err();
    assert!(error.to_string().starts_with("--token-keys /nonexistent: "), "{error}");
}

/// The reference page is made from the flags. To write it anew: `FAIRLEAD_WRITE_DOCS=1 ./dev test flags`
#[test]
fn the_reference_page_shows_every_flag() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/logd-flags.md");
    let page = page();
    if std::env::var_os("FAIRLEAD_WRITE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), page);
}

fn page() -> String {
    let command = Flags::command();
    let mut page = "# Flags of fairlead-logd\n\n\
        Each flag can be given by its environment variable instead. Durations are a whole number with \
        `ms`, `s`, `m`, `h` or `d`, sizes one with\n`Ki`, `Mi` or `Gi`. logd exits with 0 after a \
        shutdown, 1 when it could not start, 2 for a flag that cannot be read.\n\n\
        | Flag | Variable | Default | Meaning |\n|---|---|---|---|\n"
        .to_owned();
    for arg in command.get_arguments() {
        let Some(env) = arg.get_env() else { continue };
        let value = match arg.get_action().takes_values() {
            true => format!(" {}", arg.get_value_names().unwrap()[0]),
            false => String::new(),
        };
        let help = arg.get_help().unwrap().to_string();
        let (help, implied) = match help.split_once(" [default: ") {
            Some((help, implied)) => (help.to_owned(), implied.trim_end_matches(']').to_owned()),
            None => (help, "none".to_owned()),
        };
        let default = arg.get_default_values().first().filter(|_| !value.is_empty());
        let default = default.map_or(implied, |d| format!("`{}`", d.to_str().unwrap()));
        let (long, env) = (arg.get_long().unwrap(), env.to_str().unwrap());
        writeln!(page, "| `--{long}{value}` | `{env}` | {default} | {help} |").unwrap();
    }
    page
}
