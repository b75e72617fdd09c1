//! Formats of texts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::validate::names;

/// Whether a text has a format. A format that is not known says nothing, as in Kubernetes.
pub(super) fn fits(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => text.parse::<Timestamp>().is_ok(),
        "date" => text.len() == 10 && text.parse::<Date>().is_ok(),
        "duration" => is_duration(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "cidr" => is_network(text),
        "hostname" => names::subdomain(&text.to_ascii_lowercase()).is_empty(),
        "uri" => is_uri(text),
        "email" => is_address(text),
        "uuid" => text.len() == 36 && Uuid::parse_str(text).is_ok(),
        "byte" => STANDARD.decode(text).is_ok(),
        _ => true,
    }
}

/// As Go reads one: `1h30m`, `1.5s`, `-2ms`, `0`.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    let mut any = false;
    while !rest.is_empty() {
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = &rest[..rest.len() - digits.len()];
        let unit = ["ns", "us", "µs", "ms", "s", "m", "h"]
            .into_iter()
            .filter(|unit| digits.starts_with(unit))
            .max_by_key(|unit| unit.len());
        let (Ok(_), Some(unit)) = (number.parse::<f64>(), unit) else { return false };
        rest = &digits[unit.len()..];
        any = true;
    }
    any
}

fn is_network(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let most = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.parse::<u8>().is_ok_and(|length| length <= most)
}

/// With a scheme, or a path from the root.
fn is_uri(text: &str) -> bool {
    let clean = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let scheme = text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    clean && (scheme || text.starts_with('/'))
}

fn is_address(text: &str) -> bool {
    let clean = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    clean
        && text.rsplit_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && names::subdomain(&domain.to_ascii_lowercase()).is_empty()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_fit_and_texts_that_do_not() {
        let cases: [(&str, &[&str], &[&str]); 11] = [
            (
                "date-time",
                &["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.6+02:00"],
                &["2026-01-02", ""],
            ),
            ("date", &["2026-01-02"], &["2026-13-02", "2026-01-02T03:04:05Z"]),
            ("duration", &["1h30m", "1.5s", "0", "-2ms"], &["", "1", "1d", "s"]),
            ("ipv4", &["10.0.0.1"], &["10.0.0", "::1"]),
            ("ipv6", &["::1"], &["10.0.0.1", ":::"]),
            ("cidr", &["10.0.0.0/8", "fd00::/64"], &["10.0.0.0", "10.0.0.0/33", "x/8"]),
            ("hostname", &["a.example", "A"], &["-a", "a..b", ""]),
            ("uri", &["https://a.example/x?y", "/x", "mailto:a"], &["x", "", "http://a b"]),
            ("email", &["a@b.example"], &["a", "@b", "a@", "a b@c"]),
            ("uuid", &["8d83265d-a76f-4a9b-a519-bda34d99b6cb"], &["8d83265d", ""]),
            ("byte", &["YQ==", ""], &["a", "*"]),
        ];
        for (format, good, bad) in cases {
            for text in good {
                assert!(fits(format, text), "{format} {text:?}");
            }
            for text in bad {
                assert!(!fits(format, text), "{format} {text:?}");
            }
        }
    }
}
