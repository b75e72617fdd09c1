//! Certificates for applications on a laptop, which no authority would sign.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};

/// A new self-signed certificate for `names` and its key, both PEM: P-256, valid from yesterday for
/// a year, for servers only. A client that is given it as its only authority (`curl --cacert`) accepts it.
///
/// # Errors
/// When a name cannot stand in a certificate (RFC 5280 section 4.2.1.6: ASCII only).
pub(crate) fn demo_certificate(names: Vec<String>) -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(names.clone())?;
    params
        .distinguished_name
        .push(DnType::CommonName, names.first().map_or("fairlead", String::as_str));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let midnight = |date: Date| {
        rcgen::date_time_ymd(
            date.year().into(),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    params.not_before = midnight(today.saturating_sub(1.day()));
    params.not_after = midnight(today.saturating_add(1.year()));
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_and_its_key_are_pem() {
        let (certificate, key) = demo_certificate(vec!["secure.localhost".to_owned()]).unwrap();
        assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----\n"), "{certificate}");
        assert!(key.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert_eq!(certificate.matches("BEGIN").count(), 1);
    }

    #[test]
    fn two_certificates_have_two_keys() {
        let names = || vec!["secure.localhost".to_owned()];
        assert_ne!(demo_certificate(names()).unwrap().1, demo_certificate(names()).unwrap().1);
    }

    #[test]
    fn a_name_outside_ascii_is_an_error() {
        assert!(demo_certificate(vec!["bücher.localhost".to_owned()]).is_err());
    }
}
