//! Small HTTP/2 requests over TLS: what browsers send.

use super::traffic::{Protocol, Traffic};

pub(super) const H2_TLS: Traffic = Traffic {
    name: "h2-tls",
    title: "HTTP/2 over TLS",
    protocol: Protocol::Http2Tls { connections: 8, streams: 8 },
    large: false,
    rate: 5_000,
};
