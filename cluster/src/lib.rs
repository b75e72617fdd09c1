//! A Kubernetes API in one process, for laptops and tests.
//!
//! [`Registry`] is the API without HTTP; [`Cluster`] serves it on a loopback address behind bearer
//! tokens. Everything is kept in memory only. Several clusters can run in one process.
#![forbid(unsafe_code)]

pub mod cluster;
mod controllers;
mod custom;
mod defaults;
mod definitions;
mod events;
mod fields;
pub mod http;
pub mod kinds;
mod kubelet;
pub mod logs;
pub mod meta;
mod namespaces;
pub mod patch;
pub mod port_map;
pub mod registry;
mod removal;
pub mod schema;
pub mod selector;
pub mod status;
mod supervisor;
mod tables;
mod validate;

pub use cluster::{Cluster, ClusterOptions, StartError};
pub use controllers::NODE;
pub use kinds::{Kind, Subresource};
pub use patch::Edit;
pub use registry::{
    DeleteOptions, Deleted, Event, EventType, List, Patch, Registry, Watch, WriteOptions,
};
pub use selector::Selector;
pub use status::Status;
pub use supervisor::supervise;
