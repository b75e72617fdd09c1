//! Reading the object: its annotations on top of the flags.

use std::collections::BTreeMap;

use super::{PREFIXES, SETTINGS, VOID};
use crate::{
    diagnostic::{Diagnostic, Severity},
    dialect::{self, UNKNOWN},
    object::ObjectRef,
    settings::Settings,
};

/// The settings that the annotations of `object` make of `flags`, and what is wrong with them.
pub fn read(
    object: &ObjectRef,
    annotations: &BTreeMap<Box<str>, Box<str>>,
    flags: &Settings,
) -> (Settings, Vec<Diagnostic>) {
    let mut settings = flags.clone();
    let mut findings = Vec::new();
    let mut report = |name: &str, severity, reason: String| {
        findings.push(Diagnostic {
            object: object.clone(),
            field: format!("metadata.annotations[{name}]").into(),
            severity,
            reason: reason.into(),
        });
    };
    for setting in SETTINGS {
        let mut names = PREFIXES.iter().map(|prefix| format!("{prefix}{}", setting.name));
        let found = names.find_map(|name| Some((annotations.get(name.as_str())?, name)));
        if let Some((text, name)) = found
            && let Err(problem) = setting.set(&mut settings, text)
        {
            report(&name, problem.severity, problem.reason);
        }
    }
    if settings.proxy_protocol && settings.trusted.is_empty() {
        let reason = "nobody is trusted with the PROXY protocol, so that no proxy that speaks it is understood; \
                      name the proxies in proxyRealIpCidrs (Deis's default was 10.0.0.0/8)";
        report("useProxyProtocol", Severity::Error, reason.to_owned());
    }
    for name in annotations.keys() {
        if !dialect::PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        // The longest prefix last: it is the one that leaves a setting's name.
        let rest = PREFIXES.iter().rev().find_map(|prefix| name.strip_prefix(prefix));
        if rest.is_some_and(|rest| SETTINGS.iter().any(|setting| setting.name == rest)) {
            continue;
        }
        let reason = match VOID.iter().find(|void| Some(void.name) == rest) {
            Some(void) => void.reason(),
            None => UNKNOWN.to_owned(),
        };
        report(name, Severity::Warning, reason);
    }
    (settings, findings)
}
