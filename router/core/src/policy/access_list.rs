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
