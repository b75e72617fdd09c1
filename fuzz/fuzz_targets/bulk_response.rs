//! What Elasticsearch answers: never a panic, a verdict for each line or none at all, little that is told.
#![no_main]

use fairlead_drain::elasticsearch::verdicts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u8, &[u8])| {
    let (lines, answer) = input;
    let lines = usize::from(lines);
    match verdicts(answer, lines) {
        Ok(confirmed) => {
            assert_eq!(confirmed.verdicts.len(), lines);
            let told = confirmed.complaint.unwrap_or_default();
            assert!(told.len() <= 512 && !told.contains(char::is_control));
        }
        Err(failure) => assert!(failure.message.len() <= 512),
    }
});
