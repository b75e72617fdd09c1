//! The logger: the newest lines of every app in memory, to be read and followed.
#![forbid(unsafe_code)]

pub mod origin;
pub mod read;
pub mod token;

pub use origin::Origin;
