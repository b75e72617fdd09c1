//! Frames of a sender and of logd, cut somewhere; what is read of them is written, and read again.
#![no_main]

use fairlead_wire::frame::{Decoder, Encoder, FrameError, from_logd};
use fairlead_wire::message::{Batches, FromSender};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, bool, &[u8])| {
    let (cut, packed, bytes) = input;
    let mut frame;
    let bytes = if packed {
        // What a sender would have compressed: a fuzzer does not get through Zstandard by chance.
        let Ok(compressed) = zstd::bulk::compress(bytes, 1) else { return };
        frame = (compressed.len() as u32 + 4).to_le_bytes().to_vec();
        frame.push(3);
        frame.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        frame.extend_from_slice(&compressed);
        &frame
    } else {
        bytes
    };
    let (first, second) = bytes.split_at(usize::from(cut).min(bytes.len()));
    let sender = all(&[first, second], Decoder::sender);
    assert_eq!(sender, all(&[bytes], Decoder::sender), "a cut changes nothing");
    let mut encoder = Encoder::new().expect("there is memory");
    for message in sender.0 {
        if let FromSender::Batches(Batches { batches }) = &message {
            for records in batches.iter().filter_map(|batch| batch.records().ok()) {
                assert!(records.iter().all(|record| record.payload.len() <= 65_536));
            }
        }
        // What was read is short enough to be written, but for fields that were skipped.
        let frame = encoder.from_sender(&message).expect("it came in a frame");
        assert_eq!(all(&[&frame], Decoder::sender), (vec![message], None));
    }
    for message in all(&[bytes], Decoder::logd).0 {
        let frame = from_logd(&message).expect("it came in a frame");
        assert_eq!(all(&[&frame], Decoder::logd), (vec![message], None));
    }
});

/// All messages, and what is wrong with what follows them.
fn all<M>(
    pieces: &[&[u8]],
    next: fn(&mut Decoder) -> Result<Option<M>, FrameError>,
) -> (Vec<M>, Option<String>) {
    let (mut decoder, mut messages) = (Decoder::default(), Vec::new());
    for piece in pieces {
        decoder.push(piece);
        loop {
            match next(&mut decoder) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(error.to_string())),
            }
        }
    }
    (messages, None)
}
