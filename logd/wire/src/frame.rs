//! Messages as bytes: `length u32 LE | kind u8 | payload`, where `length` is the payload's.
//!
//! A payload is a Protocol Buffers message; that of batches is its uncompressed size as `u32 LE` and
//! then the message compressed with Zstandard (RFC 8878). Kinds that a side does not know are
//! skipped.

use bytes::{Buf as _, Bytes, BytesMut};
use prost::Message;
use thiserror::Error;

use crate::check::{self, Invalid};
use crate::message::{Batches, Fetch, FromLogd, FromSender, Gap, Open, SenderHello};

/// Bytes of a payload, and of batches after decompression, at most.
pub const FRAME_CAP: usize = 8 << 20;
/// Bytes of any other message, at most.
pub const MESSAGE_CAP: usize = 1 << 20;
const HEADER: usize = 5;
/// Fast, and the best ratio for its time with log lines.
const LEVEL: i32 = 1;

const SENDER_HELLO: u8 = 1;
const OPEN: u8 = 2;
const BATCHES: u8 = 3;
const GAP: u8 = 4;
const CLOSE: u8 = 5;
const LOGD_HELLO: u8 = 129;
const OPENED: u8 = 130;
const ACKS: u8 = 131;
const FETCH: u8 = 132;
const END: u8 = 133;

/// What is wrong with a frame. The stream that it came on cannot go on.
#[derive(Debug, Error)]
pub enum FrameError {
    /// A payload, or batches after decompression, are longer than [`FRAME_CAP`].
    #[error("a frame of {0} bytes is longer than {FRAME_CAP}")]
    TooLong(usize),
    /// A message other than batches is longer than [`MESSAGE_CAP`].
    #[error("a message of {0} bytes is longer than {MESSAGE_CAP}")]
    MessageTooLong(usize),
    /// A payload is no message of its kind.
    #[error("a frame of kind {kind} is malformed: {source}")]
    Message {
        /// Its kind.
        kind: u8,
        /// What is wrong.
        source: prost::DecodeError,
    },
    /// Compression failed, or batches do not decompress to what they say.
    #[error("batches cannot be decompressed or compressed: {0}")]
    Compression(std::io::Error),
    /// Batches end before their uncompressed size, or have another one than they say.
    #[error("batches do not have the uncompressed size that they say")]
    Size,
    /// A message says what cannot be.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Turns messages into frames. Keeps buffers between them.
pub struct Encoder {
    zstd: zstd::bulk::Compressor<'static>,
    plain: Vec<u8>,
    packed: Vec<u8>,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

impl Encoder {
    /// One with empty buffers.
    ///
    /// # Errors
    /// Where there is no memory for a compressor.
    pub fn new() -> Result<Self, FrameError> {
        let zstd = zstd::bulk::Compressor::new(LEVEL).map_err(FrameError::Compression)?;
        Ok(Self { zstd, plain: Vec::new(), packed: Vec::new() })
    }

    /// A sender's message as a frame.
    ///
    /// # Errors
    /// Where it is longer than [`FRAME_CAP`].
    pub fn from_sender(&mut self, message: &FromSender) -> Result<Bytes, FrameError> {
        match message {
            FromSender::Hello(message) => plain(SENDER_HELLO, message),
            FromSender::Open(message) => plain(OPEN, message),
            FromSender::Batches(message) => self.compressed(BATCHES, message),
            FromSender::Gap(message) => plain(GAP, message),
            FromSender::Close(message) => plain(CLOSE, message),
        }
    }

    fn compressed(&mut self, kind: u8, message: &impl Message) -> Result<Bytes, FrameError> {
        let size = message.encoded_len();
        check_length(size)?;
        self.plain.clear();
        message.encode(&mut self.plain).expect("a vector grows");
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(size));
        let packed = self.zstd.compress_to_buffer(&self.plain, &mut self.packed);
        let packed = packed.map_err(FrameError::Compression)?;
        // Made to measure: frames wait in queues.
        let mut frame = Vec::with_capacity(HEADER + 4 + packed);
        frame.extend_from_slice(&length_field(4 + packed)?);
        frame.push(kind);
        frame.extend_from_slice(&length_field(size)?);
        frame.extend_from_slice(&self.packed);
        Ok(frame.into())
    }
}

/// A message of logd as a frame.
///
/// # Errors
/// Where it is longer than [`FRAME_CAP`].
pub fn from_logd(message: &FromLogd) -> Result<Bytes, FrameError> {
    match message {
        FromLogd::Hello(message) => plain(LOGD_HELLO, message),
        FromLogd::Opened(message) => plain(OPENED, message),
        FromLogd::Acks(message) => plain(ACKS, message),
        FromLogd::Fetch(message) => plain(FETCH, message),
        FromLogd::End(message) => plain(END, message),
    }
}

fn plain(kind: u8, message: &impl Message) -> Result<Bytes, FrameError> {
    let length = message.encoded_len();
    if length > MESSAGE_CAP {
        return Err(FrameError::MessageTooLong(length));
    }
    let mut frame = Vec::with_capacity(HEADER + length);
    frame.extend_from_slice(&length_field(length)?);
    frame.push(kind);
    message.encode(&mut frame).expect("a vector grows");
    Ok(frame.into())
}

fn length_field(length: usize) -> Result<[u8; 4], FrameError> {
    check_length(length)?;
    Ok(u32::try_from(length).expect("at most the cap").to_le_bytes())
}

fn check_length(length: usize) -> Result<(), FrameError> {
    if length > FRAME_CAP { Err(FrameError::TooLong(length)) } else { Ok(()) }
}

/// Turns bytes, however they are cut, into messages. After an error it is of no further use.
#[derive(Default)]
pub struct Decoder {
    buffer: BytesMut,
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("buffered", &self.buffer.len()).finish_non_exhaustive()
    }
}

impl Decoder {
    /// Adds bytes as they came. At most a frame and what was added last is buffered where messages
    /// are taken until there are none.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the bytes so far end with a frame.
    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The next message of a sender; `None` until more bytes come.
    ///
    /// # Errors
    /// Where the bytes are no frames.
    pub fn sender(&mut self) -> Result<Option<FromSender>, FrameError> {
        while let Some((kind, payload)) = self.frame()? {
            let message = match kind {
                SENDER_HELLO => {
                    FromSender::Hello(message::<SenderHello>(kind, payload)?.checked()?)
                }
                OPEN => FromSender::Open(message::<Open>(kind, payload)?.checked()?),
                BATCHES => FromSender::Batches(self.batches(kind, &payload)?),
                GAP => FromSender::Gap(message::<Gap>(kind, payload)?.checked()?),
                CLOSE => FromSender::Close(message(kind, payload)?),
                _ => continue,
            };
            return Ok(Some(message));
        }
        Ok(None)
    }

    /// The next message of logd; `None` until more bytes come.
    ///
    /// # Errors
    /// Where the bytes are no frames.
    pub fn logd(&mut self) -> Result<Option<FromLogd>, FrameError> {
        while let Some((kind, payload)) = self.frame()? {
            let message = match kind {
                LOGD_HELLO => FromLogd::Hello(message(kind, payload)?),
                OPENED => FromLogd::Opened(message(kind, payload)?),
                ACKS => FromLogd::Acks(message(kind, payload)?),
                FETCH => FromLogd::Fetch(message::<Fetch>(kind, payload)?.checked()?),
                END => FromLogd::End(message(kind, payload)?),
                _ => continue,
            };
            return Ok(Some(message));
        }
        Ok(None)
    }

    fn frame(&mut self) -> Result<Option<(u8, Bytes)>, FrameError> {
        let Some(header) = self.buffer.first_chunk::<HEADER>() else { return Ok(None) };
        let [a, b, c, d, kind] = *header;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        check_length(length)?;
        if self.buffer.len() < HEADER + length {
            return Ok(None);
        }
        self.buffer.advance(HEADER);
        Ok(Some((kind, self.buffer.split_to(length).freeze())))
    }

    fn batches(&mut self, kind: u8, payload: &Bytes) -> Result<Batches, FrameError> {
        let malformed = |source| FrameError::Message { kind, source };
        let plain = self.decompress(payload)?;
        check::amount(&plain).map_err(malformed)??;
        Ok(Batches::decode(plain).map_err(malformed)?.checked()?)
    }

    fn decompress(&mut self, payload: &Bytes) -> Result<Bytes, FrameError> {
        let Some((size, packed)) = payload.split_first_chunk::<4>() else {
            return Err(FrameError::Size);
        };
        let size = usize::try_from(u32::from_le_bytes(*size)).unwrap_or(usize::MAX);
        check_length(size)?;
        let zstd = match &mut self.zstd {
            Some(zstd) => zstd,
            none => none.insert(zstd::bulk::Decompressor::new().map_err(FrameError::Compression)?),
        };
        let plain = zstd.decompress(packed, size).map_err(FrameError::Compression)?;
        if plain.len() == size { Ok(plain.into()) } else { Err(FrameError::Size) }
    }
}

fn message<M: Message + Default>(kind: u8, payload: Bytes) -> Result<M, FrameError> {
    if payload.len() > MESSAGE_CAP {
        return Err(FrameError::MessageTooLong(payload.len()));
    }
    M::decode(payload).map_err(|source| FrameError::Message { kind, source })
}

#[cfg(test)]
mod tests;
