//! What senders of log records and logd say to each other.
//!
//! A sender opens *files* and sends *batches* of them; logd answers how far each file is stored and
//! settled. [`message`] holds what is said, [`record`] the lines inside a batch, [`frame`] makes
//! bytes of them, [`client`] and [`server`] carry these. docs/wire.md specifies the bytes.
//!
//! ```text
//! sender                               logd
//! Hello{version, sender}          ->
//!                                 <-   Hello{version, instance}
//! Open{file, incarnation, source} ->
//!                                 <-   Opened{file, position}
//! Batches[Batch{file, range, …}]  ->
//!                                 <-   Acks[Ack{file, stored, settled}]
//! ```
#![forbid(unsafe_code)]

mod body;
pub mod check;
pub mod client;
pub mod frame;
pub mod incarnation;
pub mod members;
pub mod message;
pub mod record;
pub mod server;
pub mod slots;
pub mod source;
pub mod tls;

pub use incarnation::Incarnation;
pub use members::{Logds, Members};
pub use record::{Record, Records, Stream};
pub use source::Source;
