//! The bounds that hold for every connection.

use std::time::Duration;

/// Bounds on what a connection, a client, and all clients together may take. Shared by all listeners.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The whole TLS handshake; then once more, for an HTTP/2 client, its preface and the header of its first SETTINGS frame. 10 s.
    pub handshake: Duration,
    /// A new connection's first byte of HTTP. Longer than `head` because load balancers open connections ahead of need. 60 s.
    pub first_byte: Duration,
    /// A request head as a whole, from its first byte to the call of [`busy`](crate::PhaseHandle::busy), however steadily its bytes
    /// come. Over HTTP/2 also every frame but DATA, of which a head may take several. 10 s.
    pub head: Duration,
    /// Bytes read while a request head is awaited (part of a body that comes along counts). HTTP/1 only. 64 KiB.
    pub head_bytes: usize,
    /// From the end of a response to the first byte of the next request. HTTP/1 only. 1,300 s: longer than load balancers keep
    /// theirs (AWS at most 1,200 s by Deis's reckoning), so that it is never us who closes under a request.
    pub idle: Duration,
    /// A write of which the client takes next to nothing: less than 30,000 bytes. 60 s.
    pub write: Duration,
    /// Connections open at a time, handshakes included, over all listeners and workers. 65,536.
    pub max_connections: usize,
    /// Connections open at a time from one client: an IPv4 address or an IPv6 /64. 16,384, a quarter of all: behind a load balancer
    /// a handful of addresses stand for everyone, yet no single one can lock the others out. It is less where places are few, so that
    /// a handful cannot either: of those left a client may have at most such a part as this is of the others'; but 100 always, and those that are
    /// trusted to speak for others have all of it. Set it near 100 where clients connect directly.
    pub max_connections_per_client: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            first_byte: Duration::from_secs(60),
            head: Duration::from_secs(10),
            head_bytes: 64 * 1024,
            idle: Duration::from_secs(1300),
            write: Duration::from_secs(60),
            max_connections: 65_536,
            max_connections_per_client: 16_384,
        }
    }
}
