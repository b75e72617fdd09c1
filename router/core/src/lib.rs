//! What the edge router knows: Kubernetes objects compiled into a routing table.
//!
//! Everything here is plain values and pure functions. There is no socket, no
//! clock, no Kubernetes client and no HTTP engine in this crate: watchers feed
//! [`Change`]s into a [`Compiler`], which publishes immutable [`Table`]s, and an
//! engine asks a table where a request goes.
//!
//! ```text
//! Change -> Compiler -> Table -> Host -> Rule -> Policy / Backend
//! ```
#![forbid(unsafe_code)]

pub mod app;
pub mod backend;
pub mod certificate;
pub mod clients;
pub mod compile;
pub mod compression;
pub mod diagnostic;
pub mod dialect;
pub mod host;
pub mod object;
pub mod pages;
pub mod path;
pub mod policy;
pub mod reply;
pub mod rule;
pub mod settings;
pub mod stream;
pub mod strict;
pub mod table;
pub mod upstream;
pub mod view;

pub use app::{App, AppId};
pub use backend::{Backend, BackendKey, Endpoint, Lease};
pub use clients::Clients;
pub use compile::{Compiler, Publication};
pub use compression::Compression;
pub use diagnostic::{Diagnostic, Severity};
pub use host::{HostPattern, normalise_host};
pub use object::{Change, EndpointSlice, Key, Kind, ObjectRef, Secret, Service};
pub use policy::{Policy, RequestFacts};
pub use reply::Reply;
pub use rule::{Rule, Timeouts};
pub use settings::{PlatformCertificate, Settings};
pub use stream::{Stream, StreamSpec};
pub use table::{Host, Table};
pub use upstream::{Upstream, UpstreamTls};
