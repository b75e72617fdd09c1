//! What can be wrong with a drain's URL.

use thiserror::Error;

/// Bytes of a drain's URL, at most.
pub(super) const URL_CAP: usize = 4096;

/// What is wrong with a drain's URL, and what to write. Holds nothing of the URL itself, which may be
/// a secret wherever it is mistyped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TargetError {
    /// It is longer than any.
    #[error("the URL is longer than {URL_CAP} bytes")]
    TooLong,
    /// It has not the form of one.
    #[error(
        "the URL has not the form SCHEME://[USER:PASSWORD@]HOST:PORT/PATH: characters other than \
         letters, digits and -._~ in user and password are written as %XX"
    )]
    Syntax,
    /// Its scheme is unknown.
    #[error(
        "the URL's scheme is unknown: known are syslog, syslog+tcp, syslog+tls, papertrail, gelf, \
         gelf+tcp, gelf+tls, https, json+https, otlp+https, elasticsearch+https and \
         opensearch+https, and those of https with http"
    )]
    Scheme,
    /// It has no host, or what cannot be one.
    #[error("the URL's host is neither a host name nor an address: write [ADDRESS] for IPv6")]
    Host,
    /// It has no port where none is usual.
    #[error("the URL has no port, and {0} has no usual one: write HOST:PORT")]
    NoPort(&'static str),
    /// Its port is no port.
    #[error("the URL's port is no number from 1 to 65535")]
    Port,
    /// It has a user where none can be shown.
    #[error("the URL has a user, and {0} has none: a token goes into the Secret's key token")]
    User(&'static str),
    /// User or password is not text.
    #[error("the URL's user or password is not UTF-8 behind its %XX, or the user has a colon")]
    UserText,
    /// It has a path where there is none.
    #[error("the URL has a path, and {0} has none: leave out what follows the port")]
    Path(&'static str),
    /// It has a fragment, which nobody is sent.
    #[error("the URL has a # in it: write it as %23")]
    Fragment,
    /// An option is unknown. Counted from 1.
    #[error("option {nth} of the URL's query is unknown: known are {known}")]
    Option {
        /// Which one.
        nth: usize,
        /// What is known.
        known: &'static str,
    },
    /// An option has a value that it cannot have.
    #[error("the URL's option {option} is not {expected}")]
    Value {
        /// Which one.
        option: &'static str,
        /// What it can be.
        expected: &'static str,
    },
    /// An option is there twice.
    #[error("the URL's option {0} is there twice")]
    Twice(&'static str),
    /// Options say different things.
    #[error("the URL's options {0} exclude each other")]
    Together(&'static str),
}
