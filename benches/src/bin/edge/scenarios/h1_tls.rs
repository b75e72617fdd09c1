//! Bodies of 16 KiB over HTTP/1.1 with TLS: copying and encrypting.

use super::traffic::{Protocol, Traffic};

pub(super) const H1_TLS: Traffic = Traffic {
    name: "h1-tls",
    title: "HTTP/1.1 over TLS, 16 KiB",
    protocol: Protocol::Http1Tls { connections: 64 },
    large: true,
    rate: 2_500,
};
