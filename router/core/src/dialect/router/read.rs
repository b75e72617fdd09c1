//! Reading the object: its annotations on top of the flags.

use std::collections::BTreeMap;

use super::{PREFIXES, Problem, SETTINGS, VOID, values::STRICTEST};
use crate::{
    diagnostic::{Diagnostic, Severity},
    dialect::{self, UNKNOWN},
    object::ObjectRef,
    settings::Settings,
};

/// The settings that the annotations of `object` make of `flags`, and what is wrong with them. A limit on
/// clients that cannot be read stays as it is `in_force`, and is the strictest where nothing is.
pub fn read(
    object: &ObjectRef,
    annotations: &BTreeMap<Box<str>, Box<str>>,
    flags: &Settings,
    in_force: Option<&Settings>,
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
            && let Err(mut problem) = setting.set(&mut settings, text)
        {
            if let Some(last) = in_force {
                keep_limit(setting.name, &mut settings, last, &mut problem);
            }
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

/// A limit protects, and holds for all apps: a slip of the pen is not to keep out those who were served. What
/// gives access is another matter.
fn keep_limit(name: &str, settings: &mut Settings, last: &Settings, problem: &mut Problem) {
    match name {
        "rateLimit" => settings.rate = last.rate,
        "rateBurst" => settings.rate_burst = last.rate_burst,
        "concurrencyLimit" => settings.concurrency = last.concurrency,
        _ => return,
    }
    problem.reason = problem.reason.replace(STRICTEST, "Until then the value in force stays");
}
