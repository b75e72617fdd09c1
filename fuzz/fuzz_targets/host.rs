//! The `Host` of a request, and host patterns and expressions in annotations.
#![no_main]

use fairlead_router_core::{HostPattern, host::HostRegex, normalise_host};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(host) = normalise_host(text) {
        assert_eq!(normalise_host(&host).as_deref(), Some(&*host), "normalising twice changes nothing");
        assert!(!host.bytes().any(|b| b.is_ascii_uppercase() || b.is_ascii_whitespace() || b == b'/'));
    }
    if let Ok(pattern) = HostPattern::parse(text) {
        assert_eq!(HostPattern::parse(&pattern.to_string()), Ok(pattern), "a pattern reads as it is shown");
    }
    // An expression, and a name that it might reach.
    if let Some((text, name)) = text.split_once('\n')
        && let Some(name) = normalise_host(name)
    {
        let below = HostRegex { text: text.into(), domain: Some("a".into()) };
        let is_match = below.compile().is_ok_and(|matcher| matcher.is_match(&name));
        assert!(!is_match || name.ends_with(".a"), "an expression does not reach out of its domain");
    }
});
