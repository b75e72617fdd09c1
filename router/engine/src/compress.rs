//! Compressing responses: their heads, and their bodies piece by piece.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Waker},
};

use bytes::Bytes;
use fairlead_router_core::compression::{Coding, Compression, Encoder, forbids};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{
        ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, IF_NONE_MATCH,
        TRANSFER_ENCODING, VARY,
    },
};
use pingora_error::Result;
use pingora_http::{RequestHeader, ResponseHeader};
use tokio::task::coop;

/// A piece of this many bytes takes long enough that others have waited for it: 0.1 ms.
const LONG: usize = 8 * 1024;

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
        if response.status == StatusCode::NOT_MODIFIED
            && let Some(tag) = revalidated(request, response)
        {
            response.insert_header("ETag", tag)?;
            tell_caches(compression, response)?;
        }
        if !compression.covers(response.status, &response.headers) {
            return Ok(None);
        }
        tell_caches(compression, response)?;
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
        if piece.len() >= LONG {
            yield_next();
        }
        // An empty piece would be written as the end of the body.
        *body = Some(coded).filter(|coded| !coded.is_empty());
    }
}

/// Has the task that runs now give way to others at the next read or write: it has had its turn.
/// Pingora would go on with the next piece for as long as the client takes them.
fn yield_next() {
    let mut nobody = Context::from_waker(Waker::noop());
    while coop::has_budget_remaining() {
        let _ = pin!(coop::consume_budget()).poll(&mut nobody);
    }
}

/// The tag of a response that was not modified, as the client has it: that of a compressed response is
/// weak, and the application knows the strong one alone. The client would not know its own response by
/// that (RFC 9110 §15.4.5, RFC 9111 §4.3.4).
fn revalidated(request: &RequestHeader, response: &ResponseHeader) -> Option<HeaderValue> {
    let weak = weak(response.headers.get(ETAG)?)?;
    // No tag has a quotation mark in it: what is found is a whole one.
    let has = |line: &HeaderValue| {
        line.as_bytes().windows(weak.len()).any(|part| part == weak.as_bytes())
    };
    request.headers.get_all(IF_NONE_MATCH).iter().any(has).then_some(weak)
}

/// Says that the response depends on `Accept-Encoding`.
fn tell_caches(compression: &Compression, response: &mut ResponseHeader) -> Result<()> {
    if compression.vary && !varies(&response.headers) {
        response.append_header("Vary", HeaderValue::from_static("Accept-Encoding"))?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn who_has_had_a_turn_gives_way_before_it_goes_on() {
        let (give, mut taken) = mpsc::unbounded_channel();
        for piece in 0..2 {
            give.send(piece).unwrap();
        }
        let other = Arc::<AtomicBool>::default();
        let ran = other.clone();
        tokio::spawn(async move { ran.store(true, Relaxed) });
        assert_eq!(taken.recv().await, Some(0));
        assert!(!other.load(Relaxed), "what is ready is taken at once");
        yield_next();
        assert_eq!(taken.recv().await, Some(1));
        assert!(other.load(Relaxed));
    }
}
