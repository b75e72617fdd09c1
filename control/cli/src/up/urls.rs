//! Where the applications are reached.

use std::collections::BTreeSet;

use fairlead_router_core::view::RouteView;

/// The URLs of `routes`, sorted: http for each host, https for those with a certificate.
pub(crate) fn urls(routes: &[RouteView], http: u16, https: u16) -> BTreeSet<String> {
    routes
        .iter()
        .flat_map(|route| {
            let plain = format!("http://{}{}", route.host, port(http, 80));
            let tls = route.tls.then(|| format!("https://{}{}", route.host, port(https, 443)));
            [Some(plain), tls]
        })
        .flatten()
        .collect()
}

fn port(port: u16, default: u16) -> String {
    if port == default { String::new() } else { format!(":{port}") }
}
