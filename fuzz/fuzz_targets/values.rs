//! Values of the router's own settings: never a panic, and what is read once reads the same again.
#![no_main]

use fairlead_router_core::{Settings, dialect::router::SETTINGS};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for setting in SETTINGS {
        let mut settings = Settings::default();
        let first = setting.set(&mut settings, text);
        let mut again = settings.clone();
        assert_eq!(setting.set(&mut again, text), first, "{}", setting.name);
        assert_eq!(again, settings, "{}: setting twice changes nothing", setting.name);
    }
});
