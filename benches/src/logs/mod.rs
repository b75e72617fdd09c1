//! The log pipeline's proof: a kubelet that rotates what containers write, and a checker that knows
//! every line.

pub mod api;
pub mod arrivals;
pub mod checker;
pub mod component;
pub mod follower;
pub mod kubelet;
pub mod lines;
pub mod receiver;
pub mod relay;
pub mod rsyslog;
pub mod server;
pub mod sink;
pub mod truth;

pub use api::Api;
pub use arrivals::Arrivals;
pub use checker::Checker;
pub use component::Component;
pub use follower::Follower;
pub use kubelet::{Node, Rotation};
pub use lines::Lines;
pub use receiver::Receiver;
pub use truth::Truth;
