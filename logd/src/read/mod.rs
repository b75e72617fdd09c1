//! What readers ask for and how they are answered. Pure: values in, bytes out.

pub mod cursor;
pub mod filter;
pub mod line;
pub mod query;

pub use cursor::Cursor;
pub use filter::Filter;
pub use line::{Format, Line};
pub use query::{Query, QueryError};
