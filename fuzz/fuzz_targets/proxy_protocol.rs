//! The first bytes of a connection from a load balancer: never a panic; a verdict once given
//! stands, whatever follows, and a header is never longer than what was read.
#![no_main]

use fairlead_router_listen::proxy_protocol::{LONGEST, Verdict, judge};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = judge(bytes);
    for n in 0..bytes.len().min(LONGEST) {
        match judge(&bytes[..n]) {
            Verdict::Incomplete => {}
            verdict => {
                assert_eq!(verdict, whole);
                break;
            }
        }
    }
    if let Verdict::Whole { len, .. } = whole {
        assert!(len <= bytes.len().min(LONGEST));
        assert_eq!(judge(&bytes[..len]), whole);
    }
    assert!(whole != Verdict::Incomplete || bytes.len() < LONGEST);
});
