//! A batch under construction.

use std::ops::AddAssign;

use fairlead_wire::Record;
use fairlead_wire::record::Flags;

use super::bucket::Bucket;

/// Records and bytes of payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Records.
    pub records: u64,
    /// Bytes of payload.
    pub bytes: u64,
}

impl Count {
    fn one(bytes: usize) -> Self {
        Self { records: 1, bytes: bytes as u64 }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

/// What became of what was read: `read = sent + excluded + rate_limited + oversize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Given to logd.
    pub sent: Count,
    /// Of containers that are not to be shipped.
    pub excluded: Count,
    /// More lines a second than the container may write.
    pub rate_limited: Count,
    /// Bytes that lines had beyond [`fairlead_wire::record::PAYLOAD_CAP`].
    pub oversize: u64,
}

impl Tally {
    /// Everything that was read.
    #[must_use]
    pub fn read(&self) -> Count {
        let mut read = Count { records: 0, bytes: self.oversize };
        read += self.sent;
        read += self.excluded;
        read += self.rate_limited;
        read
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.excluded += other.excluded;
        self.rate_limited += other.rate_limited;
        self.oversize += other.oversize;
    }
}

/// What becomes of a container's records.
#[derive(Debug)]
pub enum Rule<'a> {
    /// They are sent.
    Send,
    /// They are sent as far as the bucket lets them pass. The time is now, in nanoseconds since
    /// 1970-01-01 UTC.
    Limit(&'a mut Bucket, i64),
    /// They are counted and not sent.
    Exclude,
}

/// Where records of one file go: packed as they are sent, and counted.
#[derive(Debug)]
pub struct Pack<'a> {
    /// Where the batch begins; every record ends behind it.
    pub from: u64,
    /// Packed records.
    pub records: &'a mut Vec<u8>,
    /// What became of what was read.
    pub tally: Tally,
    /// What becomes of records.
    pub rule: Rule<'a>,
}

impl<'a> Pack<'a> {
    /// A batch that begins at `from` and packs its records into `records`.
    pub fn new(from: u64, records: &'a mut Vec<u8>, rule: Rule<'a>) -> Self {
        Self { from, records, tally: Tally::default(), rule }
    }

    /// Takes a record. Of its line `dropped` further bytes were too many.
    pub(super) fn push(&mut self, end: u64, time: i64, flags: Flags, payload: &[u8], dropped: u64) {
        let passes = match &mut self.rule {
            Rule::Send => true,
            Rule::Limit(bucket, now) => bucket.take(time, *now),
            Rule::Exclude => {
                self.tally.excluded += Count { records: 1, bytes: payload.len() as u64 + dropped };
                return;
            }
        };
        if !passes {
            self.tally.rate_limited += Count { records: 1, bytes: payload.len() as u64 + dropped };
            return;
        }
        self.tally.sent += Count::one(payload.len());
        self.tally.oversize += dropped;
        let end =
            u32::try_from(end - self.from).expect("a batch ends less than 4 GiB after its start");
        Record { end, time, flags, payload }.pack(self.records);
    }
}
