//! The `Host` of a request, and host patterns in annotations.
#![no_main]

use fairlead_router_core::{HostPattern, normalise_host};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(host) = normalise_host(text) {
        assert_eq!(normalise_host(&host).as_deref(), Some(&*host), "normalising twice changes nothing");
        assert!(!host.bytes().any(|b| b.is_ascii_uppercase() || b.is_ascii_whitespace() || b == b'/'));
    }
    if let Ok(pattern) = HostPattern::parse(text) {
        assert_eq!(HostPattern::parse(&pattern.to_string()), Ok(pattern), "a pattern reads as it is shown");
    }
});
