//! Which responses are compressed, in which coding, and how.
//!
//! All are plain values: an engine asks [`Coding::accepted`] what the client takes and
//! [`Compression::covers`] what the response allows, and puts the body through an [`Encoder`].

mod accept;
mod encoder;

pub use encoder::Encoder;
use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE},
};

/// A content coding that responses can be given (RFC 9110 §8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 8878.
    Zstd,
    /// RFC 7932.
    Brotli,
    /// RFC 1952.
    Gzip,
}

impl Coding {
    /// As in `Content-Encoding`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// What is compressed, by the names of Deis's settings `gzip.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// Apps that say nothing have their responses compressed.
    pub enabled: bool,
    /// How hard, 1 to 9: gzip's level. The other codings take 4 at most.
    pub level: u32,
    /// Responses that are known to be shorter are left alone, in bytes.
    pub min_length: u64,
    /// Media types in lower case; `*` is any.
    pub types: Box<[Box<str>]>,
    /// `Vary` tells caches that the response depends on `Accept-Encoding`.
    pub vary: bool,
}

/// Media types that are compressed by default: HTML, those of Deis's router, and what has
/// taken their place since.
pub const TYPES: [&str; 20] = [
    "text/html",
    "application/atom+xml",
    "application/javascript",
    "application/json",
    "application/rss+xml",
    "application/vnd.ms-fontobject",
    "application/x-font-ttf",
    "application/x-web-app-manifest+json",
    "application/xhtml+xml",
    "application/xml",
    "font/opentype",
    "image/svg+xml",
    "image/x-icon",
    "text/css",
    "text/plain",
    "text/x-component",
    "application/manifest+json",
    "application/wasm",
    "text/javascript",
    "text/xml",
];

impl Default for Compression {
    fn default() -> Self {
        Self {
            enabled: true,
            level: 5,
            min_length: 256,
            types: TYPES.map(Into::into).into(),
            vary: true,
        }
    }
}

/// Fields that hold for the bytes as the application sent them (RFC 9530, RFC 3230, RFC 2616 §14.15).
const DIGESTS: [HeaderName; 4] = [
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

impl Compression {
    /// Whether a response of this head may be compressed, for clients that take a coding: it has a
    /// body, all of it, in no coding yet, long enough, of a type that is listed, and nobody forbids it.
    pub fn covers(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        use StatusCode as S;
        let whole = !matches!(
            status,
            S::NO_CONTENT | S::RESET_CONTENT | S::PARTIAL_CONTENT | S::NOT_MODIFIED
        ) && !status.is_informational();
        whole
            && self.is_long(headers)
            && self.is_listed(headers)
            && !headers.contains_key(CONTENT_ENCODING)
            && !headers.contains_key(CONTENT_RANGE)
            && !forbids(headers)
            && !DIGESTS.iter().any(|name| headers.contains_key(name))
    }

    fn is_long(&self, headers: &HeaderMap) -> bool {
        let Some(length) = headers.get(CONTENT_LENGTH) else { return true };
        let length = length.to_str().ok().and_then(|length| length.parse::<u64>().ok());
        length.is_some_and(|length| length >= self.min_length.max(1))
    }

    fn is_listed(&self, headers: &HeaderMap) -> bool {
        let Some(media) = headers.get(CONTENT_TYPE) else { return false };
        let media = media.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        let media = media.trim_ascii();
        let is = |listed: &str| listed == "*" || media.eq_ignore_ascii_case(listed.as_bytes());
        self.types.iter().any(|listed| is(listed))
    }
}

/// Whether the sender of these fields wants the content left as it is (RFC 9111 §5.2.1.6, §5.2.2.6).
pub fn forbids(headers: &HeaderMap) -> bool {
    headers
        .get_all(CACHE_CONTROL)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn covers(
        compression: &Compression,
        status: u16,
        fields: &[(&'static str, &'static str)],
    ) -> bool {
        let name = |name| HeaderName::from_static(name);
        let fields = fields.iter().map(|(n, v)| (name(n), HeaderValue::from_static(v)));
        compression.covers(StatusCode::from_u16(status).unwrap(), &fields.collect())
    }

    #[test]
    fn whole_responses_of_a_listed_type_are_covered() {
        let html = ("content-type", "Text/HTML; charset=utf-8");
        let by_default = |status, more: &[(&'static str, &'static str)]| {
            covers(&Compression::default(), status, &[&[html], more].concat())
        };
        for status in [200, 201, 301, 403, 404, 500, 503] {
            assert!(by_default(status, &[]), "{status}");
        }
        for status in [100, 101, 103, 204, 205, 206, 304] {
            assert!(!by_default(status, &[]), "{status}");
        }
        assert!(by_default(200, &[("content-length", "256")]));
        for field in [
            ("content-length", "255"),
            ("content-length", "0"),
            ("content-encoding", "br"),
            ("content-encoding", "identity"),
            ("content-range", "bytes 0-9/10"),
            ("cache-control", "public, No-Transform"),
            ("content-digest", "sha-256=:AA==:"),
            ("content-md5", "AA=="),
        ] {
            assert!(!by_default(200, &[field]), "{field:?}");
        }
        for media in ["image/png", "text/event-stream", "text", "", "application/grpc"] {
            assert!(!covers(&Compression::default(), 200, &[("content-type", media)]), "{media}");
        }
        assert!(!covers(&Compression::default(), 200, &[]), "a body of unknown type");
    }

    #[test]
    fn an_empty_body_is_never_covered_and_any_type_is_by_an_asterisk() {
        let any =
            Compression { min_length: 0, types: ["*".into()].into(), ..Compression::default() };
        assert!(covers(&any, 200, &[("content-type", "image/png"), ("content-length", "1")]));
        assert!(!covers(&any, 200, &[("content-type", "image/png"), ("content-length", "0")]));
    }
}
