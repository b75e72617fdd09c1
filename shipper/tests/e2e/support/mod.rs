//! A scripted logd and a node's directory.

mod logd;
mod node;

pub(crate) use logd::{Logd, Manner, State};
pub(crate) use node::Node;

/// A pod's directory.
pub(crate) const WEB: &str = "shop_web-1_6f2c";
