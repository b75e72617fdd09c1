//! Gathers small writes so that a response's head and body leave in one TLS record and one `send`.

use std::cell::RefCell;

/// Most bytes gathered: the plaintext of one full TLS record (RFC 8446 §5.1).
pub(crate) const CAPACITY: usize = 16 * 1024;

/// Buffers kept per thread for the next response: 1 MiB. Only connections in the middle of a write hold one.
const SPARE: usize = 64;

thread_local! {
    static SPARES: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes written but not yet sent. Holds memory only while there are any.
#[derive(Debug, Default)]
pub(crate) struct WriteBuffer {
    bytes: Vec<u8>,
    sent: usize,
}

impl WriteBuffer {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() == CAPACITY
    }

    /// Takes as much of `data` as fits and returns how much that was.
    pub(crate) fn push(&mut self, data: &[u8]) -> usize {
        if self.bytes.capacity() == 0 && !data.is_empty() {
            // No thread-local storage is left while a thread ends.
            let spare = SPARES.try_with(|spares| spares.borrow_mut().pop()).ok().flatten();
            self.bytes = spare.unwrap_or_else(|| Vec::with_capacity(CAPACITY));
        }
        let n = data.len().min(CAPACITY - self.bytes.len());
        self.bytes.extend_from_slice(&data[..n]);
        n
    }

    /// The bytes to send next.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Notes that the first `n` of [`unsent`](Self::unsent) were sent; gives the memory back after the last.
    pub(crate) fn advance(&mut self, n: usize) {
        self.sent += n;
        if self.sent == self.bytes.len() {
            self.sent = 0;
            let mut bytes = std::mem::take(&mut self.bytes);
            bytes.clear();
            let _ = SPARES.try_with(|spares| {
                let mut spares = spares.borrow_mut();
                if spares.len() < SPARE {
                    spares.push(bytes);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathers_up_to_its_capacity_and_sends_in_order() {
        let mut buffer = WriteBuffer::default();
        assert_eq!(buffer.push(b"head"), 4);
        assert_eq!(buffer.push(&[b'x'; CAPACITY]), CAPACITY - 4);
        assert!(buffer.is_full());
        assert_eq!(&buffer.unsent()[..6], b"headxx");
        buffer.advance(3);
        assert_eq!(&buffer.unsent()[..3], b"dxx");
        assert!(buffer.is_full(), "room comes back only when all is sent");
    }

    #[test]
    fn memory_is_given_back_when_all_is_sent() {
        let mut buffer = WriteBuffer::default();
        buffer.push(b"abc");
        buffer.advance(3);
        assert!(buffer.is_empty());
        assert_eq!(buffer.bytes.capacity(), 0);
        assert_eq!(SPARES.with(|spares| spares.borrow().len()), 1);
        buffer.push(b"d");
        assert_eq!(buffer.unsent(), b"d");
        assert_eq!(SPARES.with(|spares| spares.borrow().len()), 0);
    }
}
