//! A body, piece by piece, in its coding.

use std::io::Write;

use brotli::{CompressorWriter, enc::BrotliEncoderParams};
use bytes::Bytes;
use flate2::write::GzEncoder;
use parking_lot::Mutex;

use super::Coding;

/// Bytes back from the present that an encoder looks for repetitions, as a power of two. 128 KiB:
/// it bounds the memory of a response, and web pages gain little from more.
const WINDOW: u8 = 17;

/// Beyond this level zstd and brotli hold a thread for too long with one piece, and gain little: 64 KiB of
/// HTML take them 0.2 and 0.4 ms at this level, and at the next 0.5 and 0.8 ms for the same size.
const MAX_LEVEL: u32 = 4;

/// Compresses one body. Takes 0.3 MB (gzip) to 2.7 MB (zstd) of memory while it lives.
pub struct Encoder(Kind);

enum Kind {
    Gzip(GzEncoder<Vec<u8>>),
    /// `None` once the body has ended.
    Brotli(Option<Box<CompressorWriter<Vec<u8>>>>),
    // Never locked: it makes a value that is only used by its owner shareable by its type.
    Zstd(Mutex<zstd::stream::write::Encoder<'static, Vec<u8>>>),
}

/// Writing into memory fails for no reason that a body could give.
const INFALLIBLE: &str = "the output is a Vec";

impl Encoder {
    /// An encoder for one body; `level` is 1 to 9.
    pub fn new(coding: Coding, level: u32) -> Self {
        let capped = level.min(MAX_LEVEL).cast_signed();
        Self(match coding {
            Coding::Gzip => {
                Kind::Gzip(GzEncoder::new(Vec::new(), flate2::Compression::new(level.min(9))))
            }
            Coding::Brotli => {
                let params = BrotliEncoderParams {
                    quality: capped,
                    lgwin: WINDOW.into(),
                    ..BrotliEncoderParams::default()
                };
                let writer = CompressorWriter::with_params(Vec::new(), 4096, &params);
                Kind::Brotli(Some(Box::new(writer)))
            }
            Coding::Zstd => {
                let encoder = zstd::stream::write::Encoder::new(Vec::new(), capped);
                let mut encoder = encoder.expect("the level is one of zstd's");
                encoder.window_log(WINDOW.into()).expect("the window is one of zstd's");
                Kind::Zstd(Mutex::new(encoder))
            }
        })
    }

    /// The next `piece` compressed, as far as the encoder lets go of it. With `flush` that is all of it.
    pub fn piece(&mut self, piece: &[u8], flush: bool) -> Bytes {
        match &mut self.0 {
            Kind::Gzip(encoder) => {
                write(encoder, piece, flush);
                std::mem::take(encoder.get_mut()).into()
            }
            Kind::Brotli(Some(encoder)) => {
                write(encoder, piece, flush);
                std::mem::take(encoder.get_mut()).into()
            }
            Kind::Brotli(None) => Bytes::new(),
            Kind::Zstd(encoder) => {
                let encoder = encoder.get_mut();
                write(encoder, piece, flush);
                std::mem::take(encoder.get_mut()).into()
            }
        }
    }

    /// The last `piece`, and whatever the encoder still held. To be called once.
    pub fn end(&mut self, piece: &[u8]) -> Bytes {
        match &mut self.0 {
            Kind::Gzip(encoder) => {
                write(encoder, piece, false);
                encoder.try_finish().expect(INFALLIBLE);
                std::mem::take(encoder.get_mut()).into()
            }
            Kind::Brotli(encoder) => {
                let Some(mut encoder) = encoder.take() else { return Bytes::new() };
                write(&mut encoder, piece, false);
                encoder.into_inner().into()
            }
            Kind::Zstd(encoder) => {
                let encoder = encoder.get_mut();
                write(encoder, piece, false);
                encoder.do_finish().expect(INFALLIBLE);
                std::mem::take(encoder.get_mut()).into()
            }
        }
    }
}

fn write(encoder: &mut impl Write, piece: &[u8], flush: bool) {
    encoder.write_all(piece).expect(INFALLIBLE);
    if flush {
        encoder.flush().expect(INFALLIBLE);
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encoder")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    /// What can be read of `encoded`, whether it is complete or not.
    fn decoded(coding: Coding, encoded: &[u8]) -> Vec<u8> {
        let mut decoder: Box<dyn Read + '_> = match coding {
            Coding::Gzip => Box::new(flate2::read::GzDecoder::new(encoded)),
            Coding::Brotli => Box::new(brotli::Decompressor::new(encoded, 4096)),
            Coding::Zstd => Box::new(zstd::stream::read::Decoder::new(encoded).unwrap()),
        };
        let mut plain = Vec::new();
        let mut byte = [0; 1];
        while let Ok(1) = decoder.read(&mut byte) {
            plain.push(byte[0]);
        }
        plain
    }

    const ALL: [Coding; 3] = [Coding::Gzip, Coding::Brotli, Coding::Zstd];

    #[test]
    fn what_is_flushed_can_be_read_at_once() {
        for coding in ALL {
            let mut encoder = Encoder::new(coding, 5);
            let mut encoded = encoder.piece(b"data: one\n\n", true).to_vec();
            assert_eq!(decoded(coding, &encoded), b"data: one\n\n", "{coding:?}");
            encoded.extend(encoder.piece(b"data: two\n\n", true));
            assert_eq!(decoded(coding, &encoded), b"data: one\n\ndata: two\n\n", "{coding:?}");
            encoded.extend(encoder.end(b""));
            assert_eq!(decoded(coding, &encoded), b"data: one\n\ndata: two\n\n", "{coding:?}");
        }
    }

    #[test]
    fn repetition_is_taken_out_at_every_level() {
        let text = "<li>a line of a list</li>\n".repeat(1000);
        for coding in ALL {
            for level in 1..=9 {
                let encoded = Encoder::new(coding, level).end(text.as_bytes());
                assert!(encoded.len() < text.len() / 20, "{coding:?} {level}: {}", encoded.len());
                assert_eq!(decoded(coding, &encoded), text.as_bytes());
            }
        }
    }

    proptest! {
        #[test]
        fn a_body_comes_out_as_it_went_in(
            pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..3000), any::<bool>()), 0..6),
            level in 1u32..=9,
        ) {
            let plain: Vec<u8> = pieces.iter().flat_map(|(piece, _)| piece.clone()).collect();
            for coding in ALL {
                let mut encoder = Encoder::new(coding, level);
                let mut encoded = Vec::new();
                for (piece, flush) in &pieces {
                    encoded.extend(encoder.piece(piece, *flush));
                }
                encoded.extend(encoder.end(&[]));
                prop_assert_eq!(decoded(coding, &encoded), plain.clone());
                prop_assert!(!encoded.is_empty(), "a coded body is never empty");
            }
        }
    }
}
