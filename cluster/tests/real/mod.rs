//! A real API server, where there is one.

use std::ffi::OsString;

/// The kubeconfig of a real server.
const VARIABLE: &str = "TEST_KUBECONFIG";

/// The file that the variable names; where it is not set, that is recorded once for all tests.
pub(crate) fn kubeconfig() -> Option<OsString> {
    let file = std::env::var_os(VARIABLE);
    if file.is_none() {
        fairlead_test_support::skip("real_api_server", &format!("{VARIABLE} is not set"));
    }
    file
}
