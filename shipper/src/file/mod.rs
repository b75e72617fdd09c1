//! Log files on disk.

mod content;
mod head;

pub use content::{Content, Inode};
pub use head::{Head, read as read_head};
