//! One app's log in memory: a ring that one thread writes and any number of threads read.
//!
//! A ring is a sequence of write-once *chunks*, found through a *directory*, an immutable list that
//! is replaced as a whole. The writer copies records to the end of the newest chunk and makes a
//! batch of them visible by one store; it lets the oldest records leave by replacing the directory.
//! Readers take no lock and never hold the writer up. A reader that is overtaken learns exactly how
//! many records it missed.
//!
//! Records are numbered from 0 in the order in which they are appended. Whatever a [`Reader`] is
//! given, the records that it was given and those that it was told to have missed are together
//! all records from its start on, in order and whole.
//!
//! ```
//! use std::sync::Arc;
//! use fairlead_ring::{Limits, Next, Record, ring};
//!
//! let (mut writer, log) = ring::<&str>(Limits::default());
//! writer.append(&Arc::new("web"), &Record { end: 6, time: 0, flags: 0, payload: b"hello" });
//! writer.publish();
//! let mut reader = log.reader(0);
//! let Next::Entry(entry) = reader.next() else { panic!("one record is there") };
//! assert_eq!((**entry.source, entry.record.payload), ("web", &b"hello"[..]));
//! ```

mod chunk;
mod log;
mod reader;
mod record;
mod sync;
mod view;
mod writer;

pub use log::Log;
pub use reader::{Next, Reader};
pub use record::{Entry, OVERHEAD, Record};
pub use view::{Backwards, View};
pub use writer::{Count, Limits, Writer, ring};
