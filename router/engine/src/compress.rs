//! Compressing responses: their heads, and their bodies piece by piece.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::Bytes;
use fairlead_router_core::compression::{Coding, Compression, Encoder, forbids};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{
        ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, TRANSFER_ENCODING,
        VARY,
    },
};
use pingora_error::Result;
use pingora_http::{RequestHeader, ResponseHeader};

/// The responses that a worker compresses now, each of which takes memory. Only its own thread
/// counts here.
#[derive(Debug, Default)]
pub(crate) struct Slots(Arc<AtomicUsize>);

/// One of them.
struct Slot(Arc<AtomicUsize>);

impl Slots {
    /// A slot, unless `limit` are taken.
    fn take(&self, limit: usize) -> Option<Slot> {
        if self.0.fetch_add(1, Relaxed) < limit {
            return Some(Slot(self.0.clone()));
        }
        self.0.fetch_sub(1, Relaxed);
        None
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// The body of a response on its way through an encoder.
pub(crate) struct Compressing {
    encoder: Encoder,
    /// The application writes as it goes: nothing may wait for what comes next.
    live: bool,
    _slot: Slot,
}

impl Compressing {
    /// Makes `response` the head of a compressed response, where `compression` and both sides want it
    /// so, and not more than `limit` are being compressed. Nothing is to be compressed for HEAD, which
    /// gets the same head.
    ///
    /// # Errors
    /// When there are more fields than Pingora can hold.
    pub(crate) fn begin(
        compression: &Compression,
        slots: &Slots,
        limit: usize,
        request: &RequestHeader,
        response: &mut ResponseHeader,
    ) -> Result<Option<Self>> {
        if !compression.covers(response.status, &response.headers) {
            return Ok(None);
        }
        if compression.vary && !varies(&response.headers) {
            response.append_header("Vary", HeaderValue::from_static("Accept-Encoding"))?;
        }
        if !request.headers.contains_key(ACCEPT_ENCODING) || forbids(&request.headers) {
            return Ok(None);
        }
        let Some(coding) = Coding::accepted(&request.headers) else { return Ok(None) };
        let Some(slot) = slots.take(limit) else { return Ok(None) };
        let live = response.remove_header(&CONTENT_LENGTH).is_none();
        response.insert_header(CONTENT_ENCODING, HeaderValue::from_static(coding.name()))?;
        // Ranges would be those of the coded bytes, which are not the same twice.
        response.remove_header(&ACCEPT_RANGES);
        if let Some(weak) = response.headers.get(ETAG).and_then(weak) {
            response.insert_header("ETag", weak)?;
        }
        if request.method == Method::HEAD {
            return Ok(None);
        }
        response.insert_header(TRANSFER_ENCODING, HeaderValue::from_static("chunked"))?;
        Ok(Some(Self { encoder: Encoder::new(coding, compression.level), live, _slot: slot }))
    }

    /// Puts the next piece of the body, if any, through the encoder.
    pub(crate) fn piece(&mut self, body: &mut Option<Bytes>, end: bool) {
        let piece = body.take().unwrap_or_default();
        let coded = match (end, piece.is_empty()) {
            (true, _) => self.encoder.end(&piece),
            (false, false) => self.encoder.piece(&piece, self.live),
            (false, true) => return,
        };
        // An empty piece would be written as the end of the body.
        *body = Some(coded).filter(|coded| !coded.is_empty());
    }
}

/// Whether caches know already that the response depends on `Accept-Encoding` (RFC 9110 §12.5.5).
fn varies(headers: &HeaderMap) -> bool {
    let members =
        headers.get_all(VARY).iter().flat_map(|line| line.as_bytes().split(|b| *b == b','));
    let mut members = members.map(<[u8]>::trim_ascii);
    members.any(|member| member == b"*" || member.eq_ignore_ascii_case(b"accept-encoding"))
}

/// A strong entity tag as a weak one: it names the same content, not the same bytes (RFC 9110 §8.8.1).
fn weak(tag: &HeaderValue) -> Option<HeaderValue> {
    if tag.as_bytes().starts_with(b"W/") {
        return None;
    }
    HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok()
}
