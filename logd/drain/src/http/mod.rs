//! HTTP/1.1 as a client: one request at a time over a kept connection, and the sink that every
//! format over HTTP is.

mod answer;
mod client;
mod open;
mod retry_after;
mod secrets;
mod sink;

pub(crate) use answer::Answer;
pub(crate) use open::{elasticsearch, json_lines, logplex, otlp};
pub use sink::Confirmed;
pub(crate) use sink::{Format, Piece, Request};
