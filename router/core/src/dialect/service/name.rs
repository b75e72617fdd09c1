//! The hosts that a Service names; which ones these are depends on the router's settings.

use std::sync::Arc;

use crate::{
    host::{HostError, HostPattern, HostRegex, normalise_name},
    settings::Settings,
};

/// A host as a Service names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostName {
    /// With a dot: complete.
    Full(HostPattern),
    /// Without: below the platform domain.
    Label(Arc<str>),
    /// A regular expression for names below the platform domain.
    Regex(Arc<str>),
}

/// Why a name stands for no host under these settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// No platform domain.
    #[error(
        "{0:?} has no dot and the router has no platform domain; write the full name, or start the \
         router with --platform-domain"
    )]
    NoPlatformDomain(Arc<str>),
    /// Regular expressions are not allowed.
    #[error("regular expressions are not allowed; start the router with --enable-regex-domains")]
    RegexDisabled,
}

impl Unresolved {
    /// The annotation, without prefix, that holds the name.
    pub(crate) const fn field(&self) -> &'static str {
        match self {
            Self::NoPlatformDomain(_) => "metadata.annotations[domains]",
            Self::RegexDisabled => "metadata.annotations[regexDomain]",
        }
    }
}

impl HostName {
    /// Reads a name with or without dots, or one that starts with `*.`.
    ///
    /// # Errors
    /// Says what is wrong when it is no host name.
    pub fn parse(text: &str) -> Result<Self, HostError> {
        if text.trim_end_matches('.').contains('.') {
            return HostPattern::parse(text).map(Self::Full);
        }
        let label = normalise_name(text).ok_or_else(|| HostError(text.into()))?;
        Ok(Self::Label(label.into()))
    }

    /// Whether it stands for `pattern` under these settings.
    pub fn is(&self, pattern: &HostPattern, settings: &Settings) -> bool {
        self.resolve(settings).is_ok_and(|host| host == *pattern)
    }

    /// The host that this is.
    ///
    /// # Errors
    /// When it is none under these settings.
    pub fn resolve(&self, settings: &Settings) -> Result<HostPattern, Unresolved> {
        let domain = settings.platform_domain.as_deref();
        match self {
            Self::Full(host) => Ok(host.clone()),
            Self::Label(label) => match domain {
                Some(domain) => Ok(HostPattern::Exact(format!("{label}.{domain}").into())),
                None if settings.match_any_suffix => Ok(HostPattern::AnySuffix(label.clone())),
                None => Err(Unresolved::NoPlatformDomain(label.clone())),
            },
            Self::Regex(_) if !settings.regex_domains => Err(Unresolved::RegexDisabled),
            Self::Regex(text) => match domain {
                None if !settings.match_any_suffix => {
                    Err(Unresolved::NoPlatformDomain(text.clone()))
                }
                domain => Ok(HostPattern::Regex(HostRegex {
                    text: text.clone(),
                    domain: domain.map(Into::into),
                })),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_dot_depends_on_the_settings() {
        let shown = |text: &str, settings: &Settings| {
            let name = HostName::parse(text).map_err(|e| e.to_string())?;
            name.resolve(settings).map(|host| host.to_string()).map_err(|e| e.to_string())
        };
        let none = Settings::default();
        let any = Settings { match_any_suffix: true, ..Settings::default() };
        let domain = Settings { platform_domain: Some("apps.example".into()), ..any.clone() };
        for (text, expected) in [
            ("Web", ["web.*", "web.apps.example"]),
            ("web.", ["web.*", "web.apps.example"]),
            ("web.example", ["web.example", "web.example"]),
            ("*.example.org", ["*.example.org", "*.example.org"]),
        ] {
            assert_eq!([&any, &domain].map(|s| shown(text, s).unwrap()), expected, "{text}");
        }
        assert_eq!(
            shown("web", &none).unwrap_err(),
            "\"web\" has no dot and the router has no platform domain; write the full name, or \
             start the router with --platform-domain"
        );
        for text in ["bad domain", "*", "..", ""] {
            let error = format!(
                "{text:?} is not a host name; write a name such as web.example.org or *.example.org"
            );
            assert_eq!(shown(text, &domain), Err(error));
        }
    }

    #[test]
    fn a_regular_expression_is_for_the_part_before_the_platform_domain() {
        let name = HostName::Regex(r"store-\d*".into());
        let off = Settings { platform_domain: Some("apps.example".into()), ..Settings::default() };
        assert_eq!(name.resolve(&off), Err(Unresolved::RegexDisabled));
        let on = Settings { regex_domains: true, ..off };
        let Ok(HostPattern::Regex(regex)) = name.resolve(&on) else { panic!() };
        let regex = regex.compile().unwrap();
        for (host, matches) in [
            ("store-12.apps.example", true),
            ("store-.apps.example", true),
            ("store-x.apps.example", false),
            ("my-store-1.apps.example", false),
            ("store-1.apps-example", false),
            ("store-1.apps.example.org", false),
        ] {
            assert_eq!(regex.is_match(host), matches, "{host}");
        }
        let domain = Some("apps.example".into());
        for text in [")|(?:", "a)|(b", "(?x)a #", "a\\", "["] {
            let regex = HostRegex { text: text.into(), domain: domain.clone() };
            let Ok(regex) = regex.compile() else { continue };
            for host in ["anything.at.all", "b.apps.example.org", "x"] {
                assert!(!regex.is_match(host), "{text} {host}");
            }
        }
        for text in [")|(?:", "a)|(b"] {
            let regex = HostRegex { text: text.into(), domain: domain.clone() };
            assert!(regex.compile().is_err(), "{text}");
        }
    }
}
