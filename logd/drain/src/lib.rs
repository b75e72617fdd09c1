//! Sinks: where log lines are sent to, and how.
//!
//! A *sink* turns lines into a [`Batch`] by a pure encoder, sends it, and says what became of each
//! line: a [`Verdict`], or a [`Failure`] of all that are under way. It keeps no line: whoever sends
//! them remembers where each one is, and gives those that have to go again once more.
//!
//! ```text
//! lines -> encode (pure) -> batch -> send -> verdicts, or a failure
//! ```
mod credentials;
mod datagram_sink;
pub mod dial;
pub mod elasticsearch;
mod encode;
mod gelf;
mod guard;
mod http;
mod json;
mod json_lines;
mod line;
mod logplex;
mod network;
mod open;
mod origins;
mod otlp;
mod sink;
mod stream_sink;
mod syslog;
pub mod target;
#[cfg(test)]
mod test;
mod time;
mod witness;

pub use credentials::{Credentials, CredentialsError, Keys};
pub use guard::{Forbidden, Guard};
pub use http::Confirmed;
pub use line::Line;
pub use network::{Network, Resolve, System, Timeouts};
pub use open::{OpenError, open};
pub use sink::{Batch, Failure, FailureKind, Limits, Reason, Sink, Stage, Verdict};
pub use time::Times;
pub use witness::watched;
