//! A Kubernetes API in one process, for laptops and tests.
//!
//! [`Registry`] is the API without HTTP; [`Cluster`] serves it on a loopback address behind bearer
//! tokens. Everything is kept in memory only. Several clusters can run in one process.
#![forbid(unsafe_code)]

pub mod cluster;
mod controllers;
mod events;
pub mod http;
pub mod kinds;
pub mod meta;
pub mod patch;
pub mod port_map;
pub mod registry;
pub mod selector;
pub mod status;

pub use cluster::{Cluster, ClusterOptions, StartError};
pub use controllers::NODE;
pub use kinds::{Kind, Subresource};
pub use registry::{
    DeleteOptions, Deleted, Event, EventType, List, Patch, Registry, Watch, WriteOptions,
};
pub use selector::Selector;
pub use status::Status;
