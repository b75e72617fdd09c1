//! Answers that the router gives itself.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;

use crate::strict::Violation;

/// A complete answer, made without asking an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: StatusCode,
    /// `Content-Type`; not sent with an empty body.
    pub content_type: &'static str,
    /// `Location`, for a redirect.
    pub location: Option<String>,
    /// Because of maintenance.
    pub maintenance: bool,
    /// `Retry-After` in seconds, where waiting helps.
    pub retry_after: Option<u64>,
    /// The whole body.
    pub body: Bytes,
}

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

const MAINTENANCE_PAGE: &str = "<!DOCTYPE html>\n\
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Down for maintenance</title></head>\n\
<body><h1>Down for maintenance</h1><p>This application is being worked on. Please try again later.</p></body></html>\n";

impl Reply {
    const fn text(status: StatusCode, body: &'static str) -> Self {
        Self {
            status,
            content_type: TEXT,
            location: None,
            maintenance: false,
            retry_after: None,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    /// 200 for `/healthz` of the default virtual host.
    pub const fn healthy() -> Self {
        Self::text(StatusCode::OK, "ok\n")
    }

    /// 400 for a request without a usable `Host`.
    pub const fn bad_host() -> Self {
        Self::text(StatusCode::BAD_REQUEST, "The Host of this request is missing or malformed.\n")
    }

    /// The answer to a request that breaks a rule.
    pub const fn violation(violation: Violation) -> Self {
        Self::text(violation.status(), violation.reason())
    }

    /// 404 where no application has the host or the path.
    pub const fn not_found() -> Self {
        Self::text(StatusCode::NOT_FOUND, "No application answers at this address.\n")
    }

    /// 403 for a client that an access list leaves out.
    pub const fn forbidden() -> Self {
        Self::text(StatusCode::FORBIDDEN, "Your address may not use this application.\n")
    }

    /// 413 for a body that is larger than the application takes.
    pub const fn too_large() -> Self {
        Self::text(StatusCode::PAYLOAD_TOO_LARGE, "The body of this request is too large.\n")
    }

    /// 429 for a client that asks faster than it may (RFC 6585 §4); `wait` until it may again.
    pub fn too_many(wait: Duration) -> Self {
        let retry_after = Some(wait.as_secs() + (wait.subsec_nanos() > 0) as u64);
        let reply = Self::text(StatusCode::TOO_MANY_REQUESTS, "You are asking too often.\n");
        Self { retry_after, ..reply }
    }

    /// 503 for a client with too many requests under way.
    pub fn too_many_at_once() -> Self {
        let body = "Too many of your requests are under way.\n";
        Self { retry_after: Some(1), ..Self::text(StatusCode::SERVICE_UNAVAILABLE, body) }
    }

    /// 503 with the built-in maintenance page.
    pub const fn maintenance() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            content_type: HTML,
            location: None,
            maintenance: true,
            retry_after: None,
            body: Bytes::from_static(MAINTENANCE_PAGE.as_bytes()),
        }
    }

    /// 503 where an application has no endpoint that could answer.
    pub const fn unavailable() -> Self {
        Self::text(StatusCode::SERVICE_UNAVAILABLE, "This application has no running instance.\n")
    }

    /// 502 where an endpoint broke off or spoke something that is not HTTP.
    pub const fn bad_gateway() -> Self {
        Self::text(StatusCode::BAD_GATEWAY, "The application did not give a valid answer.\n")
    }

    /// 504 where an endpoint did not answer in time.
    pub const fn gateway_timeout() -> Self {
        Self::text(StatusCode::GATEWAY_TIMEOUT, "The application did not answer in time.\n")
    }

    /// 301 to `location` (RFC 9110 §15.4.2).
    pub const fn moved(location: String) -> Self {
        Self {
            status: StatusCode::MOVED_PERMANENTLY,
            content_type: TEXT,
            location: Some(location),
            maintenance: false,
            retry_after: None,
            body: Bytes::new(),
        }
    }
}
