use proptest::prelude::*;

use super::*;
use crate::message::*;

fn batch(file: u32, records: Vec<u8>) -> Batch {
    Batch {
        file,
        from: 1,
        to: 2,
        open_stderr: Some(0),
        records: records.into(),
        ..Batch::default()
    }
}

fn any_message() -> impl Strategy<Value = FromSender> {
    prop_oneof![
        any::<(u32, String)>()
            .prop_map(|(version, sender)| FromSender::Hello(SenderHello { version, sender })),
        any::<u32>().prop_map(|file| FromSender::Close(Close { file })),
        prop::collection::vec(
            (any::<u32>(), prop::collection::vec(any::<u8>(), 0..300))
                .prop_map(|(file, records)| batch(file, records)),
            0..4
        )
        .prop_map(|batches| FromSender::Batches(Batches { batches })),
    ]
}

fn decode_all(decoder: &mut Decoder) -> Result<Vec<FromSender>, FrameError> {
    std::iter::from_fn(|| decoder.sender().transpose()).collect()
}

proptest! {
    #[test]
    fn messages_arrive_as_they_were_sent_however_the_bytes_are_cut(
        messages in prop::collection::vec(any_message(), 0..6),
        cuts in prop::collection::vec(1usize..50, 1..20),
    ) {
        let mut encoder = Encoder::new().unwrap();
        let bytes: Vec<u8> =
            messages.iter().flat_map(|message| encoder.from_sender(message).unwrap()).collect();
        let (mut decoder, mut got, mut rest) = (Decoder::default(), Vec::new(), &bytes[..]);
        for cut in cuts.iter().cycle() {
            let (piece, tail) = rest.split_at((*cut).min(rest.len()));
            decoder.push(piece);
            got.extend(decode_all(&mut decoder).unwrap());
            rest = tail;
            if rest.is_empty() { break; }
        }
        prop_assert_eq!(got, messages);
    }

    #[test]
    fn any_bytes_are_messages_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for mut decoder in [Decoder::default(), Decoder::default()] {
            decoder.push(&bytes);
            let _ = decode_all(&mut decoder);
        }
        let mut decoder = Decoder::default();
        decoder.push(&bytes);
        while let Ok(Some(_)) = decoder.logd() {}
    }
}

#[test]
fn what_is_unknown_is_skipped() {
    let mut decoder = Decoder::default();
    // A kind of the future, then a close with a field of the future.
    decoder.push(b"\x02\0\0\0\x63ab");
    decoder.push(b"\x04\0\0\0\x05\x08\x07\x78\x01");
    assert_eq!(decoder.sender().unwrap(), Some(FromSender::Close(Close { file: 7 })));
    assert_eq!(decoder.sender().unwrap(), None);
}

#[test]
fn what_is_too_long_is_refused_before_it_is_read() {
    let mut decoder = Decoder::default();
    decoder.push(b"\x01\0\x80\0\x01");
    let error = decoder.sender().unwrap_err().to_string();
    assert_eq!(error, "a frame of 8388609 bytes is longer than 8388608");
    let mut bomb = Decoder::default();
    bomb.push(b"\x04\0\0\0\x03\x01\0\x80\0");
    assert_eq!(bomb.sender().unwrap_err().to_string(), error);
}

#[test]
fn batches_that_decompress_to_another_size_are_refused() {
    let mut encoder = Encoder::new().unwrap();
    let batches = FromSender::Batches(Batches { batches: vec![batch(1, vec![7; 100])] });
    let frame = encoder.from_sender(&batches).unwrap();
    for size in [1u8, 250] {
        let mut frame = frame.to_vec();
        assert!(frame[5] > 100 && frame[5] < 250);
        frame[5] = size;
        let mut decoder = Decoder::default();
        decoder.push(&frame);
        assert!(decoder.sender().is_err(), "{size}");
    }
}
