use std::collections::BTreeMap;

use super::*;

fn key(name: &str) -> Key {
    Key::new("shop", name)
}

/// A routable Service that takes the certificate of its host from `<certificate>-cert`.
fn service(name: &str, certificate: Option<&str>) -> Service {
    let mut annotations: BTreeMap<Box<str>, Box<str>> =
        [("router.deis.io/domains".into(), "web.example".into())].into();
    if let Some(certificate) = certificate {
        let value = format!("web.example:{certificate}");
        annotations.insert("router.deis.io/certificates".into(), value.into());
    }
    Service {
        key: key(name),
        created: 0,
        labels: [("router.deis.io/routable".into(), "true".into())].into(),
        annotations,
        ports: vec![fairlead_router_core::object::ServicePort::new("", 80)],
        external_name: None,
    }
}

fn secret(name: &str, version: u64) -> Option<(Secret, Version)> {
    Some((
        Secret { key: key(name), certificate: None, private_key: None, authorities: None },
        Some(version),
    ))
}

/// A gate and what it said since one last looked.
struct Script(Gate, Vec<Step>, Vec<(Kind, Version)>);

impl Script {
    fn new() -> Self {
        Self(Gate::default(), Vec::new(), Vec::new())
    }

    fn service(&mut self, name: &str, certificate: Option<&str>) -> Vec<String> {
        let new = service(name, certificate);
        self.0.service(key(name), Some(new), Some(1), &mut self.1);
        self.said()
    }

    fn delete_service(&mut self, name: &str) -> Vec<String> {
        self.0.service(key(name), None, Some(2), &mut self.1);
        self.said()
    }

    fn seen(&mut self, name: &str, version: Version) -> Vec<String> {
        self.0.secret_seen(&key(name), true, version, &mut self.1);
        self.said()
    }

    fn gone(&mut self, name: &str, version: u64) -> Vec<String> {
        self.0.secret_seen(&key(name), false, Some(version), &mut self.1);
        self.said()
    }

    fn read(&mut self, name: &str, secret: Option<(Secret, Version)>) -> Vec<String> {
        self.0.secret_read(&key(name), secret, &mut self.1);
        self.said()
    }

    fn said(&mut self) -> Vec<String> {
        let sign = |present: bool| if present { '+' } else { '-' };
        let say = |step| match step {
            Step::Forward(Change::Service(key, new)) => {
                Some(format!("{}{}", sign(new.is_some()), key.name))
            }
            Step::Forward(Change::Secret(key, new)) => {
                Some(format!("{}{}", sign(new.is_some()), key.name))
            }
            Step::Forward(_) => unreachable!("not seen by the gate"),
            Step::Read(key) => Some(format!("read {}", key.name)),
            Step::Forget(key) => Some(format!("forget {}", key.name)),
            Step::Settled(kind, version) => {
                self.2.push((kind, version));
                None
            }
        };
        std::mem::take(&mut self.1).into_iter().filter_map(say).collect()
    }
}

#[test]
fn only_a_secret_that_is_named_is_read() {
    let mut script = Script::new();
    assert!(script.seen("a-cert", Some(1)).is_empty());
    assert_eq!(script.service("plain", None), ["+plain"]);
    assert_eq!(script.service("web", Some("a")), ["read a-cert"]);
    assert!(!script.0.is_settled());
    assert_eq!(script.read("a-cert", secret("a-cert", 1)), ["+a-cert", "+web"]);
    assert!(script.0.is_settled());
    assert_eq!(script.service("shop", Some("a")), ["+shop"], "read already");
    assert_eq!(script.seen("a-cert", Some(2)), ["read a-cert"]);
    assert_eq!(script.read("a-cert", secret("a-cert", 2)), ["+a-cert"]);
    assert!(script.seen("a-cert", Some(2)).is_empty());
    assert_eq!(script.delete_service("shop"), ["-shop"]);
    assert_eq!(script.delete_service("web"), ["-web", "-a-cert"]);
    assert!(script.seen("a-cert", Some(3)).is_empty());
}

#[test]
fn a_missing_secret_is_asked_for_once_and_read_when_it_comes() {
    let mut script = Script::new();
    assert_eq!(script.service("web", Some("a")), ["read a-cert"]);
    assert_eq!(script.read("a-cert", None), ["+web"]);
    assert!(script.0.is_settled());
    assert_eq!(script.service("web", Some("a")), ["+web"]);
    assert_eq!(script.seen("a-cert", Some(1)), ["read a-cert"]);
    assert_eq!(script.read("a-cert", secret("a-cert", 1)), ["+a-cert"]);
    assert_eq!(script.gone("a-cert", 2), ["-a-cert"]);
}

#[test]
fn the_old_certificate_stays_until_the_new_one_is_read() {
    let mut script = Script::new();
    script.service("web", Some("a"));
    script.read("a-cert", secret("a-cert", 1));
    assert_eq!(script.service("web", Some("b")), ["read b-cert"]);
    assert_eq!(script.read("b-cert", secret("b-cert", 1)), ["+b-cert", "+web", "-a-cert"]);
}

#[test]
fn a_held_service_can_be_overtaken_and_deleted() {
    let mut script = Script::new();
    assert_eq!(script.service("web", Some("a")), ["read a-cert"]);
    assert_eq!(script.service("web", None), ["+web", "forget a-cert"]);
    assert!(script.read("a-cert", secret("a-cert", 1)).is_empty(), "not wanted any more");

    assert_eq!(script.service("web", Some("a")), ["read a-cert"]);
    assert!(script.service("web", Some("a")).is_empty(), "being read");
    assert_eq!(script.delete_service("web"), ["-web", "forget a-cert"]);
    assert!(script.0.is_settled());
}

#[test]
fn a_secret_that_cannot_be_read_holds_nobody_up_but_is_not_settled() {
    let mut script = Script::new();
    script.service("web", Some("a"));
    script.0.secret_failed(&key("a-cert"), false, &mut script.1);
    assert_eq!(script.said(), ["+web"]);
    assert!(!script.0.is_settled());
    assert_eq!(script.read("a-cert", secret("a-cert", 1)), ["+a-cert"]);
    assert!(script.0.is_settled());
}

#[test]
fn one_secret_that_is_refused_does_not_keep_all_from_being_settled() {
    let mut script = Script::new();
    script.service("web", Some("a"));
    script.0.secret_failed(&key("a-cert"), true, &mut script.1);
    assert_eq!(script.said(), ["+web"]);
    assert!(!script.0.is_settled(), "perhaps no Secret can be read");
    script.service("other", Some("b"));
    script.read("b-cert", None);
    assert!(script.0.is_settled());
    script.0.secret_failed(&key("a-cert"), false, &mut script.1);
    assert!(!script.0.is_settled(), "the server has its own troubles");
}

#[test]
fn a_secret_that_keeps_failing_delays_only_the_first_edit() {
    let mut script = Script::new();
    assert_eq!(script.service("web", Some("a")), ["read a-cert"]);
    for _ in 0..3 {
        assert!(script.service("web", Some("a")).is_empty(), "being read");
    }
    assert_eq!(script.0.waiters[&key("a-cert")].len(), 1, "of the same Service");
    script.0.secret_failed(&key("a-cert"), false, &mut script.1);
    assert_eq!(script.said(), ["+web"]);
    for name in ["web", "web", "other"] {
        assert_eq!(script.service(name, Some("a")), [format!("+{name}")], "not held again");
        script.0.secret_failed(&key("a-cert"), false, &mut script.1);
        assert!(script.said().is_empty());
    }
    assert!(script.0.waiters.is_empty());
    assert!(!script.0.is_settled());

    // A Secret that nobody names any more and then is named again is awaited anew.
    assert_eq!(script.delete_service("other"), ["-other"]);
    assert_eq!(script.delete_service("web"), ["-web", "forget a-cert"]);
    assert_eq!(script.service("web", Some("a")), ["read a-cert"]);
    assert_eq!(script.read("a-cert", secret("a-cert", 1)), ["+a-cert", "+web"]);
}

#[test]
fn a_service_that_went_on_to_another_secret_waits_for_that_alone() {
    let mut script = Script::new();
    assert_eq!(script.service("other", Some("a")), ["read a-cert"]);
    assert!(script.service("web", Some("a")).is_empty(), "being read");
    assert_eq!(script.service("web", Some("b")), ["read b-cert"]);
    assert_eq!(script.0.waiters[&key("a-cert")], [key("other")].into());
    assert_eq!(script.read("a-cert", secret("a-cert", 1)), ["+a-cert", "+other"]);
    assert_eq!(script.read("b-cert", secret("b-cert", 1)), ["+b-cert", "+web"]);
}

#[test]
fn a_read_that_was_overtaken_is_repeated_and_a_faster_one_is_not() {
    let mut script = Script::new();
    script.service("web", Some("a"));
    assert!(script.seen("a-cert", Some(5)).is_empty(), "being read");
    assert_eq!(script.read("a-cert", secret("a-cert", 1)), ["+a-cert", "+web", "read a-cert"]);
    assert_eq!(script.read("a-cert", secret("a-cert", 7)), ["+a-cert"]);
    assert!(script.seen("a-cert", Some(7)).is_empty(), "read already");
    assert!(script.gone("a-cert", 6).is_empty(), "of one that came before");
}

#[test]
fn a_secret_that_comes_while_it_is_found_missing_is_read_again() {
    let mut script = Script::new();
    script.service("web", Some("a"));
    assert!(script.seen("a-cert", Some(2)).is_empty(), "being read");
    assert_eq!(script.read("a-cert", None), ["+web", "read a-cert"]);
    assert_eq!(script.read("a-cert", secret("a-cert", 2)), ["+a-cert"]);
}

#[test]
fn a_secret_that_goes_while_it_is_read_holds_nobody_up() {
    let mut script = Script::new();
    script.service("web", Some("a"));
    assert_eq!(script.gone("a-cert", 2), ["forget a-cert", "+web"]);
    assert!(script.0.is_settled());
}

#[test]
fn a_version_is_settled_when_all_up_to_it_is_in_effect() {
    let mut script = Script::new();
    let service = |script: &mut Script, name, certificate, version| {
        let new = service(name, certificate);
        script.0.service(key(name), Some(new), Some(version), &mut script.1);
        script.said()
    };
    service(&mut script, "plain", None, 3);
    service(&mut script, "web", Some("a"), 4);
    service(&mut script, "plain", None, 5);
    script.seen("other", Some(6));
    script.seen("a-cert", Some(7));
    script.seen("other", Some(8));
    script.read("a-cert", secret("a-cert", 7));
    let (service, secret) = (Kind::Service, Kind::Secret);
    let expected = [(service, Some(3)), (secret, Some(6)), (service, Some(5)), (secret, Some(8))];
    assert_eq!(script.2, expected);
}
