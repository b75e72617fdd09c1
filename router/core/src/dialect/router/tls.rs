//! Values of nginx and OpenSSL about TLS, as far as there is such a thing here.

use rustls::CipherSuite;

use super::setting::{Problem, partly, warning};
use crate::settings::Settings;

/// Cipher suites of TLS 1.2 that are offered, by the names that OpenSSL has for them.
const SUITES: [(&str, CipherSuite); 6] = [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

/// Names of versions, separated by spaces: `TLSv1.2 TLSv1.3`.
pub(super) fn protocols(settings: &mut Settings, text: &str) -> Result<(), Problem> {
    let words = || text.split_ascii_whitespace();
    let [tls12, tls13] = ["TLSv1.2", "TLSv1.3"].map(|name| words().any(|word| word == name));
    if !tls12 && !tls13 {
        return Err(warning(format!(
            "{text:?} names no version that is offered; these are TLSv1.2 and TLSv1.3"
        )));
    }
    settings.tls.versions = (tls12, tls13);
    let others: Vec<_> = words().filter(|word| !["TLSv1.2", "TLSv1.3"].contains(word)).collect();
    partly(&others, "not offered: older versions of TLS are not safe")
}

/// A list in OpenSSL's syntax. Of it the names of suites count, in their order.
pub(super) fn ciphers(settings: &mut Settings, text: &str) -> Result<(), Problem> {
    let words = || text.split([':', ',', ' ']).map(str::trim).filter(|word| !word.is_empty());
    let suite = |word: &str| SUITES.iter().find(|(name, _)| *name == word).map(|(_, suite)| *suite);
    let suites: Vec<_> = words().filter_map(suite).collect();
    if suites.is_empty() {
        let names: Vec<_> = SUITES.iter().map(|(name, _)| *name).collect();
        return Err(warning(format!(
            "{text:?} names no cipher suite that is offered; these are {}, and those of TLS 1.3, \
             which are always offered",
            names.join(":")
        )));
    }
    settings.tls.suites = Some(suites);
    let others: Vec<_> = words().filter(|word| suite(word).is_none()).collect();
    partly(
        &others,
        "not offered: only suites with forward secrecy and authenticated encryption are",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    type Read = fn(&mut Settings, &str) -> Result<(), Problem>;

    fn read(read: Read, text: &str) -> (Settings, Option<String>) {
        let mut settings = Settings::default();
        let problem = read(&mut settings, text).err().map(|problem| problem.reason);
        (settings, problem)
    }

    #[test]
    fn versions_that_are_offered_count_and_the_others_are_told() {
        let versions = |text| {
            let (settings, problem) = read(protocols, text);
            (settings.tls.versions, problem)
        };
        assert_eq!(versions("TLSv1.2 TLSv1.3"), ((true, true), None));
        assert_eq!(versions("TLSv1.3"), ((false, true), None));
        let old = "\"TLSv1\", \"TLSv1.1\" not offered: older versions of TLS are not safe";
        assert_eq!(versions("TLSv1 TLSv1.1 TLSv1.2"), ((true, false), Some(old.to_owned())));
        let none = "\"TLSv1\" names no version that is offered; these are TLSv1.2 and TLSv1.3. The default stands";
        assert_eq!(versions("TLSv1"), ((true, true), Some(none.to_owned())));
    }

    #[test]
    fn suites_that_are_offered_count_in_their_order_and_the_others_are_told() {
        let (settings, problem) = read(
            ciphers,
            "ECDHE-RSA-AES256-GCM-SHA384:DES-CBC3-SHA:ECDHE-RSA-CHACHA20-POLY1305:!DSS",
        );
        let expected = [
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ];
        assert_eq!(settings.tls.suites.as_deref(), Some(&expected[..]));
        assert!(problem.unwrap().starts_with("\"DES-CBC3-SHA\", \"!DSS\" not offered"));
        let (settings, problem) = read(ciphers, "HIGH:!aNULL");
        assert_eq!(settings.tls.suites, None);
        assert!(problem.unwrap().ends_with("The default stands"));
    }
}
