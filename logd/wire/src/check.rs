//! What a message must hold beyond being well-formed, so that nobody behind the codec need ask.

use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use thiserror::Error;

use crate::message::{Batch, Batches, Edge, Fetch, File, Gap, Open, SenderHello, Source};
use crate::record::{Records, RecordsError};

/// Bytes of a name in a message, at most: Kubernetes allows 253.
pub const NAME_CAP: usize = 1024;

/// Labels of a [`Source`], at most.
pub const LABELS_CAP: usize = 64;

/// Batches and losses in a message of [`Batches`], at most.
pub const PARTS_CAP: usize = 16 * 1024;

/// What a message says and cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Invalid {
    /// A name is missing.
    #[error("Open of file {file}: {field} is empty")]
    Empty {
        /// As in [`Open`].
        file: u32,
        /// Which name.
        field: &'static str,
    },
    /// A name or label is longer than [`NAME_CAP`].
    #[error("Open of file {file}: {field} is longer than {NAME_CAP} bytes")]
    TooLong {
        /// As in [`Open`].
        file: u32,
        /// Which name.
        field: &'static str,
    },
    /// A name at an end of a gap is longer than [`NAME_CAP`].
    #[error("gap of file {file}: a name is longer than {NAME_CAP} bytes")]
    Edge {
        /// As in [`Gap`].
        file: u32,
    },
    /// A sender's name for itself is longer than [`NAME_CAP`].
    #[error("a sender's name is longer than {NAME_CAP} bytes")]
    Sender,
    /// More labels than [`LABELS_CAP`].
    #[error("Open of file {file}: there are more than {LABELS_CAP} labels")]
    Labels {
        /// As in [`Open`].
        file: u32,
    },
    /// A batch's range is none, or 4 GiB or more.
    #[error("batch of file {file}: {from}..{to} is not a range of less than 4 GiB")]
    Range {
        /// As in [`Open`].
        file: u32,
        /// The range's start.
        from: u64,
        /// The range's end.
        to: u64,
    },
    /// A batch leaves a record open that starts after its end.
    #[error("batch of file {file}: a record open at {to} starts later")]
    OpenLater {
        /// As in [`Open`].
        file: u32,
        /// The range's end.
        to: u64,
    },
    /// More batches and losses than [`PARTS_CAP`].
    #[error("a message has more than {PARTS_CAP} batches and losses: send less at once")]
    Parts,
    /// A fetch without a number, or of nothing.
    #[error("fetch {fetch} of file {file}: {from}..{to} is nothing, or has no number")]
    Fetch {
        /// Its number.
        fetch: u32,
        /// As in [`Open`].
        file: u32,
        /// The range's start.
        from: u64,
        /// The range's end.
        to: u64,
    },
}

impl Open {
    pub(crate) fn checked(self) -> Result<Self, Invalid> {
        let file = self.file;
        let File { pod_uid, container, restart: _, first_line: _ } = &self.incarnation;
        let Source { namespace, app, pod, process, release, node, container_id, labels, limits: _ } =
            &self.source;
        let needed = [("incarnation", pod_uid), ("namespace", namespace), ("app", app)].into_iter();
        if let Some((field, _)) = needed.clone().find(|(_, value)| value.is_empty()) {
            return Err(Invalid::Empty { file, field });
        }
        if labels.len() > LABELS_CAP {
            return Err(Invalid::Labels { file });
        }
        let others = [
            ("container", container),
            ("pod", pod),
            ("process", process),
            ("release", release),
            ("node", node),
            ("container_id", container_id),
        ];
        let labels = labels.iter().flat_map(|(name, value)| [("label", name), ("label", value)]);
        let mut texts = needed.chain(others).chain(labels);
        let long = texts.find(|(_, text)| text.len() > NAME_CAP).map(|(field, _)| field);
        drop(texts);
        long.map_or(Ok(self), |field| Err(Invalid::TooLong { file, field }))
    }
}

impl Gap {
    pub(crate) fn checked(self) -> Result<Self, Invalid> {
        let is_long = |edge: &Edge| {
            let File { pod_uid, container, .. } = &edge.incarnation;
            pod_uid.len().max(container.len()) > NAME_CAP
        };
        if self.before.iter().chain(&self.after).any(is_long) {
            return Err(Invalid::Edge { file: self.file });
        }
        Ok(self)
    }
}

impl SenderHello {
    pub(crate) fn checked(self) -> Result<Self, Invalid> {
        if self.sender.len() > NAME_CAP { Err(Invalid::Sender) } else { Ok(self) }
    }
}

impl Batch {
    /// The length of its range.
    ///
    /// # Errors
    /// Where it ends before it starts, or is 4 GiB or more.
    pub fn range(&self) -> Result<u64, Invalid> {
        let Self { file, from, to, .. } = *self;
        let length = to.checked_sub(from).filter(|length| *length <= u64::from(u32::MAX));
        length.ok_or(Invalid::Range { file, from, to })
    }

    /// Its records, checked.
    ///
    /// # Errors
    /// Where one is cut off, too long, or out of order.
    pub fn records(&self) -> Result<Records, RecordsError> {
        // A range that cannot be holds no record.
        Records::check(self.records.clone(), self.range().unwrap_or_default())
    }
}

impl Batches {
    pub(crate) fn checked(self) -> Result<Self, Invalid> {
        for batch in &self.batches {
            batch.range()?;
            let mut open = [batch.open_stdout, batch.open_stderr].into_iter().flatten();
            if open.any(|start| start > batch.to) {
                return Err(Invalid::OpenLater { file: batch.file, to: batch.to });
            }
        }
        Ok(self)
    }
}

impl Fetch {
    pub(crate) fn checked(self) -> Result<Self, Invalid> {
        let Self { fetch, file, from, to } = self;
        if fetch != 0 && from < to {
            Ok(self)
        } else {
            Err(Invalid::Fetch { fetch, file, from, to })
        }
    }
}

/// Counts the parts of a [`Batches`] message before it is decoded: a part of two bytes would take a
/// hundred times as much in memory.
pub(crate) fn amount(mut message: &[u8]) -> Result<Result<(), Invalid>, prost::DecodeError> {
    let mut parts = 0;
    while !message.is_empty() {
        let (tag, wire_type) = decode_key(&mut message)?;
        if (tag, wire_type) != (1, WireType::LengthDelimited) {
            skip_field(wire_type, tag, &mut message, DecodeContext::default())?;
            continue;
        }
        let length = usize::try_from(decode_varint(&mut message)?).unwrap_or(usize::MAX);
        // Decoding tells what is wrong with it.
        let Some((mut batch, rest)) = message.split_at_checked(length) else { return Ok(Ok(())) };
        message = rest;
        parts += 1;
        while !batch.is_empty() && parts <= PARTS_CAP {
            let (tag, wire_type) = decode_key(&mut batch)?;
            parts += usize::from(tag == 9);
            skip_field(wire_type, tag, &mut batch, DecodeContext::default())?;
        }
        if parts > PARTS_CAP {
            return Ok(Err(Invalid::Parts));
        }
    }
    Ok(Ok(()))
}
