//! `Accept-Encoding` in any number of lines: never a panic, and a coding that is refused is never chosen.
#![no_main]

use fairlead_router_core::compression::Coding;
use http::{HeaderMap, HeaderValue, header::ACCEPT_ENCODING};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(16) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(ACCEPT_ENCODING, value);
        }
    }
    let Some(coding) = Coding::accepted(&headers) else { return };
    let refused = format!("{};q=0", coding.name());
    headers.append(ACCEPT_ENCODING, HeaderValue::try_from(refused).expect("it is text"));
    assert_ne!(Coding::accepted(&headers), Some(coding), "the last word counts");
});
