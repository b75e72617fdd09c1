//! What is said, as Protocol Buffers messages: fields that a side does not know are skipped.

use bytes::Bytes;
use prost::Message;

/// The version of this protocol. A side that is spoken to in another one ends the stream.
pub const VERSION: u32 = 1;

/// A sender's first message.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SenderHello {
    /// [`VERSION`].
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// Who it is, for logs and metrics: `shipper/NODE`, `router/POD`.
    #[prost(string, tag = "2")]
    pub sender: String,
}

/// logd's first message.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LogdHello {
    /// [`VERSION`].
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// Names this process; another one has an empty ring.
    #[prost(string, tag = "2")]
    pub instance: String,
    /// Bytes that an app's ring may hold: how much history is worth sending to a new instance.
    #[prost(uint64, tag = "3")]
    pub history: u64,
}

/// Whose lines these are and where they come from.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Source {
    /// Namespace of the pod and of the app.
    #[prost(string, tag = "1")]
    pub namespace: String,
    /// The app's name.
    #[prost(string, tag = "2")]
    pub app: String,
    /// The pod's name.
    #[prost(string, tag = "3")]
    pub pod: String,
    /// The app's process type: `web`, `worker`, `router`.
    #[prost(string, tag = "4")]
    pub process: String,
    /// The release: `v12`; empty where unknown.
    #[prost(string, tag = "5")]
    pub release: String,
    /// The node's name; empty where unknown.
    #[prost(string, tag = "6")]
    pub node: String,
    /// The container's id as the runtime names it; empty where unknown.
    #[prost(string, tag = "7")]
    pub container_id: String,
    /// The pod's labels, sorted by name. At most 64.
    #[prost(btree_map = "string, string", tag = "8")]
    pub labels: std::collections::BTreeMap<String, String>,
    /// Limits of the app's ring, where its pods state them.
    #[prost(message, optional, tag = "9")]
    pub limits: Option<Limits>,
}

/// Limits of an app's ring; 0 leaves logd's own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub struct Limits {
    /// Bytes of payload.
    #[prost(uint64, tag = "1")]
    pub bytes: u64,
    /// Lines.
    #[prost(uint64, tag = "2")]
    pub lines: u64,
    /// Seconds.
    #[prost(uint64, tag = "3")]
    pub age: u64,
}

/// [`crate::Incarnation`] on the wire.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct File {
    /// Pod uid, or the random id of a sender without files.
    #[prost(string, tag = "1")]
    pub pod_uid: String,
    /// Container.
    #[prost(string, tag = "2")]
    pub container: String,
    /// Restart.
    #[prost(uint32, tag = "3")]
    pub restart: u32,
    /// Hash of the first line.
    #[prost(fixed64, tag = "4")]
    pub first_line: u64,
}

/// The sender is about to send of a file. Its batches wait for [`Opened`].
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Open {
    /// What the sender calls it on this stream. A number is used once.
    #[prost(uint32, tag = "1")]
    pub file: u32,
    /// Which content.
    #[prost(message, required, tag = "2")]
    pub incarnation: File,
    /// Whose.
    #[prost(message, required, tag = "3")]
    pub source: Source,
}

/// How far logd has a file.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Opened {
    /// As in [`Open`].
    #[prost(uint32, tag = "1")]
    pub file: u32,
    /// The end of the last batch that was taken; absent where this logd never had the file.
    #[prost(uint64, optional, tag = "2")]
    pub to: Option<u64>,
    /// Start of the stdout record that is open at `to`.
    #[prost(uint64, optional, tag = "3")]
    pub open_stdout: Option<u64>,
    /// Start of the stderr record that is open at `to`.
    #[prost(uint64, optional, tag = "4")]
    pub open_stderr: Option<u64>,
    /// Up to where every drain concerned has it.
    #[prost(uint64, tag = "5")]
    pub settled: u64,
}

/// Every record that ends in a contiguous range of a file.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Batch {
    /// As in [`Open`].
    #[prost(uint32, tag = "1")]
    pub file: u32,
    /// The range's start. Beyond the last batch's end it leaves a gap.
    #[prost(uint64, tag = "2")]
    pub from: u64,
    /// The range's end: the end of a line. Less than 4 GiB after the start.
    #[prost(uint64, tag = "3")]
    pub to: u64,
    /// Start of the stdout record that is open at `to`.
    #[prost(uint64, optional, tag = "4")]
    pub open_stdout: Option<u64>,
    /// Start of the stderr record that is open at `to`.
    #[prost(uint64, optional, tag = "5")]
    pub open_stderr: Option<u64>,
    /// Drains had it from an earlier instance or owner: for readers only.
    #[prost(bool, tag = "6")]
    pub history: bool,
    /// The answer to this [`Fetch`]; 0: none. Does not move the file's position.
    #[prost(uint32, tag = "7")]
    pub fetch: u32,
    /// Packed [`crate::Records`].
    #[prost(bytes = "bytes", tag = "8")]
    pub records: Bytes,
    /// What ends in the range and is not sent.
    #[prost(message, repeated, tag = "9")]
    pub losses: Vec<Loss>,
    /// An earlier instance or owner had what came before it in the container's log, and this one
    /// does not get that: it is gone, or more than the history.
    #[prost(bool, tag = "10")]
    pub lacking: bool,
}

/// Why lines were read and not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum LossReason {
    /// More lines a second than the container may write.
    RateLimited = 0,
    /// The rest of lines that were too long; their beginnings are sent.
    Oversize = 1,
    /// A sender without files had its queue full.
    QueueFull = 2,
}

/// Lines that were read and not sent.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Loss {
    /// Why.
    #[prost(enumeration = "LossReason", tag = "1")]
    pub reason: i32,
    /// How many records; 0 where their beginnings are sent.
    #[prost(uint64, tag = "2")]
    pub records: u64,
    /// How many bytes of payload.
    #[prost(uint64, tag = "3")]
    pub bytes: u64,
}

/// Batches of one or several files, as they are compressed together.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Batches {
    /// In the order in which they are to be taken.
    #[prost(message, repeated, tag = "1")]
    pub batches: Vec<Batch>,
}

/// What was deleted before it could be read. Told once, by the first file opened after it.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Gap {
    /// The file whose app is told, as in [`Open`].
    #[prost(uint32, tag = "1")]
    pub file: u32,
    /// Names the gap: the same gap told again has the same number.
    #[prost(fixed64, tag = "2")]
    pub id: u64,
    /// Why.
    #[prost(enumeration = "GapReason", tag = "3")]
    pub reason: i32,
    /// The last that was read before it; absent where nothing was.
    #[prost(message, optional, tag = "4")]
    pub before: Option<Edge>,
    /// The first that could be read after it; absent where nothing came.
    #[prost(message, optional, tag = "5")]
    pub after: Option<Edge>,
    /// How much is missing, where it is known.
    #[prost(uint64, optional, tag = "6")]
    pub bytes: Option<u64>,
}

/// An end of a gap.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Edge {
    /// Which content.
    #[prost(message, required, tag = "1")]
    pub incarnation: File,
    /// Where in it.
    #[prost(uint64, tag = "2")]
    pub offset: u64,
    /// Event time of the record there, nanoseconds since 1970-01-01 UTC; 0 where unknown.
    #[prost(sfixed64, tag = "3")]
    pub time: i64,
}

/// Why a part of a log could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum GapReason {
    /// The runtime deleted the file.
    Deleted = 0,
    /// The file was truncated in place.
    Truncated = 1,
    /// Too many deleted files were held open.
    GivenUp = 2,
    /// The runtime rotated the file itself, and its old files cannot be told apart.
    RuntimeRotation = 3,
    /// The file could not be read or decompressed.
    Unreadable = 4,
}

/// The sender is done with a file: it was read to its end and will not grow.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Close {
    /// As in [`Open`].
    #[prost(uint32, tag = "1")]
    pub file: u32,
}

/// How far a file is.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Ack {
    /// As in [`Open`].
    #[prost(uint32, tag = "1")]
    pub file: u32,
    /// In the ring: no need to send it again while this logd lives.
    #[prost(uint64, tag = "2")]
    pub stored: u64,
    /// Every drain concerned has it or has recorded why not.
    #[prost(uint64, tag = "3")]
    pub settled: u64,
    /// The last [`Gap`] of the file that is recorded; 0: none.
    #[prost(fixed64, tag = "4")]
    pub gap: u64,
}

/// How far files are.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Acks {
    /// One per file whose position changed.
    #[prost(message, repeated, tag = "1")]
    pub acks: Vec<Ack>,
}

/// logd asks for a range of a file again. It is answered by batches with its number, the last of
/// which ends at `to`, or by a [`Gap`] of the file with it as its id.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Fetch {
    /// Names the answer; not 0.
    #[prost(uint32, tag = "1")]
    pub fetch: u32,
    /// As in [`Open`].
    #[prost(uint32, tag = "2")]
    pub file: u32,
    /// The range's start.
    #[prost(uint64, tag = "3")]
    pub from: u64,
    /// The range's end.
    #[prost(uint64, tag = "4")]
    pub to: u64,
}

/// Why logd ends a stream.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct End {
    /// In words.
    #[prost(string, tag = "1")]
    pub reason: String,
}

/// What a sender says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromSender {
    /// First.
    Hello(SenderHello),
    /// A file is coming.
    Open(Open),
    /// Lines.
    Batches(Batches),
    /// Lines that are missing.
    Gap(Gap),
    /// No more of a file.
    Close(Close),
}

/// What logd says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromLogd {
    /// First.
    Hello(LogdHello),
    /// How far a file is.
    Opened(Opened),
    /// How far files are.
    Acks(Acks),
    /// A range of a file is needed again.
    Fetch(Fetch),
    /// Last.
    End(End),
}
