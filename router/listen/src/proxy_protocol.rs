//! The PROXY protocol, versions 1 and 2: who the client of a load balancer is, told before its first byte.
//!
//! Source: <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>. No I/O: bytes in, a verdict out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest header that is read. Version 1 has at most 107 bytes (§2.1); of version 2 a load balancer's additions (TLVs) take some
/// hundred, and the standard's bound of 64 KiB is nobody's need.
pub const LONGEST: usize = 4096;

const LONGEST_V1: usize = 107;
const SIGNATURE_V2: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const PREFIX_V1: &[u8] = b"PROXY ";

/// What the first bytes of a connection say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// A beginning of a header; more is needed.
    Incomplete,
    /// A whole header.
    Whole {
        /// What it says.
        header: Header,
        /// How many bytes it has. What follows is the client's.
        len: usize,
    },
    /// No header.
    Invalid,
}

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// The connection is the load balancer's own, such as a health check, or it does not know for whom it is.
    Local,
    /// The connection is made for a client.
    Proxied {
        /// The client.
        source: SocketAddr,
        /// What the client connected to.
        destination: SocketAddr,
    },
}

/// Judges the first bytes of a connection.
pub fn judge(bytes: &[u8]) -> Verdict {
    let begins = |with: &[u8]| {
        let common = bytes.len().min(with.len());
        bytes[..common] == with[..common]
    };
    if begins(SIGNATURE_V2) {
        version_2(bytes)
    } else if begins(PREFIX_V1) {
        version_1(bytes)
    } else {
        Verdict::Invalid
    }
}

fn version_1(bytes: &[u8]) -> Verdict {
    let head = &bytes[..bytes.len().min(LONGEST_V1)];
    let Some(end) = head.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < LONGEST_V1 { Verdict::Incomplete } else { Verdict::Invalid };
    };
    match str::from_utf8(&head[..end]).ok().and_then(header_1) {
        Some(header) => Verdict::Whole { header, len: end + 2 },
        None => Verdict::Invalid,
    }
}

/// `PROXY TCP4 192.0.2.1 198.51.100.1 4711 443`
fn header_1(line: &str) -> Option<Header> {
    let mut words = line.split(' ').skip(1);
    let protocol = words.next()?;
    if protocol == "UNKNOWN" {
        // §2.1: the rest of the line is to be ignored.
        return Some(Header::Local);
    }
    let is_of_protocol = |ip: &IpAddr| match protocol {
        "TCP4" => ip.is_ipv4(),
        "TCP6" => ip.is_ipv6(),
        _ => false,
    };
    let mut address = || words.next()?.parse::<IpAddr>().ok().filter(is_of_protocol);
    let (source, destination) = (address()?, address()?);
    let mut port = || words.next().filter(|word| !word.starts_with('+'))?.parse::<u16>().ok();
    let (source_port, destination_port) = (port()?, port()?);
    words
        .next()
        .is_none()
        .then(|| Header::proxied(source, source_port, destination, destination_port))
}

fn version_2(bytes: &[u8]) -> Verdict {
    let Some((&[version_and_command, family, high, low], rest)) =
        bytes.get(SIGNATURE_V2.len()..).and_then(|rest| rest.split_first_chunk::<4>())
    else {
        return Verdict::Incomplete;
    };
    let body = usize::from(u16::from_be_bytes([high, low]));
    let len = SIGNATURE_V2.len() + 4 + body;
    if version_and_command >> 4 != 2 || len > LONGEST {
        return Verdict::Invalid;
    }
    let Some(body) = rest.get(..body) else { return Verdict::Incomplete };
    let header = match (version_and_command & 0xf, family) {
        // LOCAL; or for nobody knows whom.
        (0, _) | (1, 0) => Some(Header::Local),
        (1, 0x11) => header_2::<4>(body, |octets| Ipv4Addr::from(octets).into()),
        (1, 0x21) => header_2::<16>(body, |octets| Ipv6Addr::from(octets).into()),
        // Datagrams and Unix sockets are none of our clients.
        _ => None,
    };
    header.map_or(Verdict::Invalid, |header| Verdict::Whole { header, len })
}

/// Two addresses of `N` bytes and two ports; what follows are additions.
fn header_2<const N: usize>(body: &[u8], ip: fn([u8; N]) -> IpAddr) -> Option<Header> {
    let (source, rest) = body.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (source_port, rest) = rest.split_first_chunk::<2>()?;
    let (destination_port, _) = rest.split_first_chunk::<2>()?;
    let port = |bytes: &[u8; 2]| u16::from_be_bytes(*bytes);
    Some(Header::proxied(ip(*source), port(source_port), ip(*destination), port(destination_port)))
}

impl Header {
    fn proxied(
        source: IpAddr,
        source_port: u16,
        destination: IpAddr,
        destination_port: u16,
    ) -> Self {
        Self::Proxied {
            source: SocketAddr::new(source.to_canonical(), source_port),
            destination: SocketAddr::new(destination.to_canonical(), destination_port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxied(source: &str, destination: &str, len: usize) -> Verdict {
        let [source, destination] = [source, destination].map(|text| text.parse().unwrap());
        Verdict::Whole { header: Header::Proxied { source, destination }, len }
    }

    fn local(len: usize) -> Verdict {
        Verdict::Whole { header: Header::Local, len }
    }

    fn v2(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&SIGNATURE_V2[..], &[command, family], &len, body].concat()
    }

    const IPV4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xbb];

    #[test]
    fn version_1_is_a_line() {
        for (text, expected) in [
            (
                "PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\nGET",
                proxied("192.0.2.1:4711", "198.51.100.1:443", 44),
            ),
            (
                "PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n",
                proxied("[2001:db8::1]:1", "[2001:db8::2]:65535", 44),
            ),
            (
                "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.1 1 2\r\n",
                proxied("192.0.2.1:1", "198.51.100.1:2", 53),
            ),
            ("PROXY UNKNOWN\r\n", local(15)),
            ("PROXY UNKNOWN whatever it is\r\nGET", local(30)),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 4711 443 more\r\n", Verdict::Invalid),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 4711 70000\r\n", Verdict::Invalid),
            ("PROXY TCP4 192.0.2.1 198.51.100.1 4711 +443\r\n", Verdict::Invalid),
            ("PROXY TCP4 192.0.2.1  198.51.100.1 4711 443\r\n", Verdict::Invalid),
            ("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n", Verdict::Invalid),
            ("PROXY TCP6 192.0.2.1 198.51.100.1 1 2\r\n", Verdict::Invalid),
            ("PROXY UDP4 192.0.2.1 198.51.100.1 1 2\r\n", Verdict::Invalid),
            ("PROXY TCP4 192.0.2.1\r\n", Verdict::Invalid),
            ("PROXY\r\n", Verdict::Invalid),
            ("GET / HTTP/1.1\r\n", Verdict::Invalid),
            ("proxy UNKNOWN\r\n", Verdict::Invalid),
        ] {
            assert_eq!(judge(text.as_bytes()), expected, "{text:?}");
        }
        let long = format!("PROXY UNKNOWN {}", "x".repeat(LONGEST_V1));
        assert_eq!(judge(&long.as_bytes()[..LONGEST_V1 - 1]), Verdict::Incomplete);
        assert_eq!(judge(long.as_bytes()), Verdict::Invalid);
    }

    #[test]
    fn version_2_is_binary() {
        let more = [&IPV4[..], &[4, 0, 1, 0]].concat();
        let mut ipv6 = [0; 36];
        ipv6[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
        ipv6[15] = 1;
        ipv6[31] = 1;
        ipv6[33] = 80;
        ipv6[35] = 90;
        for (bytes, expected) in [
            (v2(0x21, 0x11, &IPV4), proxied("192.0.2.1:4711", "198.51.100.1:443", 28)),
            (v2(0x21, 0x11, &more), proxied("192.0.2.1:4711", "198.51.100.1:443", 32)),
            (v2(0x21, 0x21, &ipv6), proxied("[2001:db8::1]:80", "[::1]:90", 52)),
            (v2(0x20, 0x00, &[]), local(16)),
            (v2(0x20, 0x11, &IPV4), local(28)),
            (v2(0x21, 0x00, &[]), local(16)),
            (v2(0x21, 0x11, &IPV4[..11]), Verdict::Invalid),
            (v2(0x21, 0x21, &IPV4), Verdict::Invalid),
            (v2(0x21, 0x12, &IPV4), Verdict::Invalid),
            (v2(0x21, 0x31, &[0; 216]), Verdict::Invalid),
            (v2(0x22, 0x11, &IPV4), Verdict::Invalid),
            (v2(0x11, 0x11, &IPV4), Verdict::Invalid),
            (v2(0x20, 0x00, &[0; LONGEST - 16]), local(LONGEST)),
            (v2(0x20, 0x00, &[0; LONGEST - 15]), Verdict::Invalid),
        ] {
            assert_eq!(judge(&bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn every_beginning_of_a_header_is_incomplete_and_what_follows_is_left() {
        let line = b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n".to_vec();
        for header in [line, v2(0x21, 0x11, &IPV4)] {
            for n in 0..header.len() {
                assert_eq!(judge(&header[..n]), Verdict::Incomplete, "{n} bytes");
            }
            let whole = judge(&header);
            assert_eq!(whole, proxied("192.0.2.1:4711", "198.51.100.1:443", header.len()));
            assert_eq!(judge(&[&header[..], &header].concat()), whole);
        }
    }
}
