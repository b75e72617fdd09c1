//! Whether everybody on a request's way reads it alike.
//!
//! Most attacks on proxies are requests that two programs read differently: where a body ends,
//! which host is meant, which path an access rule protects. The HTTP engine parses; the rules here
//! look at the bytes that it has parsed, or at the fields of HTTP/2, and say what is not passed on.
//! All are pure, take one pass, and allocate only for paths that are not in normal form.
//!
//! `docs/security.md` lists the rules and the tests that show them.

mod fields;
mod head;
mod path;
mod violation;

pub use fields::{Fields, Findings, is_claim, is_plain_name};
pub use head::{check, check_request};
pub use path::{NormalPath, normalise};
pub use violation::{ALLOWED_METHODS, Violation};

/// The longest head: request line and fields. nginx with its defaults takes 32 KiB.
pub const MAX_HEAD: usize = 64 * 1024;

/// Most fields in a head, crumbs of a cookie apart.
pub const MAX_FIELDS: usize = 100;

/// Most crumbs of a cookie (RFC 9113 §8.2.3): browsers keep up to 180 cookies for a site, and send
/// each by itself. A crumb of a byte on the wire takes a hundred in memory.
pub const MAX_CRUMBS: usize = 256;
