//! Tells HTTP/2 with prior knowledge from HTTP/1 on a plain port (RFC 9113 §3.3), by no more bytes than it takes.

use tokio::io::ReadBuf;

/// The connection preface of HTTP/2 (RFC 9113 §3.4).
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes of a connection say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Not HTTP/2.
    Http1,
    /// The whole preface.
    Http2,
    /// A beginning of the preface, or nothing yet.
    Undecided,
}

/// Judges the first bytes of a connection, at most 24.
pub(crate) fn judge(bytes: &[u8]) -> Verdict {
    if !PREFACE.starts_with(bytes) {
        Verdict::Http1
    } else if bytes.len() == PREFACE.len() {
        Verdict::Http2
    } else {
        Verdict::Undecided
    }
}

/// Bytes that were read to decide what a connection is and must be read again.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    bytes: [u8; PREFACE.len()],
    taken: u8,
    len: u8,
}

impl Ahead {
    /// Where more bytes may be read to; empty once the preface could be whole.
    pub(crate) fn space(&mut self) -> &mut [u8] {
        &mut self.bytes[usize::from(self.len)..]
    }

    /// Notes that `n` bytes were read to [`space`](Self::space).
    pub(crate) fn filled(&mut self, n: usize) {
        debug_assert!(usize::from(self.len) + n <= PREFACE.len());
        self.len += n as u8;
    }

    /// The bytes that are still to be read again.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[usize::from(self.taken)..usize::from(self.len)]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.taken == self.len
    }

    /// Moves as many bytes as fit to `buf`.
    pub(crate) fn take_into(&mut self, buf: &mut ReadBuf<'_>) {
        let n = self.bytes().len().min(buf.remaining());
        buf.put_slice(&self.bytes()[..n]);
        self.taken += n as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_beginning_of_the_preface_is_undecided_and_the_whole_is_http2() {
        for n in 0..PREFACE.len() {
            assert_eq!(judge(&PREFACE[..n]), Verdict::Undecided, "{n} bytes");
        }
        assert_eq!(judge(PREFACE), Verdict::Http2);
    }

    #[test]
    fn requests_are_http1_at_the_first_byte_that_differs() {
        assert_eq!(judge(b"G"), Verdict::Http1);
        assert_eq!(judge(b"PO"), Verdict::Http1);
        assert_eq!(judge(b"PRO"), Verdict::Http1);
        assert_eq!(judge(b"PRI * HTTP/1.1\r\nHost: a\r\n"), Verdict::Http1);
        assert_eq!(judge(b"GET / HTTP/1.0\r\n\r\n"), Verdict::Http1);
    }

    #[test]
    fn bytes_ahead_are_read_again_once_in_order_and_in_pieces() {
        let mut ahead = Ahead::default();
        ahead.space()[..5].copy_from_slice(b"GET /");
        ahead.filled(5);
        let mut first = [0; 3];
        let mut buf = ReadBuf::new(&mut first);
        ahead.take_into(&mut buf);
        assert_eq!(buf.filled(), b"GET");
        assert_eq!(ahead.bytes(), b" /");
        let mut second = [0; 8];
        let mut buf = ReadBuf::new(&mut second);
        ahead.take_into(&mut buf);
        assert_eq!(buf.filled(), b" /");
        assert!(ahead.is_empty());
    }
}
