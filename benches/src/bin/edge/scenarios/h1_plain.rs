//! Small HTTP/1.1 requests in the clear: what a proxy costs where nothing else does.

use super::traffic::{Protocol, Traffic};

pub(super) const H1_PLAIN: Traffic = Traffic {
    name: "h1-plain",
    title: "HTTP/1.1 in the clear",
    protocol: Protocol::Http1 { connections: 64 },
    large: false,
    rate: 5_000,
};
