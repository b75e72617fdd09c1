//! From EndpointSlices to the addresses that take requests.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use crate::{
    diagnostic::{Diagnostic, Severity},
    object::{EndpointSlice, Kind},
};

/// The addresses for the port named `port`: the ready ones; where there is none,
/// those that still serve, so that an app whose pods all terminate answers on.
pub(super) fn addresses<'a>(
    slices: impl Iterator<Item = &'a EndpointSlice> + Clone,
    port: &'a str,
) -> Vec<SocketAddr> {
    let of = |wanted: fn(&crate::object::SliceEndpoint) -> bool| -> Vec<SocketAddr> {
        slices
            .clone()
            .flat_map(|slice| {
                let number = slice
                    .ports
                    .iter()
                    .find(|(name, _)| **name == *port)
                    .and_then(|(_, n)| valid_port(*n));
                number.into_iter().flat_map(move |number| {
                    let endpoints = slice.endpoints.iter().filter(move |endpoint| wanted(endpoint));
                    endpoints
                        .filter_map(move |e| Some(SocketAddr::new(e.address.parse().ok()?, number)))
                })
            })
            .collect()
    };
    let ready = of(|endpoint| endpoint.ready);
    if ready.is_empty() { of(|endpoint| endpoint.serving) } else { ready }
}

/// What cannot be used of `slice`. The rest of it is in use.
pub(super) fn findings(slice: &EndpointSlice) -> Vec<Diagnostic> {
    let ports = slice
        .ports
        .iter()
        .enumerate()
        .filter(|(_, (_, number))| valid_port(*number).is_none())
        .map(|(i, (_, number))| {
            let number = number.map_or_else(|| "no number".to_owned(), |n| n.to_string());
            (format!("ports[{i}].port"), format!("{number} is not a port; a port is 1 to 65535"))
        });
    let endpoints = slice
        .endpoints
        .iter()
        .enumerate()
        .filter(|(_, e)| e.address.parse::<IpAddr>().is_err())
        .map(|(i, endpoint)| {
            let reason =
                format!("{:?} is not an IP address; requests are not sent to it", endpoint.address);
            (format!("endpoints[{i}].addresses[0]"), reason)
        });
    let object = slice.key.of(Kind::EndpointSlice);
    ports
        .chain(endpoints)
        .map(|(field, reason)| Diagnostic {
            object: object.clone(),
            field: field.into(),
            severity: Severity::Error,
            reason: reason.into(),
        })
        .collect()
}

fn valid_port(number: Option<i32>) -> Option<u16> {
    number.and_then(|number| u16::try_from(number).ok()).filter(|number| *number != 0)
}

/// All slices of one Service, by name.
pub(super) type Slices = std::collections::BTreeMap<Arc<str>, EndpointSlice>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::{Key, SliceEndpoint};

    fn slice(name: &str, port: Option<i32>, endpoints: &[(&str, bool, bool)]) -> EndpointSlice {
        EndpointSlice {
            key: Key::new("shop", name),
            service: "web".into(),
            ports: vec![("".into(), port)],
            endpoints: endpoints
                .iter()
                .map(|&(address, ready, serving)| SliceEndpoint {
                    address: address.into(),
                    ready,
                    serving,
                    terminating: !ready,
                })
                .collect(),
        }
    }

    fn of(slices: &[EndpointSlice]) -> Vec<String> {
        addresses(slices.iter(), "").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn ready_ones_serve_and_terminating_ones_only_when_nothing_is_ready() {
        let one = slice("a", Some(80), &[("10.0.0.1", true, true), ("10.0.0.2", false, true)]);
        let two = slice("b", Some(81), &[("2001:db8::1", true, true)]);
        assert_eq!(of(&[one, two]), ["10.0.0.1:80", "[2001:db8::1]:81"]);
        let last = slice("a", Some(80), &[("10.0.0.1", false, false), ("10.0.0.2", false, true)]);
        assert_eq!(of(&[last]), ["10.0.0.2:80"]);
    }

    #[test]
    fn what_cannot_be_used_is_named_and_costs_only_itself() {
        let bad = slice("a", Some(80), &[("web.example", true, true), ("10.0.0.2", true, true)]);
        assert_eq!(of(std::slice::from_ref(&bad)), ["10.0.0.2:80"]);
        assert_eq!(
            findings(&bad)[0].to_string(),
            "EndpointSlice shop/a: endpoints[0].addresses[0]: \"web.example\" is not an IP address; \
             requests are not sent to it"
        );
        for port in [None, Some(0), Some(-1), Some(65536)] {
            let bad = slice("a", port, &[("10.0.0.2", true, true)]);
            assert!(of(std::slice::from_ref(&bad)).is_empty());
            assert_eq!(findings(&bad)[0].field, "ports[0].port", "{port:?}");
        }
    }
}
