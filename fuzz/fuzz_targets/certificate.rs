//! PEM texts in Secrets.
#![no_main]

use fairlead_router_core::{Key, Secret, certificate::parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parts: (&[u8], &[u8])| {
    let bytes = |part: &[u8]| Some(part.to_vec().into());
    let secret =
        Secret { key: Key::new("shop", "web-cert"), certificate: bytes(parts.0), private_key: bytes(parts.1), authorities: None };
    let _ = parse(&secret);
});
