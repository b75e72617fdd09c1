//! Host names and host patterns.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{Serialize, Serializer};

/// The longest host name, without a trailing dot (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// A host that an application claims: an exact name, or every name below or above one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// `web.example.org`
    Exact(Arc<str>),
    /// `*.example.org`, kept as `example.org`; matches one or more labels in front of it.
    Wildcard(Arc<str>),
    /// `web.*`, kept as `web`; matches one or more labels behind it.
    AnySuffix(Arc<str>),
    /// Names that a regular expression describes.
    Regex(HostRegex),
    /// Whatever no other host is for, and requests without a host.
    Any,
}

/// A regular expression for what stands in front of a domain, or in front of anything.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostRegex {
    /// The expression, as it was written.
    pub text: Arc<str>,
    /// `example.org`; without one any name may follow.
    pub domain: Option<Arc<str>>,
}

/// Largest compiled form of an expression, in bytes. One of 20 characters has about 10 KiB.
const REGEX_SIZE: usize = 256 * 1024;

impl HostRegex {
    /// What tells which names it is for.
    ///
    /// # Errors
    /// When it is no regular expression, or too large a one.
    pub fn compile(&self) -> Result<HostMatcher, regex::Error> {
        let build = |text: &str| {
            regex::bytes::RegexBuilder::new(text)
                .unicode(false)
                .case_insensitive(true)
                .size_limit(REGEX_SIZE)
                .build()
        };
        // By itself first: with something around it, unbalanced brackets might be valid.
        build(&self.text)?;
        let rest = if self.domain.is_some() { "" } else { r"\..+" };
        let regex = build(&format!("^(?:{}){rest}$", self.text))?;
        Ok(HostMatcher { regex, domain: self.domain.clone() })
    }
}

/// A compiled [`HostRegex`].
#[derive(Clone, Debug)]
pub struct HostMatcher {
    regex: regex::bytes::Regex,
    domain: Option<Arc<str>>,
}

impl HostMatcher {
    /// Whether it is for `name`, a normalised one. The domain is compared apart from the expression,
    /// so that no expression reaches out of it. Takes time linear in the name's length.
    pub fn is_match(&self, name: &str) -> bool {
        let part = match &self.domain {
            Some(domain) => name.strip_suffix(&**domain).and_then(|rest| rest.strip_suffix('.')),
            None => Some(name),
        };
        part.is_some_and(|part| self.regex.is_match(part.as_bytes()))
    }
}

impl HostPattern {
    /// Reads `web.example.org` or `*.example.org`, in any case, with or without a trailing dot.
    ///
    /// # Errors
    /// Says what is wrong when it is no host name.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        let (wildcard, name) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let name = normalise_name(name).ok_or_else(|| HostError(text.into()))?;
        Ok(if wildcard { Self::Wildcard(name.into()) } else { Self::Exact(name.into()) })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => f.write_str(name),
            Self::Wildcard(suffix) => write!(f, "*.{suffix}"),
            Self::AnySuffix(label) => write!(f, "{label}.*"),
            Self::Any => f.write_str("*"),
            Self::Regex(HostRegex { text, domain }) => {
                write!(f, "~{text}.{}", domain.as_deref().unwrap_or("*"))
            }
        }
    }
}

impl Serialize for HostPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is no host pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a host name; write a name such as web.example.org or *.example.org")]
pub struct HostError(pub(crate) Box<str>);

/// The host of a `Host` header or authority, ready for look-up: without port and
/// trailing dot, in lower case. `None` when it is no host name or address
/// (RFC 9110 §7.2, RFC 3986 §3.2.2); allocates only where a letter changes.
pub fn normalise_host(authority: &str) -> Option<Cow<'_, str>> {
    if authority.starts_with('[') {
        let end = authority.find(']')?;
        let (address, rest) = (authority.get(1..end)?, authority.get(end + 1..)?);
        address.parse::<std::net::Ipv6Addr>().ok()?;
        port_is_valid(rest).then_some(())?;
        return authority.get(..=end).map(lower);
    }
    let colon = authority.find(':').unwrap_or(authority.len());
    let (name, port) = authority.split_at(colon);
    if !port_is_valid(port) {
        return None;
    }
    normalise_name(name)
}

fn port_is_valid(port: &str) -> bool {
    match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(digits) => {
            digits.is_empty()
                || (digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok())
        }
    }
}

/// A name of one label or several, in lower case and without a trailing dot; `None` when it is none.
pub(crate) fn normalise_name(name: &str) -> Option<Cow<'_, str>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let valid = !name.is_empty() && name.len() <= MAX_NAME && name.split('.').all(label_is_valid);
    valid.then(|| lower(name))
}

// Underscores are no host-name characters (RFC 952), but names with them are in use.
fn label_is_valid(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= MAX_LABEL
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn lower(text: &str) -> Cow<'_, str> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_looked_up_without_port_case_and_trailing_dot() {
        for (text, expected) in [
            ("web.example.org", Some("web.example.org")),
            ("Web.Example.ORG:8080", Some("web.example.org")),
            ("web.example.org.", Some("web.example.org")),
            ("web.example.org:", Some("web.example.org")),
            ("127.0.0.1:80", Some("127.0.0.1")),
            ("[::1]:8080", Some("[::1]")),
            ("a_b.example", Some("a_b.example")),
            ("", None),
            (".", None),
            ("a..b", None),
            ("a b", None),
            ("web.example.org:80a", None),
            ("web.example.org:99999", None),
            ("user@web.example.org", None),
            ("[::1", None),
            ("[zz]:1", None),
            ("web.example.org/path", None),
        ] {
            assert_eq!(normalise_host(text).as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_pattern_is_exact_or_a_leading_wildcard() {
        assert_eq!(HostPattern::parse("A.example."), Ok(HostPattern::Exact("a.example".into())));
        assert_eq!(HostPattern::parse("*.example"), Ok(HostPattern::Wildcard("example".into())));
        for text in ["*", "*.", "*.*.example", "a.*.example", "a*.example", "", "-/x"] {
            assert!(HostPattern::parse(text).is_err(), "{text:?}");
        }
    }
}
