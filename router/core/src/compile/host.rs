//! Compiling one host from the claims on it.

use std::sync::Arc;

use rustls::sign::CertifiedKey;

use super::{Context, rule};
use crate::{
    certificate,
    diagnostic::{Diagnostic, Severity},
    dialect::{
        PREFIXES,
        service::{Claim, HostName},
    },
    host::HostPattern,
    object::Kind,
    path::{PathIndex, PathMatch},
    rule::Rule,
    table::Host,
    upstream::LABEL,
};

/// The host that `claims` make, and what is wrong with it. The most senior claim
/// gets the host; the others are told whose it is. Claims that are mounted on it
/// get the paths that they name.
pub(super) fn compile(
    pattern: &HostPattern,
    mut claims: Vec<Arc<Claim>>,
    context: &Context<'_>,
) -> (Option<Arc<Host>>, Vec<Diagnostic>) {
    claims.sort_unstable_by(|a, b| a.seniority().cmp(&b.seniority()));
    let is_this = |name: &HostName| name.is(pattern, context.settings());
    let mut owners = claims.iter().filter(|claim| claim.hosts.iter().any(is_this));
    let mounted: Vec<_> = claims
        .iter()
        .filter(|claim| claim.mount.as_ref().is_some_and(|mount| is_this(&mount.host)))
        .collect();
    let Some(owner) = owners.next() else {
        return (None, mounted.into_iter().map(|claim| unowned(pattern, claim)).collect());
    };
    let mut findings: Vec<_> = owners.map(|loser| shadow(pattern, owner, loser)).collect();
    let certificate = certificate(pattern, owner, context, &mut findings);
    findings.extend(authorities(owner, context));
    findings.extend(client_certificate(owner, context));
    findings.extend(pages(owner, context));
    let mut rules = vec![rule::compile(owner, PathMatch::Prefix("/".into()), None, context)];
    for claim in mounted {
        findings.extend(authorities(claim, context));
        findings.extend(client_certificate(claim, context));
        findings.extend(pages(claim, context));
        for path in claim.mount.iter().flat_map(|mount| &mount.paths) {
            match rules.iter().find(|rule| rule.path == *path) {
                Some(rule) => findings.push(taken(pattern, path, rule, claim)),
                None => rules.push(rule::compile(claim, path.clone(), Some(owner), context)),
            }
        }
    }
    let host = Host {
        pattern: pattern.clone(),
        rules: PathIndex::new(rules.into_iter().map(Arc::new)),
        certificate,
    };
    (Some(Arc::new(host)), findings)
}

/// The certificate of the host: the owner's, else the platform's where that is for it.
fn certificate(
    pattern: &HostPattern,
    owner: &Claim,
    context: &Context<'_>,
    findings: &mut Vec<Diagnostic>,
) -> Option<Arc<CertifiedKey>> {
    let secret = owner.certificates.iter().find(|(host, _)| host.is(pattern, context.settings()));
    let secret = secret.map(|(_, secret)| secret);
    let slot = secret.and_then(|secret| context.slot(secret));
    if let Some(secret) = secret {
        findings.extend(match slot {
            None => Some(Diagnostic {
                object: owner.origin(),
                field: "metadata.annotations[certificates]".into(),
                severity: Severity::Error,
                reason: format!("Secret {secret} does not exist; until it does, {pattern} is not served over TLS")
                    .into(),
            }),
            Some(slot) => slot.error.as_ref().map(|error| Diagnostic {
                object: secret.of(Kind::Secret),
                field: error.field().into(),
                severity: Severity::Error,
                reason: match slot.certificate {
                    Some(_) => format!("{error}. The last good certificate stays in use").into(),
                    None => format!("{error}. Hosts that name it are not served over TLS").into(),
                },
            }),
        });
    }
    slot.and_then(|slot| slot.certificate.clone()).or_else(|| {
        let platform = context.platform()?;
        // The platform's own names are the certificate's purpose, whatever stands in it.
        let is_own = |name: &HostName| match name {
            HostName::Full(host) => *host == HostPattern::Any,
            HostName::Label(_) | HostName::Regex(_) => true,
        };
        let own =
            owner.hosts.iter().any(|name| is_own(name) && name.is(pattern, context.settings()));
        (own || certificate::is_valid_for(platform, pattern)).then(|| platform.clone())
    })
}

/// What is wrong with the authorities that `claim` names.
fn authorities(claim: &Claim, context: &Context<'_>) -> Option<Diagnostic> {
    let object = claim.authorities.as_ref()?;
    let (object, field, reason) = match context.authorities(object) {
        None => {
            let label = match object.kind {
                Kind::ConfigMap => {
                    format!(", or has not the label {}{LABEL}: \"true\"", PREFIXES[0])
                }
                _ => String::new(),
            };
            (
                claim.origin(),
                "metadata.annotations[upstreamCA]",
                format!("{object} does not exist{label}"),
            )
        }
        Some(authorities) => {
            let error = authorities.as_ref().err()?;
            (object.clone(), "data[ca.crt]", error.to_string())
        }
    };
    let reason = format!("{reason}. Until then the pods of {} get no requests", claim.origin());
    Some(Diagnostic {
        object,
        field: field.into(),
        severity: Severity::Error,
        reason: reason.into(),
    })
}

/// What is wrong with the certificate that the pods of `claim` are to be shown.
fn client_certificate(claim: &Claim, context: &Context<'_>) -> Option<Diagnostic> {
    let secret = claim.client_certificate.as_ref()?;
    let pods = || format!("Until then the pods of {} get no requests", claim.origin());
    let (object, field, reason) = match context.slot(secret) {
        None => (
            claim.origin(),
            "metadata.annotations[upstreamCertificate]",
            format!("Secret {secret} does not exist. {}", pods()),
        ),
        Some(slot) => {
            let error = slot.error.as_ref()?;
            let reason = match slot.certificate {
                Some(_) => format!("{error}. The last good certificate stays in use"),
                None => format!("{error}. {}", pods()),
            };
            (secret.of(Kind::Secret), error.field(), reason)
        }
    };
    Some(Diagnostic {
        object,
        field: field.into(),
        severity: Severity::Error,
        reason: reason.into(),
    })
}

/// That the pages that `claim` names are not there.
fn pages(claim: &Claim, context: &Context<'_>) -> Option<Diagnostic> {
    let key = claim.error_pages.as_ref().filter(|key| !context.has_pages(key))?;
    Some(Diagnostic {
        object: claim.origin(),
        field: "metadata.annotations[errorPages]".into(),
        severity: Severity::Warning,
        reason: super::pages::absent(key).into(),
    })
}

fn shadow(pattern: &HostPattern, winner: &Claim, loser: &Claim) -> Diagnostic {
    Diagnostic {
        object: loser.origin(),
        field: "metadata.annotations[domains]".into(),
        severity: Severity::Error,
        reason: format!(
            "{pattern} is served by {}, which claimed it first; remove it from one of them",
            winner.origin()
        )
        .into(),
    }
}

fn unowned(pattern: &HostPattern, claim: &Claim) -> Diagnostic {
    Diagnostic {
        object: claim.origin(),
        field: "metadata.annotations[proxyDomain]".into(),
        severity: Severity::Error,
        reason: format!(
            "no Service has {pattern} among its domains; until one has, nothing is served there"
        )
        .into(),
    }
}

fn taken(pattern: &HostPattern, path: &PathMatch, rule: &Rule, claim: &Claim) -> Diagnostic {
    Diagnostic {
        object: claim.origin(),
        field: "metadata.annotations[proxyLocations]".into(),
        severity: Severity::Error,
        reason: format!(
            "{path} of {pattern} is served by {}, which claimed it first; remove it from one of them",
            rule.origin
        )
        .into(),
    }
}
