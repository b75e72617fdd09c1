//! Headers of the PROXY protocol. Pingora knows none: to it they are malformed requests.

use super::{LIMIT, ending, router, scenes, setup, status};
use crate::support::{Backend, Setup, backend::OK};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: web.example\r\nConnection: close\r\n\r\n";
const V1: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 80\r\n";
/// Of 192.0.2.1, port 4711, to 198.51.100.1, port 80.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01\x12\x67\0\x50";

scenes! {
    version_1_of_a_trusted_peer, "PROXY protocol §2.1": |hardened| trusted(hardened, V1)
        => "the client is 192.0.2.1", alone "400";
    version_2_of_a_trusted_peer, "PROXY protocol §2.2": |hardened| trusted(hardened, V2)
        => "the client is 192.0.2.1", alone "400";
    version_1_of_another_peer, "PROXY protocol §2": |hardened| others(hardened, V1) => "400";
    version_2_of_another_peer, "PROXY protocol §2": |hardened| others(hardened, V2) => "400";
    none_of_a_trusted_peer, "PROXY protocol §2": |hardened| trusted(hardened, b"")
        => "closed", alone "the client is 127.0.0.1";
    version_1_twice, "PROXY protocol §2": |hardened| trusted(hardened, twice()) => "400";
    version_1_without_an_address, "PROXY protocol §2.1":
        |hardened| trusted(hardened, b"PROXY TCP4\r\n") => "closed", alone "400";
    version_1_with_an_address_that_is_none, "PROXY protocol §2.1":
        |hardened| trusted(hardened, b"PROXY TCP4 192.0.2.256 198.51.100.1 4711 80\r\n")
        => "closed", alone "400";
    version_1_with_a_port_that_is_none, "PROXY protocol §2.1":
        |hardened| trusted(hardened, b"PROXY TCP4 192.0.2.1 198.51.100.1 65536 80\r\n")
        => "closed", alone "400";
    version_1_with_an_address_of_the_other_family, "PROXY protocol §2.1":
        |hardened| trusted(hardened, b"PROXY TCP4 2001:db8::1 ::1 4711 80\r\n")
        => "closed", alone "400";
    version_1_that_ends_with_lf_alone, "PROXY protocol §2.1":
        |hardened| trusted(hardened, b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 80\n")
        => "closed", alone "400";
    version_1_longer_than_107_bytes, "PROXY protocol §2.1": |hardened| trusted(hardened, long_line())
        => "closed", alone "400";
    version_2_of_another_version, "PROXY protocol §2.2":
        |hardened| trusted(hardened, with(12, 0x31)) => "closed", alone "400";
    version_2_with_an_unknown_command, "PROXY protocol §2.2":
        |hardened| trusted(hardened, with(12, 0x2f)) => "closed", alone "400";
    version_2_shorter_than_its_addresses, "PROXY protocol §2.2":
        |hardened| trusted(hardened, [&with(15, 4)[..20], GET].concat()) => "closed", alone "400";
    version_2_longer_than_4_kib, "PROXY protocol §2.2": |hardened| trusted(hardened, with(14, 0x10))
        => "closed", alone "400";
    a_header_that_stops, "PROXY protocol §2": stopped => "closed", alone "400";
}

/// Sends `header` and a request from a peer that has to begin with a header.
async fn trusted(hardened: bool, header: impl Into<Vec<u8>>) -> String {
    let proxies = |setup: &mut Setup| setup.proxies = vec!["127.0.0.0/8".parse().unwrap()];
    told(setup(hardened, proxies), header.into()).await
}

/// As [`trusted`], from another one.
async fn others(hardened: bool, header: impl Into<Vec<u8>>) -> String {
    let proxies = |setup: &mut Setup| setup.proxies = vec!["192.0.2.0/24".parse().unwrap()];
    told(setup(hardened, proxies), header.into()).await
}

/// Who the client was to the application, or what it was answered.
async fn told(setup: Setup, mut bytes: Vec<u8>) -> String {
    let backend = Backend::answering(OK).await;
    let router = router(setup, &backend);
    let mut client = router.connect().await;
    bytes.extend(GET);
    // A refusal may come before all is sent.
    let _ = tokio::io::AsyncWriteExt::write_all(&mut client.stream, &bytes).await;
    let status = status(&mut client).await;
    let requests = backend.requests();
    let Some(request) = requests.first() else { return status };
    assert_eq!((status.as_str(), requests.len()), ("200", 1));
    let client = request.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("x-forwarded-for").then_some(value)
    });
    format!("the client is {}", client.unwrap_or("nobody"))
}

fn twice() -> Vec<u8> {
    [V1, V1].concat()
}

fn long_line() -> Vec<u8> {
    [b"PROXY UNKNOWN ", &[b'x'; 100][..], b"\r\n"].concat()
}

/// [`V2`] with another byte at `index`.
fn with(index: usize, byte: u8) -> Vec<u8> {
    let mut header = V2.to_vec();
    header[index] = byte;
    header
}

async fn stopped(hardened: bool) -> String {
    let short = |setup: &mut Setup| {
        setup.proxies = vec!["127.0.0.0/8".parse().unwrap()];
        setup.edge.handshake = LIMIT;
    };
    let backend = Backend::answering(OK).await;
    let router = router(setup(hardened, short), &backend);
    let mut client = router.connect().await;
    client.send(&V2[..20]).await;
    ending(hardened, status(&mut client)).await
}
