//! A drain's URL, from its Secret.
#![no_main]

use fairlead_drain::target::Target;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|url: &str| {
    match Target::parse(url) {
        Ok(target) => {
            let shown = target.to_string();
            let place = format!("{}://{}", target.scheme(), target.endpoint());
            assert!(shown.ends_with(&target.endpoint().to_string()) || shown.ends_with("/…"), "{shown}");
            let again = Target::parse(&place).expect("a place reads as it is shown");
            assert_eq!(again.endpoint(), target.endpoint());
            assert_eq!(again.transport(), target.transport());
        }
        Err(error) => assert!(error.to_string().len() <= 512),
    }
});
