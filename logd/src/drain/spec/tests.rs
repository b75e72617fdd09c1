use fairlead_drain::Guard;
use fairlead_wire::Stream;

use super::*;

fn means() -> Means {
    let network = Network::new(Guard::tenant(Vec::new(), Vec::new()), 1);
    Means { network, hosts: Arc::default(), kinds: Arc::default() }
}

fn read_as(owner: Owner<'_>, pairs: &[(&str, &str)]) -> Result<Declared, SpecError> {
    let data = pairs.iter().map(|(key, value)| ((*key).to_owned(), value.as_bytes().to_vec()));
    read("shop/drain".into(), &data.collect(), owner, &means())
}

const URL: (&str, &str) = ("url", "syslog+tcp://logs.example:514");

#[test]
fn the_scope_follows_the_namespace() {
    let platform = |app| scope(app, Owner::Platform);
    let shop = |app| scope(app, Owner::Namespace("shop"));
    let app = |name: &str| Ok(Scope::App(name.parse().unwrap()));
    assert_eq!(platform(None), Ok(Scope::All));
    assert_eq!(platform(Some("bank/web")), app("bank/web"));
    assert_eq!(platform(Some("web")), app("web/web"));
    assert_eq!(shop(None), Ok(Scope::Namespace("shop".to_owned())));
    assert_eq!(shop(Some("web")), app("shop/web"));
    assert_eq!(shop(Some("shop/web")), app("shop/web"));
    assert_eq!(
        shop(Some("bank/web")).unwrap_err().to_string(),
        "key app: bank/web is in another namespace: a drain in shop is for its apps alone"
    );
}

#[test]
fn what_is_wrong_names_the_secret_the_key_and_what_to_do_and_shows_no_value() {
    let secret = "s3cr3t";
    for (pairs, problem) in [
        (vec![], "key url is missing: write where lines are to be sent to"),
        (vec![("url", "nonsense s3cr3t")], "key url: the URL has not the form "),
        (vec![("url", "ftp://u:s3cr3t@h:1")], "key url: the URL's scheme is unknown"),
        (vec![URL, ("Filter", "")], "key \"Filter\" is unknown: known are url, app, "),
        (vec![URL, ("app", "a b")], "key app: \"a b/a b\" is no name of an app"),
        (vec![URL, ("filter", "web")], "key filter: write NAME=VALUE, as in process=web"),
        (vec![URL, ("filter", "color=red")], "key filter: \"color\" is unknown: known are process"),
        (
            vec![URL, ("filter", "process=web,regex=a[^c]{300}e")],
            "key filter: \"regex\" is unknown: known are process, pod, stream, contains, invert",
        ),
        (vec![URL, ("filter", "stream=both")], "key filter: stream=\"both\": write stdout or "),
        (vec![URL, ("tls.key", secret)], "key tls.crt and tls.key belong together"),
        (vec![URL, ("ca.crt", secret)], "key ca.crt holds no "),
        (vec![URL, ("token", "s3cr3t with space")], "key token is not "),
    ] {
        let error = read_as(Owner::Platform, &pairs).unwrap_err().to_string();
        assert!(error.starts_with(&format!("shop/drain: {problem}")), "{error}");
        assert!(!error.contains(secret), "{error}");
    }
}

#[test]
fn a_filter_is_written_as_one_line() {
    let read = filter("process=web,process=worker, stream=stderr,contains=a,b=c").unwrap();
    assert_eq!(read.processes, ["web", "worker"]);
    assert_eq!(read.stream, Some(Stream::Stderr));
    assert!(read.text.is_some() && !read.is_empty());
    assert!(filter("").unwrap().is_empty());
}
