//! Values of one setting alone.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use super::setting::{Problem, warning};
use crate::{
    diagnostic::Severity,
    dialect::value::{self, ValueError},
    host::HostPattern,
    object::Key,
    policy::AccessList,
    settings::Settings,
};

pub(super) fn platform_domain(settings: &mut Settings, text: &str) -> Result<(), Problem> {
    match HostPattern::parse(text.trim()) {
        Ok(HostPattern::Exact(name)) => settings.platform_domain = Some((*name).into()),
        Ok(_) => return Err(warning("write the domain without *".to_owned())),
        Err(error) => return Err(warning(error.to_string())),
    }
    Ok(())
}

pub(super) fn port(text: &str) -> Result<u16, Problem> {
    let port = value::number(text, 1..=65_535)?;
    Ok(u16::try_from(port).expect("the number is in range"))
}

pub(super) fn default_service_ip(settings: &mut Settings, text: &str) -> Result<(), Problem> {
    let text = text.trim();
    let address = text.parse().ok();
    let address = address.or_else(|| text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 80)));
    settings.default_service.address = Some(address.ok_or_else(|| {
        warning(format!("{text:?} is not an address; write one such as 10.0.0.1 or 10.0.0.1:8080"))
    })?);
    Ok(())
}

/// What holds instead of a value that restricts clients and cannot be read.
pub(super) const STRICTEST: &str = "Until then the strictest value holds";

/// What restricts clients is as strict as it can be where the value cannot be read: nobody is let in by
/// a slip of the pen.
pub(super) fn strictly<T>(
    setting: &mut T,
    value: Result<T, ValueError>,
    strictest: T,
) -> Result<(), Problem> {
    match value {
        Ok(value) => {
            *setting = value;
            Ok(())
        }
        Err(error) => {
            *setting = strictest;
            let reason = format!("{error}. {STRICTEST}");
            Err(Problem { severity: Severity::Error, reason })
        }
    }
}

/// A duration, or 0: browsers are to forget it (RFC 6797 §6.1.1).
pub(super) fn max_age(text: &str) -> Result<Duration, ValueError> {
    match text.trim() {
        "0" | "0s" => Ok(Duration::ZERO),
        text => value::duration(text),
    }
}

/// nginx's list has spaces; `text/html` is always part of it.
pub(super) fn gzip_types(settings: &mut Settings, text: &str) -> Result<(), Problem> {
    let entries = text.split([',', ' ', '\t']).map(str::trim).filter(|entry| !entry.is_empty());
    let is_type = |entry: &str| {
        let mut halves = entry.split('/');
        let valid = |half: &str| {
            !half.is_empty()
                && half.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b))
        };
        entry == "*"
            || halves.by_ref().take(2).filter(|half| valid(half)).count() == 2
                && halves.next().is_none()
    };
    if let Some(wrong) = entries.clone().find(|entry| !is_type(entry)) {
        return Err(warning(format!(
            "{wrong:?} is not a media type; write one such as application/json, or * for anything"
        )));
    }
    let types =
        ["text/html".into()].into_iter().chain(entries.map(|e| e.to_ascii_lowercase().into()));
    Arc::make_mut(&mut settings.compression).types = types.collect();
    Ok(())
}

pub(super) fn object_key(text: &str, kind: &str) -> Result<Key, Problem> {
    match text.trim().split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok(Key::new(namespace, name))
        }
        _ => Err(warning(format!("{text:?} names no {kind}; write namespace/name"))),
    }
}

pub(super) fn trusted(settings: &mut Settings, text: &str) -> Result<(), Problem> {
    let (mut networks, mut errors) = (Vec::new(), Vec::new());
    for entry in value::list(text) {
        match value::network(entry) {
            Ok(network) => networks.push(network),
            Err(error) => errors.push(error),
        }
    }
    settings.trusted = networks;
    unless(errors, "Until then this entry is not trusted")
}

pub(super) fn default_whitelist(settings: &mut Settings, text: &str) -> Result<(), Problem> {
    let (list, errors) = AccessList::read(text);
    settings.access.list = Some(list);
    unless(errors, "Until then this entry lets nobody in")
}

/// Entries of a list that cannot be read are an error, with its consequence.
fn unless(errors: Vec<ValueError>, consequence: &str) -> Result<(), Problem> {
    let errors: Vec<_> = errors.iter().map(|error| format!("{error}. {consequence}")).collect();
    if errors.is_empty() {
        return Ok(());
    }
    Err(Problem { severity: Severity::Error, reason: errors.join("; ") })
}
