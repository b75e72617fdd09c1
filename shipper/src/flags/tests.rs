use std::fmt::Write as _;

use clap::CommandFactory as _;

use super::*;

fn parse(args: &[&str]) -> Result<ShipperOptions, clap::Error> {
    let args =
        ["fairlead-shipper", "--logd=http://logd:8089"].into_iter().chain(args.iter().copied());
    Flags::try_parse_from(args).map(|flags| flags.options(None).unwrap())
}

#[test]
fn without_flags_the_options_are_the_defaults() {
    let options = parse(&[]).unwrap();
    let default = ShipperOptions::to("http://logd:8089".parse().unwrap());
    assert_eq!(format!("{options:?}"), format!("{default:?}"));
}

#[test]
fn flags_are_read() {
    let options = parse(&[
        "--node=node-1",
        "--pods=/pods",
        "--state=/state",
        "--exclude-namespaces=fairlead,kube-system",
        "--rate=100",
        "--window=1",
        "--held=0",
        "--pod-wait=5s",
        "--logd-token-file=/token",
    ])
    .unwrap();
    assert_eq!((options.node.as_str(), options.rate), ("node-1", Some(100)));
    assert_eq!((options.window, options.held), (1 << 20, 0));
    assert_eq!(options.excluded_namespaces, ["fairlead", "kube-system"]);
    assert_eq!(options.pod_wait, Duration::from_secs(5));
    assert_eq!(options.credentials.token, Some(Token::File("/token".into())));
}

#[test]
fn the_own_namespaces_are_excluded_unless_they_are_wished_for() {
    let excluded = |args: &[&str]| {
        let args = ["fairlead-shipper", "--exclude-namespaces=kube-system"].iter().chain(args);
        let flags = Flags::try_parse_from(args).unwrap();
        flags.options(Some("fairlead".to_owned())).unwrap().excluded_namespaces
    };
    assert_eq!(excluded(&["--logd=http://logd:8089"]), ["kube-system", "fairlead"]);
    assert_eq!(excluded(&["--logd=service:logs/logd"]), ["kube-system", "fairlead", "logs"]);
    assert_eq!(excluded(&["--logd=service:logs/logd", "--ship-own-namespace"]), ["kube-system"]);
}

#[test]
fn a_bad_value_names_its_flag() {
    for arg in [
        "--logd=logd:8089",
        "--logd=http://logd",
        "--logd=http://logd:8089/x",
        "--logd=service:logd",
        "--rate=0",
        "--window=0",
        "--held=many",
        "--pod-wait=0s",
        "--pod-wait=5",
        "--admin=9091",
        "--logd-certificate=/c",
        "--logd-key=/k",
    ] {
        let flag = arg.split_once('=').unwrap().0;
        let error = Flags::try_parse_from(["fairlead-shipper", arg]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(flag), "{error}");
    }
    let error = Flags::try_parse_from(["fairlead-shipper"]).unwrap_err();
    assert!(error.to_string().contains("--logd"), "{error}");
}

/// The reference page is made from the flags. To write it anew: `FAIRLEAD_WRITE_DOCS=1 ./dev test flags`
#[test]
fn the_reference_page_shows_every_flag() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference/shipper-flags.md");
    let page = page();
    if std::env::var_os("FAIRLEAD_WRITE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), page);
}

fn page() -> String {
    let command = Flags::command();
    let mut page = "# Flags of fairlead-shipper\n\n\
        Each flag can be given by its environment variable instead. Durations are a whole number with \
        `ms`, `s`, `m` or `h`.\nThe Kubernetes API is found as by kubectl: the service account of \
        the pod, else the kubeconfig.\nThe shipper exits with 0 after SIGTERM or SIGINT, 1 when it could \
        not start, 2 for a flag that cannot be read.\n\n\
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
        let default = match default.first().filter(|_| implied.is_empty()) {
            Some(default) => format!("`{default}`"),
            None if arg.is_required_set() => "required".to_owned(),
            None if implied.is_empty() => "none".to_owned(),
            None => implied,
        };
        writeln!(page, "| `--{long} {value}` | `{env}` | {default} | {help} |").unwrap();
    }
    page
}
