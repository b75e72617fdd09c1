//! The log pipeline's proof: a kubelet that rotates what containers write, and a checker that knows
//! every line.

pub mod checker;
pub mod kubelet;
pub mod lines;
pub mod truth;

pub use checker::Checker;
pub use kubelet::{Node, Rotation};
pub use lines::Lines;
pub use truth::Truth;
