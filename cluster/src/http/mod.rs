//! The API over HTTP/1.1, on a loopback address.

mod body;
mod discovery;
mod etag;
mod faults;
mod lists;
mod locks;
mod logs;
mod negotiate;
mod openapi;
mod protobuf;
mod query;
mod render;
mod respond;
mod route;
mod scale;
mod server;
mod tls;
mod tokens;
mod verbs;
mod watches;

pub use faults::{Faults, Refusal};
pub use server::Server;
pub use tokens::{Access, Tokens};
