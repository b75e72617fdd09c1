//! The smallest HTTP client that shows what came back.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use crate::process::PATIENCE;

/// Status and body of `GET path`.
pub(crate) type Answer = (u16, String);

pub(crate) fn http(port: u16, host: &str, path: &str) -> Option<Answer> {
    exchange(connect(port)?, host, path, "")
}

/// Over TLS, trusting only `certificate` (PEM).
pub(crate) fn https(port: u16, host: &str, path: &str, certificate: &str) -> Option<Answer> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).ok()?).ok()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    exchange(StreamOwned::new(connection, connect(port)?), host, path, "")
}

/// `GET path` of the embedded API as the user of the kubeconfig.
pub(crate) fn api(kubeconfig: &Path, path: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let value = |key: &str| {
        text.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap().trim().to_owned()
    };
    let server = value("server:");
    // The same port serves plain HTTP.
    let host = server.strip_prefix("https://").unwrap();
    let port = host.rsplit_once(':').unwrap().1.parse().unwrap();
    let authorization = format!("Authorization: Bearer {}\r\n", value("token:"));
    let (status, body) = exchange(connect(port).unwrap(), host, path, &authorization).unwrap();
    assert_eq!(status, 200, "{body}");
    serde_json::from_str(&body).unwrap()
}

/// The certificate in a TLS Secret of the namespace `default`.
pub(crate) fn certificate(kubeconfig: &Path, secret: &str) -> String {
    let secret = api(kubeconfig, &format!("/api/v1/namespaces/default/secrets/{secret}"));
    String::from_utf8(STANDARD.decode(secret["data"]["tls.crt"].as_str().unwrap()).unwrap())
        .unwrap()
}

fn connect(port: u16) -> Option<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Some(stream)
}

fn exchange(mut stream: impl Read + Write, host: &str, path: &str, more: &str) -> Option<Answer> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    let mut bytes = Vec::new();
    // A peer that closes without TLS close_notify still gave its answer: Content-Length says whether it is whole.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    match length {
        Some(length) => (body.len() == length).then(|| (status, body.to_owned())),
        None => Some((status, dechunk(body)?)),
    }
}

fn dechunk(mut body: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (size, rest) = body.split_once("\r\n")?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.push_str(rest.get(..size)?);
        body = rest.get(size + 2..)?;
    }
}
