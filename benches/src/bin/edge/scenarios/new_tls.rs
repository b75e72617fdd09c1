//! A new TLS connection for each request: handshakes.

use super::traffic::{Protocol, Traffic};

pub(super) const NEW_TLS: Traffic = Traffic {
    name: "new-tls",
    title: "New TLS connections",
    protocol: Protocol::NewTls { connections: 32 },
    large: false,
    rate: 600,
};
