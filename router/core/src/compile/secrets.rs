//! Secrets: certificates of hosts, and the platform's.

use super::{Compiler, authorities::Authorities, findings::Source};
use crate::{
    certificate::CertificateSlot,
    diagnostic::{Diagnostic, Severity},
    object::{Key, Kind, Secret},
    settings::PlatformCertificate,
    upstream::{self, AuthoritiesError},
};

#[derive(Debug)]
pub(super) struct SecretState {
    secret: Option<Secret>,
    pub(super) slot: CertificateSlot,
    pub(super) authorities: Authorities,
}

impl Default for SecretState {
    fn default() -> Self {
        let authorities = Err(AuthoritiesError::Missing);
        Self { secret: None, slot: CertificateSlot::default(), authorities }
    }
}

impl Compiler {
    /// Takes the new content of a Secret.
    pub(super) fn apply_secret(&mut self, key: Key, secret: Option<Secret>) {
        match secret {
            None => {
                if self.secrets.remove(&key).is_none() {
                    return;
                }
            }
            Some(secret) => {
                let state = self.secrets.entry(key.clone()).or_default();
                if state.secret.as_ref() == Some(&secret) {
                    return;
                }
                state.slot.update(&secret);
                state.authorities = upstream::authorities(secret.authorities.as_ref());
                state.secret = Some(secret);
            }
        }
        if self.table.settings.platform_certificate.as_ref().is_some_and(|p| p.secret == key) {
            self.refresh_platform();
        }
        for user in self.secret_users.get(&key).into_iter().flatten() {
            let Some(claim) = self.claims.get(user) else { continue };
            let certificates = claim.certificates.iter().filter(|(_, secret)| **secret == key);
            let upstream = claim.upstream_secrets().any(|secret| *secret == key);
            let all = claim.names().filter(|_| upstream);
            let names = certificates.map(|(name, _)| name).chain(all);
            self.dirty.extend(names.filter_map(|name| name.resolve(&self.table.settings).ok()));
        }
    }

    /// Takes the platform certificate that there is now: any host may depend on it.
    pub(super) fn refresh_platform(&mut self) {
        let settings = self.table.settings.clone();
        let Some(PlatformCertificate { secret, optional }) = &settings.platform_certificate else {
            return;
        };
        let slot = self.secrets.get(secret).map(|state| &state.slot);
        let finding = |field: &'static str, reason: String| Diagnostic {
            object: secret.of(Kind::Secret),
            field: field.into(),
            severity: Severity::Error,
            reason: reason.into(),
        };
        let finding = match slot {
            None if *optional => None,
            None => Some(finding(
                "metadata.name",
                "this Secret, which is to hold the platform certificate, does not exist".to_owned(),
            )),
            Some(CertificateSlot { error: None, .. }) => None,
            Some(CertificateSlot { error: Some(error), certificate: None, .. }) => Some(finding(
                error.field(),
                format!("{error}. Until then there is no platform certificate"),
            )),
            Some(CertificateSlot { error: Some(error), .. }) => Some(finding(
                error.field(),
                format!("{error}. The last good certificate stays in use"),
            )),
        };
        self.table.platform = slot.and_then(|slot| slot.certificate.clone());
        self.findings.set(Source::Platform, finding.into_iter().collect());
        self.touch_all();
        self.resettled = true;
    }
}
