//! Sending clients from http to https.

use crate::{policy::RequestFacts, reply::Reply};

/// Answers what came without TLS with a 301 to the same URL over TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpsRedirect {
    /// The port under which clients reach the TLS listener; left out when 443.
    pub port: u16,
}

impl HttpsRedirect {
    /// The redirect, or `None` for a request that came by TLS. Path and query
    /// are kept; a WebSocket request is sent to `wss`.
    pub fn check(&self, request: &RequestFacts<'_>) -> Option<Reply> {
        if request.secure {
            return None;
        }
        let scheme = if request.websocket { "wss" } else { "https" };
        let host = request.host;
        // RFC 9112 §3.2.4: `OPTIONS *` is OPTIONS of the URL without a path.
        let target = if request.target == "*" { "" } else { request.target };
        Some(Reply::moved(match self.port {
            443 => format!("{scheme}://{host}{target}"),
            port => format!("{scheme}://{host}:{port}{target}"),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redirect(port: u16, secure: bool, websocket: bool, target: &str) -> Option<String> {
        let client = "192.0.2.1".parse().unwrap();
        let now = std::time::Duration::ZERO;
        let facts = RequestFacts { client, secure, websocket, host: "web.example", target, now };
        HttpsRedirect { port }.check(&facts).map(|reply| reply.location.unwrap())
    }

    #[test]
    fn the_server_as_a_whole_has_a_url_without_a_path() {
        assert_eq!(redirect(443, false, false, "*").unwrap(), "https://web.example");
        assert_eq!(redirect(8443, false, false, "*").unwrap(), "https://web.example:8443");
    }

    #[test]
    fn plain_requests_go_to_the_same_url_over_tls() {
        let location = |port, secure, websocket| redirect(port, secure, websocket, "/a%20b?q=1&r=");
        assert_eq!(location(443, true, false), None);
        assert_eq!(location(443, false, false).unwrap(), "https://web.example/a%20b?q=1&r=");
        assert_eq!(location(8443, false, false).unwrap(), "https://web.example:8443/a%20b?q=1&r=");
        assert_eq!(location(443, false, true).unwrap(), "wss://web.example/a%20b?q=1&r=");
    }
}
