//! The edge of the data plane: accepts connections, finishes their TLS handshake, and hands them on as byte streams that cannot
//! outstay their welcome.
//!
//! * [`Workers`] runs one thread and one socket (`SO_REUSEPORT`) per worker and listener; listeners come and go at run time.
//! * [`EdgeStream`] enforces every deadline of a connection, told by a [`PhaseHandle`] where the HTTP engine is in it.
//! * [`Serve`] is where connections go. Nothing here knows which HTTP engine that is.
//!
//! Every wait has an end and every buffer a bound: see [`Limits`].
#![forbid(unsafe_code)]

mod accept;
mod bind;
mod caps;
mod connection;
mod counters;
mod deadline;
mod drain;
mod error;
mod establish;
mod frames;
mod limits;
mod preface;
mod proxied;
pub mod proxy_protocol;
mod socket;
mod stream;
pub mod tls;
mod transport;
mod worker;
mod workers;
mod write_buffer;

pub use connection::{Connection, ConnectionInfo, Scheme, Serve, TlsInfo};
pub use counters::{Counter, Counters, Timeouts};
pub use deadline::phase::PhaseHandle;
pub use drain::Drain;
pub use error::ListenError;
pub use limits::Limits;
pub use stream::EdgeStream;
pub use workers::{ListenerSpec, Protocol, WorkerId, Workers, start};
