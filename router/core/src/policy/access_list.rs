//! Which clients may use an application.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

/// Networks whose clients are let in; all others are denied. An empty list denies all.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccessList(Box<[IpNet]>);

impl AccessList {
    /// The list of `networks`, in any order.
    pub fn new(mut networks: Vec<IpNet>) -> Self {
        networks.sort_unstable();
        networks.dedup();
        Self(networks.into())
    }

    /// Whether `client` is in one of the networks. An IPv4 address mapped into
    /// IPv6 counts as the IPv4 address (RFC 4291 §2.5.5.2).
    pub fn allows(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        self.0.iter().any(|network| network.contains(&client))
    }
}

/// The router-wide part of access lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessDefaults {
    /// Clients that may use every app.
    pub list: Option<AccessList>,
    /// What an app's own list does to that one.
    pub mode: ListMode,
    /// An app is closed to clients that no list lets in, even where there is no list at all.
    pub enforce: bool,
}

/// What an app's own list does to the router-wide one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListMode {
    /// Both let clients in.
    #[default]
    Extend,
    /// Only the app's own list does.
    Override,
}

impl AccessDefaults {
    /// Who may use an app with the list `own`; `None` where everybody may.
    pub fn with(&self, own: Option<&AccessList>) -> Option<AccessList> {
        if !self.enforce && self.list.is_none() && own.is_none() {
            return None;
        }
        let default = self.list.as_ref().filter(|_| own.is_none() || self.mode == ListMode::Extend);
        let networks = [default, own].into_iter().flatten().flat_map(|list| list.0.iter().copied());
        Some(AccessList::new(networks.collect()))
    }
}

impl fmt::Display for AccessList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, network) in self.0.iter().enumerate() {
            write!(f, "{}{network}", if i == 0 { "" } else { ", " })?;
        }
        f.write_str("]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_app_and_router_have_a_truth_table() {
        let list = |text: &str| AccessList::new(vec![text.parse().unwrap()]);
        let (own, default) = (list("10.0.0.0/8"), list("192.0.2.0/24"));
        let shown = |own: Option<&AccessList>, list: Option<&AccessList>, mode, enforce| {
            let defaults = AccessDefaults { list: list.cloned(), mode, enforce };
            defaults.with(own).map_or_else(|| "everybody".to_owned(), |list| list.to_string())
        };
        for (mode, both) in
            [(ListMode::Extend, "[10.0.0.0/8, 192.0.2.0/24]"), (ListMode::Override, "[10.0.0.0/8]")]
        {
            for enforce in [false, true] {
                let without = if enforce { "[]" } else { "everybody" };
                assert_eq!(shown(None, None, mode, enforce), without);
                assert_eq!(shown(Some(&own), None, mode, enforce), "[10.0.0.0/8]");
                assert_eq!(shown(None, Some(&default), mode, enforce), "[192.0.2.0/24]");
                assert_eq!(shown(Some(&own), Some(&default), mode, enforce), both);
            }
            // A list that could not be read has no networks, and still is one.
            assert_eq!(shown(Some(&AccessList::default()), None, mode, false), "[]");
        }
    }

    #[test]
    fn a_client_outside_every_network_is_denied() {
        let list =
            AccessList::new(vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()]);
        for (client, allowed) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("11.0.0.1", false),
            ("2001:db8::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(list.allows(client.parse().unwrap()), allowed, "{client}");
        }
        assert!(!AccessList::default().allows("10.1.2.3".parse().unwrap()), "empty denies");
    }
}
