use std::fmt::Write as _;

use clap::CommandFactory as _;
use fairlead_router_core::object::Kind;

use super::*;

fn parse(args: &[&str]) -> Result<RouterOptions, clap::Error> {
    let args = ["fairlead-router"].into_iter().chain(args.iter().copied());
    Flags::try_parse_from(args).map(Flags::options)
}

#[test]
fn without_flags_the_options_are_the_defaults() {
    let options = parse(&["--settings=none"]).unwrap();
    assert_eq!(format!("{options:?}"), format!("{:?}", RouterOptions::default()));
}

#[test]
fn flags_are_read() {
    let options = parse(&[
        "--http=127.0.0.1:0",
        "--namespaces=shop,blog",
        "--platform-domain=Apps.Example",
        "--trusted-cidrs=10.0.0.0/8,192.0.2.1",
        "--tcp-timeout=2m",
        "--shutdown-delay=0s",
        "--access-log=deis",
        "--request-ids",
        "--tcp=5432=db/postgres:5432,127.0.0.1:0=db/redis:6379",
        "--builder=none",
        "--ssl-enforce=false",
        "--settings=Deployment/deis/deis-router",
        "--logd=service:fairlead/logd",
        "--logd-ca=/etc/logd/ca.crt",
    ])
    .unwrap();
    assert_eq!(options.http, "127.0.0.1:0".parse().unwrap());
    assert_eq!(options.namespaces, ["shop", "blog"]);
    assert_eq!(options.settings.platform_domain.as_deref(), Some("apps.example"));
    let trusted = ["10.0.0.0/8", "192.0.2.1/32"].map(|text| text.parse().unwrap());
    assert_eq!(options.settings.trusted, trusted);
    assert_eq!(options.settings.tcp_timeout, Duration::from_secs(120));
    assert_eq!(options.shutdown_delay, Duration::ZERO);
    assert_eq!(options.access_log, AccessFormat::Deis);
    assert_eq!(options.logd_ca.as_deref(), Some("/etc/logd/ca.crt".as_ref()));
    assert!(options.settings.request_ids && !options.settings.enforce_https);
    let stream = |address: &str, name, port| StreamSpec {
        address: address.parse().unwrap(),
        service: Key::new("db", name),
        port,
    };
    let expected = [stream("[::]:5432", "postgres", 5432), stream("127.0.0.1:0", "redis", 6379)];
    assert_eq!(options.settings.streams, expected);
    let object = Key::new("deis", "deis-router").of(Kind::Deployment);
    assert_eq!(options.settings_from, Some(SettingsSource::Object(object)));
    assert_eq!(parse(&["--settings=none"]).unwrap().settings_from, None);
}

#[test]
fn what_deis_has_beside_its_router_is_found_where_it_is_watched() {
    let options = parse(&["--settings=deployment/deis/deis-router"]).unwrap();
    let secret = Key::new("deis", "deis-router-platform-cert");
    let certificate = PlatformCertificate { secret, optional: true };
    assert_eq!(options.settings.platform_certificate, Some(certificate));
    let builder = StreamSpec {
        address: "[::]:2222".parse().unwrap(),
        service: Key::new("deis", "deis-builder"),
        port: 2222,
    };
    assert_eq!(options.settings.streams, [builder]);
    let options = parse(&["--settings=deployment/deis/deis-router", "--namespaces=shop"]).unwrap();
    assert_eq!(options.settings, Settings::default());
}

#[test]
fn a_bad_value_names_its_flag() {
    for arg in [
        "--http=8080",
        "--workers=0",
        "--namespaces=Shop",
        "--platform-domain=*.example",
        "--trusted-cidrs=10.0.0.0/33",
        "--tcp-timeout=0s",
        "--tcp-timeout=fast",
        "--max-connections=0",
        "--settings=deis-router",
        "--tcp=5432",
        "--tcp=5432=postgres:5432",
        "--tcp=5432=db/postgres",
        "--builder=deis-builder",
        "--settings=secret/deis/deis-router",
        "--default-whitelist=10.0.0.0/8,office",
        "--ssl-enforce=yes",
        "--access-log=xml",
    ] {
        let error = parse(&[arg]).unwrap_err();
        let flag = arg.split_once('=').unwrap().0;
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(flag), "{error}");
    }
}

/// The reference page is made from the flags. To write it anew: `FAIRLEAD_WRITE_DOCS=1 ./dev test flags`
#[test]
fn the_reference_page_shows_every_flag() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/router-flags.md");
    let page = page();
    if std::env::var_os("FAIRLEAD_WRITE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), page);
}

fn page() -> String {
    let command = Flags::command();
    let mut page = "# Flags of fairlead-router\n\n\
        Each flag can be given by its environment variable instead. Durations are a whole number with \
        `ms`, `s`, `m`, `h` or `d`.\nThe Kubernetes API is found as by kubectl: the service account of \
        the pod, else the kubeconfig.\nThe router exits with 0 after a shutdown, 1 when it could not \
        start, 2 for a flag that cannot be read.\n\n\
        | Flag | Variable | Default | Meaning |\n|---|---|---|---|\n"
        .to_owned();
    for arg in command.get_arguments().filter(|arg| arg.get_long() != Some("help")) {
        let long = arg.get_long().unwrap();
        let env = arg.get_env().map(|env| env.to_str().unwrap()).unwrap_or_default();
        if env.is_empty() {
            continue;
        }
        let value = arg.get_value_names().unwrap()[0].to_string();
        let default: Vec<_> =
            arg.get_default_values().iter().map(|v| v.to_str().unwrap()).collect();
        let help = arg.get_help().unwrap().to_string();
        let (help, implied) = match help.split_once(" [default: ") {
            Some((help, implied)) => (help.to_owned(), implied.trim_end_matches(']').to_owned()),
            None => (help, String::new()),
        };
        let default = match default.first() {
            Some(default) => format!("`{default}`"),
            None if implied.is_empty() => "none".to_owned(),
            None => implied,
        };
        writeln!(page, "| `--{long} {value}` | `{env}` | {default} | {help} |").unwrap();
    }
    page
}
