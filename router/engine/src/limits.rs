//! The bounds on an exchange; those on a connection are in `fairlead-router-listen`.

use std::time::Duration;

/// Bounds that hold for every exchange. Those upstream come with the rule.
#[derive(Clone, Debug)]
pub struct EngineLimits {
    /// A request body of which nothing comes; then 408, or over HTTP/2 the stream is reset. Where the
    /// endpoint speaks HTTP/2 as well, the rule's limit on waiting for it holds. 60 s.
    pub body_read: Duration,
    /// A request body that comes in drips, until the endpoint's final answer: it has this time, and a second
    /// more for each [`EngineLimits::body_rate`] bytes; then 408. 60 s.
    pub body_grace: Duration,
    /// Bytes per second that a request body has to come at in the long run. 500.
    pub body_rate: u32,
    /// A part of a response over HTTP/2, at most 64 KiB, that the client's windows do not let pass; then the stream
    /// is reset. Whether bytes leave at all is seen to by `fairlead_router_listen::Limits::write`. 60 s.
    pub body_write: Duration,
    /// How long the rest of a body is still read when it was answered without having been read;
    /// to close on unread bytes could cost the client the answer (RFC 9112 §9.6). 1 s.
    pub body_discard: Duration,
    /// Requests of a client's connection; then it ends, and the client comes back, perhaps to another
    /// router. Over HTTP/2 what is on the way by then, at most [`EngineLimits::h2_streams`], is served too. 100,000.
    pub requests: u32,
    /// Age of a client's connection, less up to a tenth by chance; then it ends behind the answer to its next request, over HTTP/2 behind
    /// the streams that are open. What became a WebSocket is no matter of requests and goes on. 1 h, as nginx's `keepalive_time`.
    pub age: Duration,
    /// Streams open at a time per HTTP/2 connection. 100.
    pub h2_streams: u32,
    /// Header list of an HTTP/2 request (RFC 9113 §6.5.2). 64 KiB.
    pub h2_header_list: u32,
    /// Bytes of a response that wait in one stream of HTTP/2 for the client to take them; more are taken from the
    /// endpoint as these leave. 64 KiB.
    pub h2_send_buffer: usize,
    /// Responses that a worker compresses at a time; further ones are passed on as they are. Each takes
    /// up to 2.7 MB. 128.
    pub compressions: usize,
    /// Whether requests are checked by `fairlead_router_core::strict` before they are passed on, and
    /// connections to endpoints kept apart by who may share them. Without, the tests show what Pingora
    /// does by itself; nothing else turns it off. `true`.
    pub strict: bool,
    /// Idle connections to endpoints kept per worker, the least recently used one closed first. 512.
    pub upstream_idle: usize,
    /// How long a connection to an endpoint is kept idle for requests that may be repeated. 60 s.
    pub upstream_idle_time: Duration,
}

impl Default for EngineLimits {
    fn default() -> Self {
        Self {
            body_read: Duration::from_secs(60),
            body_grace: Duration::from_secs(60),
            body_rate: 500,
            body_write: Duration::from_secs(60),
            body_discard: Duration::from_secs(1),
            requests: 100_000,
            age: Duration::from_secs(3_600),
            h2_streams: 100,
            h2_header_list: 64 * 1024,
            h2_send_buffer: 64 * 1024,
            compressions: 128,
            strict: true,
            upstream_idle: 512,
            upstream_idle_time: Duration::from_secs(60),
        }
    }
}
