//! A line of Docker's `json-file` driver.
#![no_main]

use fairlead_shipper::line::docker_json;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let mut scratch = Vec::new();
    let Some(read) = docker_json::parse(line, &mut scratch) else { return };
    assert!(read.payload.len() < line.len(), "unescaping never makes text longer");
});
