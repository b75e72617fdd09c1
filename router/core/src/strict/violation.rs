//! Why a request is not passed on.

use http::StatusCode;

/// The methods that a refusal names (RFC 9110 §15.5.6); extensions of HTTP are let through as well.
pub const ALLOWED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// A rule that a request breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A line ends with LF alone (RFC 9112 §2.2).
    BareLineFeed,
    /// The method has other characters than upper-case letters, `-` and `_`.
    Method,
    /// TRACE or CONNECT: they show a request to others, or tunnel (RFC 9110 §9.3.6, §9.3.8).
    MethodNotAllowed,
    /// The target is in none of the forms of RFC 9112 §3.2, or has a fragment.
    Target,
    /// The path has a malformed or encoded control character, or a backslash (RFC 3986 §3.3).
    Path,
    /// Endpoints may read the path in two ways, and those lead to different rules.
    AmbiguousPath,
    /// A value of HTTP/2 begins or ends with white space (RFC 9113 §8.2.1).
    Value,
    /// `Content-Length` is repeated or not a number (RFC 9112 §6.3).
    ContentLength,
    /// `Content-Length` beside `Transfer-Encoding` (RFC 9112 §6.3).
    TwoLengths,
    /// `Transfer-Encoding` is repeated (RFC 9112 §6.1).
    TransferEncoding,
    /// A transfer coding other than `chunked` (RFC 9112 §6.1).
    TransferCoding,
    /// A WebSocket handshake with a body (RFC 6455 §4.1).
    UpgradeWithBody,
    /// An expectation other than `100-continue` (RFC 9110 §10.1.1).
    Expectation,
    /// More fields, or more bytes of them, than [`super::MAX_FIELDS`] and [`super::MAX_HEAD`]
    /// (RFC 6585 §5).
    TooLarge,
    /// TLS was agreed for another host (RFC 9110 §7.4).
    Misdirected,
}

impl Violation {
    /// The status to answer with.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The body of the answer, a line.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::BareLineFeed => "A line of this request's head does not end with CR LF.\n",
            Self::Method => "The method of this request is malformed.\n",
            Self::MethodNotAllowed => "This method is not served.\n",
            Self::Target => "The target of this request is malformed.\n",
            Self::Path => "The path of this request is malformed.\n",
            Self::AmbiguousPath => "The path of this request can be read in two ways.\n",
            Self::Value => "A field of this request begins or ends with white space.\n",
            Self::ContentLength => "The Content-Length of this request is malformed or repeated.\n",
            Self::TwoLengths => "This request has both Content-Length and Transfer-Encoding.\n",
            Self::TransferEncoding => "The Transfer-Encoding of this request is repeated.\n",
            Self::TransferCoding => "Of transfer codings only chunked is known here.\n",
            Self::UpgradeWithBody => "A request for WebSocket has no body.\n",
            Self::Expectation => "This request expects what is not known here.\n",
            Self::TooLarge => "The head of this request is too large.\n",
            Self::Misdirected => "This host is not served on a connection to another.\n",
        }
    }
}
