//! A scripted logd, a node's directory, and an API.

mod api;
mod http;
mod logd;
mod node;

pub(crate) use api::{Api, NODE};
pub(crate) use http::{get, metric, until_metric};
pub(crate) use logd::{Line, Logd, Manner, State};
pub(crate) use node::{ContainerLog, Node, compress};

/// A pod's directory.
pub(crate) const WEB: &str = "shop_web-1_6f2c";
