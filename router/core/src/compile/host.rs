//! Compiling one host from the claims on it.

use std::sync::Arc;

use super::{Context, rule};
use crate::{
    diagnostic::{Diagnostic, Severity},
    dialect::service::Claim,
    host::HostPattern,
    object::Kind,
    path::{PathIndex, PathMatch},
    table::Host,
};

/// The host that `claims` make, and what is wrong with it. The most senior claim
/// gets the host; the others are told whose it is.
pub(super) fn compile(
    pattern: &HostPattern,
    mut claims: Vec<Arc<Claim>>,
    context: &Context<'_>,
) -> (Option<Arc<Host>>, Vec<Diagnostic>) {
    claims.sort_unstable_by(|a, b| a.seniority().cmp(&b.seniority()));
    let Some((claim, shadowed)) = claims.split_first() else {
        return (None, Vec::new());
    };
    let mut findings: Vec<_> = shadowed.iter().map(|loser| shadow(pattern, claim, loser)).collect();
    let secret = claim.certificates.iter().find(|(host, _)| host.is(pattern, context.settings()));
    let secret = secret.map(|(_, secret)| secret);
    let slot = secret.and_then(|secret| context.slot(secret));
    if let Some(secret) = secret {
        findings.extend(match slot {
            None => Some(Diagnostic {
                object: claim.origin(),
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
    let rule = rule::compile(claim, PathMatch::Prefix("/".into()), context);
    let host = Host {
        pattern: pattern.clone(),
        rules: PathIndex::new([Arc::new(rule)]),
        certificate: slot.and_then(|slot| slot.certificate.clone()),
    };
    (Some(Arc::new(host)), findings)
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
