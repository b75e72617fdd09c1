//! Telling browsers to use https only.

use std::time::Duration;

use http::HeaderValue;

/// HTTP Strict Transport Security (RFC 6797).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StrictTransport {
    /// Responses have it.
    pub enabled: bool,
    /// How long browsers remember it.
    pub max_age: Duration,
    /// It holds for all hosts below this one too.
    pub include_sub_domains: bool,
    /// The host may be put on the lists that browsers come with.
    pub preload: bool,
}

impl Default for StrictTransport {
    /// As on Deis: disabled; else 180 days, for the host alone.
    fn default() -> Self {
        Self {
            enabled: false,
            max_age: Duration::from_secs(15_552_000),
            include_sub_domains: false,
            preload: false,
        }
    }
}

impl StrictTransport {
    /// The value of `Strict-Transport-Security`; `None` when disabled.
    pub fn header(&self) -> Option<HeaderValue> {
        if !self.enabled {
            return None;
        }
        let sub_domains = if self.include_sub_domains { "; includeSubDomains" } else { "" };
        let preload = if self.preload { "; preload" } else { "" };
        let text = format!("max-age={}{sub_domains}{preload}", self.max_age.as_secs());
        Some(HeaderValue::try_from(text).expect("digits and names of directives"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_stand_as_they_are_set() {
        let header = |include_sub_domains, preload| {
            let enabled = StrictTransport { enabled: true, ..StrictTransport::default() };
            StrictTransport { include_sub_domains, preload, ..enabled }.header().unwrap()
        };
        assert_eq!(StrictTransport::default().header(), None);
        assert_eq!(header(false, false), "max-age=15552000");
        assert_eq!(header(true, false), "max-age=15552000; includeSubDomains");
        assert_eq!(header(false, true), "max-age=15552000; preload");
        assert_eq!(header(true, true), "max-age=15552000; includeSubDomains; preload");
    }
}
