//! The path of a request, as it is passed on, looked up, and read by an obliging endpoint.
#![no_main]

use fairlead_router_core::strict::{check, normalise};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = check(text.as_bytes());
    let Ok(normal) = normalise(text) else { return };
    let again = normalise(&normal.path).expect("what is passed on can be passed on again");
    assert_eq!(again.path, normal.path, "normalising twice changes nothing");
    assert_eq!((again.lookup, again.others), (normal.lookup.clone(), normal.others));
    assert!(normal.lookup.starts_with('/') && normal.lookup.is_ascii());
    assert!(!normal.lookup.split('/').any(|segment| matches!(segment, "." | "..")));
});
