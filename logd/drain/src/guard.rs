//! Which addresses may be connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use thiserror::Error;

/// Which addresses a drain may lead to.
#[derive(Debug, Clone)]
pub struct Guard(Option<Networks>);

#[derive(Debug, Clone)]
struct Networks {
    cluster: Vec<IpNet>,
    allowed: Vec<IpNet>,
}

/// An address that a drain may not lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{address} is {network}, where drains of this namespace may not lead")]
pub struct Forbidden {
    /// The address.
    pub address: IpAddr,
    /// What it is.
    pub network: &'static str,
}

impl Guard {
    /// For drains that the platform's operator sets: all addresses.
    #[must_use]
    pub const fn platform() -> Self {
        Self(None)
    }

    /// For drains that others set: public addresses outside the cluster's networks, and what the
    /// operator allows.
    #[must_use]
    pub const fn tenant(cluster: Vec<IpNet>, allowed: Vec<IpNet>) -> Self {
        Self(Some(Networks { cluster, allowed }))
    }

    /// Whether this address may be connected to. An address of IPv6 that stands for one of IPv4 is
    /// both.
    ///
    /// # Errors
    /// Says what the address is.
    pub fn check(&self, address: IpAddr) -> Result<(), Forbidden> {
        let Some(networks) = &self.0 else { return Ok(()) };
        let embedded = match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => embedded(address).map(IpAddr::V4),
        };
        let within = |networks: &[IpNet]| {
            let mut faces = std::iter::once(address).chain(embedded);
            faces.any(|face| networks.iter().any(|network| network.contains(&face)))
        };
        if within(&networks.allowed) {
            return Ok(());
        }
        let special = if within(&networks.cluster) {
            Some("in the cluster's networks")
        } else {
            match (address, embedded) {
                (IpAddr::V4(address), _) | (_, Some(IpAddr::V4(address))) => special_v4(address),
                (IpAddr::V6(address), _) => special_v6(address),
            }
        };
        special.map_or(Ok(()), |network| Err(Forbidden { address, network }))
    }
}

/// From the IANA IPv4 Special-Purpose Address Registry, with multicast (RFC 5771).
const SPECIAL_V4: [(Ipv4Net, &str); 15] = [
    (v4(0, 0, 0, 0, 8), "unspecified"),
    (v4(10, 0, 0, 0, 8), "private"),
    (v4(100, 64, 0, 0, 10), "shared by a carrier (RFC 6598)"),
    (v4(127, 0, 0, 0, 8), "loopback"),
    (v4(169, 254, 0, 0, 16), "link-local"),
    (v4(172, 16, 0, 0, 12), "private"),
    (v4(192, 0, 0, 0, 24), "reserved for protocols (RFC 6890)"),
    (v4(192, 0, 2, 0, 24), "for documentation"),
    (v4(192, 88, 99, 0, 24), "a relay of 6to4"),
    (v4(192, 168, 0, 0, 16), "private"),
    (v4(198, 18, 0, 0, 15), "for benchmarks"),
    (v4(198, 51, 100, 0, 24), "for documentation"),
    (v4(203, 0, 113, 0, 24), "for documentation"),
    (v4(224, 0, 0, 0, 4), "multicast"),
    (v4(240, 0, 0, 0, 4), "reserved"),
];

/// From the IANA IPv6 Special-Purpose Address Registry, with multicast (RFC 4291). The first that
/// holds an address says what it is; what none holds and is outside 2000::/3 is not in use.
const SPECIAL_V6: [(Ipv6Net, &str); 9] = [
    (v6([0, 0, 0, 0, 0, 0, 0, 0], 128), "unspecified"),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), "loopback"),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), "reserved for protocols (RFC 2928)"),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), "for documentation"),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), "for documentation"),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), "unique-local"),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), "link-local"),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "site-local"),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), "multicast"),
];

/// All that is given to hosts of the Internet.
const PUBLIC_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(parts: [u16; 8], bits: u8) -> Ipv6Net {
    let [a, b, c, d, e, f, g, h] = parts;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), bits)
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    SPECIAL_V4.iter().find(|(network, _)| network.contains(&address)).map(|(_, name)| *name)
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let known = SPECIAL_V6.iter().find(|(network, _)| network.contains(&address));
    match known {
        Some((_, name)) => Some(*name),
        None => (!PUBLIC_V6.contains(&address)).then_some("not in use"),
    }
}

/// The address of IPv4 that packets for this one go to in the end.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let (high, low) = match parts {
        // Mapped (RFC 4291 section 2.5.5.2), and through a translator (RFC 6052 section 2.1).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => (high, low),
        // 6to4 (RFC 3056 section 2).
        [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tenant() -> Guard {
        Guard::tenant(
            vec!["11.0.0.0/8".parse().unwrap(), "2600:1::/32".parse().unwrap()],
            vec!["10.9.0.0/16".parse().unwrap(), "fd00:9::/32".parse().unwrap()],
        )
    }

    fn check(address: &str) -> Result<(), &'static str> {
        tenant().check(address.parse().unwrap()).map_err(|forbidden| forbidden.network)
    }

    /// The first and the last address of each range, and its neighbours.
    #[test]
    fn every_range_is_refused_to_tenants_and_nothing_beside_it() {
        for (first, last, name) in [
            ("0.0.0.0", "0.255.255.255", "unspecified"),
            ("10.0.0.0", "10.8.255.255", "private"),
            ("10.10.0.0", "10.255.255.255", "private"),
            ("11.0.0.0", "11.255.255.255", "in the cluster's networks"),
            ("100.64.0.0", "100.127.255.255", "shared by a carrier (RFC 6598)"),
            ("127.0.0.0", "127.255.255.255", "loopback"),
            ("169.254.0.0", "169.254.255.255", "link-local"),
            ("169.254.169.254", "169.254.169.254", "link-local"),
            ("172.16.0.0", "172.31.255.255", "private"),
            ("192.0.0.0", "192.0.0.255", "reserved for protocols (RFC 6890)"),
            ("192.0.2.0", "192.0.2.255", "for documentation"),
            ("192.88.99.0", "192.88.99.255", "a relay of 6to4"),
            ("192.168.0.0", "192.168.255.255", "private"),
            ("198.18.0.0", "198.19.255.255", "for benchmarks"),
            ("198.51.100.0", "198.51.100.255", "for documentation"),
            ("203.0.113.0", "203.0.113.255", "for documentation"),
            ("224.0.0.0", "239.255.255.255", "multicast"),
            ("240.0.0.0", "255.255.255.255", "reserved"),
            ("::", "::", "unspecified"),
            ("::1", "::1", "loopback"),
            ("::2", "::fffe:ffff:ffff", "not in use"),
            ("::ffff:0.0.0.0", "::ffff:0.255.255.255", "unspecified"),
            ("::ffff:127.0.0.1", "::ffff:127.255.255.255", "loopback"),
            ("::ffff:169.254.169.254", "::ffff:169.254.169.254", "link-local"),
            ("::ffff:11.0.0.1", "::ffff:11.0.0.1", "in the cluster's networks"),
            ("::ffff:0:7f00:1", "::ffff:0:7f00:1", "not in use"),
            ("64:ff9b::10.0.0.1", "64:ff9b::10.8.0.1", "private"),
            ("64:ff9b::11.0.0.1", "64:ff9b::11.0.0.1", "in the cluster's networks"),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "not in use"),
            ("100::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "not in use"),
            (
                "2001::",
                "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                "reserved for protocols (RFC 2928)",
            ),
            ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "for documentation"),
            ("2002:7f00:1::", "2002:7fff:ffff:ffff:ffff:ffff:ffff:ffff", "loopback"),
            ("2002:a9fe:a9fe::", "2002:a9fe:a9fe:ffff::", "link-local"),
            ("2600:1::", "2600:1:ffff:ffff:ffff:ffff:ffff:ffff", "in the cluster's networks"),
            ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "for documentation"),
            ("4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "not in use"),
            ("fc00::", "fd00:8:ffff:ffff:ffff:ffff:ffff:ffff", "unique-local"),
            ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"),
            ("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local"),
            ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"),
        ] {
            assert_eq!(check(first), Err(name), "{first}");
            assert_eq!(check(last), Err(name), "{last}");
        }
        for public in [
            "1.0.0.0",
            "9.255.255.255",
            "12.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.88.98.255",
            "192.88.100.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "198.51.101.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2000::",
            "2001:200::",
            "2001:db7:ffff::",
            "2001:db9::",
            "2002:808:808::1",
            "2600:2::",
            "3ffe::",
            "3fff:1000::",
        ] {
            assert_eq!(check(public), Ok(()), "{public}");
        }
    }

    #[test]
    fn what_the_operator_allows_is_allowed() {
        for allowed in ["10.9.0.0", "10.9.255.255", "fd00:9::1", "::ffff:10.9.1.1"] {
            assert_eq!(check(allowed), Ok(()), "{allowed}");
        }
        assert!(Guard::platform().check("169.254.169.254".parse().unwrap()).is_ok());
    }

    proptest! {
        /// What the standard library knows to be special is refused too, in whatever form.
        #[test]
        fn no_form_of_a_special_address_passes(bits in any::<u32>()) {
            let v4 = Ipv4Addr::from_bits(bits);
            let refused = |address: IpAddr| tenant().check(address).is_err();
            let special = v4.is_loopback() || v4.is_private() || v4.is_link_local()
                || v4.is_multicast() || v4.is_unspecified() || v4.is_documentation()
                || v4.is_broadcast();
            let allowed = v4.octets()[..2] == [10, 9];
            if special && !allowed {
                prop_assert!(refused(v4.into()));
            }
            let [high, low] = [(bits >> 16) as u16, bits as u16];
            for form in [
                v4.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 1, 2, 3, 4, 5),
            ] {
                prop_assert_eq!(refused(form.into()), refused(v4.into()), "{}", form);
            }
        }
    }
}
