//! When a connection has waited long enough.

pub(crate) mod phase;
pub(crate) mod stall;
pub(crate) mod timer;
