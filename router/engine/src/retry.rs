//! Whether a request that failed is tried again.

use std::net::SocketAddr;

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The endpoint at this address could not be connected to: the request has not left us.
    Connect(SocketAddr),
    /// The endpoint had closed the kept connection before anything was sent on it.
    Stale,
    /// The connection broke in the middle of the exchange.
    Broken {
        /// It had served a request before.
        reused: bool,
        /// The request may be made twice (RFC 9110 §9.2.2), and its body is absent or all in memory.
        repeatable: bool,
        /// Part of an answer has come.
        answered: bool,
    },
}

/// The attempts at one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attempts {
    /// Attempts after the first.
    pub(crate) retries: u32,
    /// An endpoint that has just refused.
    pub(crate) avoid: Option<SocketAddr>,
    /// Kept connections are no longer to be relied on.
    pub(crate) fresh: bool,
}

/// No request is tried more often than this, by the rules of [`Attempts::retry`]: once more after
/// a failure to connect, once more after a kept connection failed.
pub(crate) const MOST: usize = 3;

impl Attempts {
    /// Whether to try again after `failure`; remembers it for the next attempt.
    ///
    /// A request that may have reached an application is repeated only if that does no harm and
    /// the connection's age explains the failure: then the application probably never saw it.
    pub(crate) fn retry(&mut self, failure: Failure) -> bool {
        let again = match failure {
            Failure::Connect(address) => self.avoid.replace(address).is_none(),
            Failure::Stale => !self.fresh,
            Failure::Broken { reused, repeatable, answered } => {
                reused && repeatable && !answered && !self.fresh
            }
        };
        if again {
            self.retries += 1;
            self.fresh |= !matches!(failure, Failure::Connect(_));
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        ([10, 0, 0, 1], port).into()
    }

    #[test]
    fn a_failure_to_connect_is_retried_once_elsewhere() {
        let mut attempts = Attempts::default();
        assert!(attempts.retry(Failure::Connect(address(1))));
        assert_eq!(attempts.avoid, Some(address(1)));
        assert!(!attempts.retry(Failure::Connect(address(2))));
        assert_eq!(attempts.retries, 1);
    }

    #[test]
    fn only_a_reused_connection_without_answer_to_a_repeatable_request_is_retried() {
        for bits in 0..8 {
            let [reused, repeatable, answered] = [bits & 1, bits & 2, bits & 4].map(|bit| bit != 0);
            let mut attempts = Attempts::default();
            let again = attempts.retry(Failure::Broken { reused, repeatable, answered });
            assert_eq!(again, reused && repeatable && !answered);
            assert_eq!(attempts.fresh, again);
        }
    }

    #[test]
    fn after_a_fresh_connection_there_is_no_further_one() {
        let broken = Failure::Broken { reused: true, repeatable: true, answered: false };
        for first in [Failure::Stale, broken] {
            let mut attempts = Attempts::default();
            assert!(attempts.retry(first));
            assert!(!attempts.retry(Failure::Stale));
            assert!(!attempts.retry(broken));
            // A refusal on the way is another matter, and the last.
            assert!(attempts.retry(Failure::Connect(address(1))));
            assert!(!attempts.retry(Failure::Connect(address(1))));
            assert_eq!(attempts.retries as usize + 1, MOST);
        }
    }
}
