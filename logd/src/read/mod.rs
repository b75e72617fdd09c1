//! Reading logs: what is asked for, which lines that is, and how they look.

pub(crate) mod cursor;
pub(crate) mod filter;
pub(crate) mod follow;
pub(crate) mod line;
pub(crate) mod query;
pub(crate) mod tail;
pub(crate) mod turns;
