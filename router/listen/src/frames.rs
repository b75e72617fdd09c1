//! Where the frames of an HTTP/2 client begin and end, so that one that does not end, or a head in several that do not, has a
//! deadline as heads of HTTP/1 have. What is in them is the HTTP library's alone: it judges them, and ends the connection for what
//! is wrong; here it is only passed by.

use crate::preface::PREFACE;

/// A frame's header: length, type, flags, stream (RFC 9113 §4.1).
const HEADER: usize = 9;
/// What is looked at of it.
const START: usize = 5;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
/// The flag of both.
const END_HEADERS: u8 = 4;

/// Follows the bytes that an HTTP/2 client sends.
#[derive(Debug)]
pub(crate) struct Frames {
    /// Length, type and flags of the next frame, as far as they have come.
    start: [u8; START],
    /// Bytes of its header that have; fewer than [`HEADER`].
    come: u8,
    /// Bytes to come of what began last: the preface, or a frame's payload.
    left: u32,
    /// What began last may take its time: bodies have limits of their own.
    patient: bool,
    /// CONTINUATION has to follow.
    continues: bool,
    /// No frame's header has come yet.
    opening: bool,
}

impl Frames {
    /// The preface is the next that comes.
    pub(crate) fn new() -> Self {
        Self {
            start: [0; START],
            come: 0,
            left: PREFACE.len() as u32,
            patient: true,
            continues: false,
            opening: true,
        }
    }

    /// Whether the client has yet to send what it must unasked: the preface and the header of a frame, of SETTINGS
    /// (RFC 9113 §3.4).
    pub(crate) fn is_opening(&self) -> bool {
        self.opening
    }

    /// Whether a head, or a frame other than DATA, has begun and not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.come > 0 || self.continues || (self.left > 0 && !self.patient)
    }

    /// Takes note of `bytes`. Whether there was a moment at which nothing was open: what is open now has begun after it.
    pub(crate) fn follow(&mut self, mut bytes: &[u8]) -> bool {
        let mut ended = false;
        loop {
            let passed = bytes.len().min(self.left as usize);
            self.left -= passed as u32;
            bytes = &bytes[passed..];
            ended |= !self.is_open();
            if bytes.is_empty() {
                return ended;
            }
            let come = usize::from(self.come);
            let taken = bytes.len().min(HEADER - come);
            for (start, byte) in self.start.iter_mut().skip(come).zip(&bytes[..taken]) {
                *start = *byte;
            }
            bytes = &bytes[taken..];
            if come + taken < HEADER {
                self.come += taken as u8;
                return ended;
            }
            self.come = 0;
            self.begin();
        }
    }

    /// A frame's header has come.
    fn begin(&mut self) {
        let [a, b, c, kind, flags] = self.start;
        self.left = u32::from_be_bytes([0, a, b, c]);
        self.patient = kind == DATA;
        self.opening = false;
        if let HEADERS | CONTINUATION = kind {
            self.continues = flags & END_HEADERS == 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PING: u8 = 6;

    fn frame(kind: u8, flags: u8, len: usize) -> Vec<u8> {
        let len = len.to_be_bytes();
        let [.., a, b, c] = len;
        let mut frame = vec![a, b, c, kind, flags, 0, 0, 0, 1];
        frame.resize(HEADER + usize::from(b) * 256 + usize::from(c), b'x');
        frame
    }

    /// Behind the preface and an empty SETTINGS frame.
    fn opened() -> Frames {
        let mut frames = Frames::new();
        assert!(frames.follow(&PREFACE[..]) && frames.is_opening());
        assert!(frames.follow(&frame(4, 0, 0)) && !frames.is_opening());
        frames
    }

    #[test]
    fn a_head_is_open_from_its_first_byte_to_the_end_of_the_frame_that_ends_it() {
        let mut frames = opened();
        let mut bytes = frame(HEADERS, 1, 3);
        bytes.extend(frame(CONTINUATION, 0, 0));
        bytes.extend(frame(CONTINUATION, END_HEADERS, 2));
        let (last, others) = bytes.split_last().unwrap();
        assert!(frames.follow(&others[..1]) && frames.is_open());
        for byte in &others[1..] {
            assert!(!frames.follow(&[*byte]) && frames.is_open());
        }
        assert!(frames.follow(&[*last]) && !frames.is_open());
    }

    #[test]
    fn a_frame_that_does_not_end_is_open_unless_it_is_data() {
        for (kind, open) in [(PING, true), (HEADERS, true), (77, true), (DATA, false)] {
            let bytes = frame(kind, END_HEADERS, 10);
            let mut frames = opened();
            assert!(frames.follow(&bytes[..HEADER + 4]) && frames.is_open() == open, "{kind}");
            // Of which kind it will be is not known.
            let mut frames = opened();
            assert!(frames.follow(&bytes[..2]) && frames.is_open(), "{kind}");
        }
    }

    #[test]
    fn what_begins_behind_the_end_of_a_head_is_another() {
        let mut frames = opened();
        frames.follow(&frame(HEADERS, END_HEADERS, 5)[..10]);
        assert!(frames.is_open());
        let mut rest = b"xxxx".to_vec();
        rest.extend(&frame(HEADERS, END_HEADERS, 5)[..10]);
        assert!(frames.follow(&rest) && frames.is_open(), "the second is");
        let mut data = opened();
        data.follow(&frame(DATA, 0, 5)[..12]);
        assert!(data.follow(b"xxx\0\0") && data.is_open());
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_makes_no_difference(
            kinds in proptest::collection::vec((0_u8..11, any::<u8>(), 0_usize..40), 0..8),
            cut in 0_usize..200,
            piece in 1_usize..30,
        ) {
            let mut bytes = PREFACE.to_vec();
            bytes.extend(kinds.iter().flat_map(|&(kind, flags, len)| frame(kind, flags, len)));
            bytes.truncate(cut);
            let (mut whole, mut pieces) = (Frames::new(), Frames::new());
            whole.follow(&bytes);
            for piece in bytes.chunks(piece) {
                pieces.follow(piece);
            }
            prop_assert_eq!(whole.is_open(), pieces.is_open());
            prop_assert_eq!((whole.left, whole.come), (pieces.left, pieces.come));
        }

        #[test]
        fn no_bytes_are_too_odd(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            Frames::new().follow(&bytes);
        }
    }
}
