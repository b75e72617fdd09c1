//! What the runs side by side with peers share. Each run is a program in `src/bin/`; what it found is a
//! [`Report`]: as JSON, as Markdown and as plots.
#![forbid(unsafe_code)]

pub mod callgrind;
pub mod logs;
pub mod machine;
pub mod plot;
pub mod process;
pub mod report;
pub mod scenario;
pub mod stats;
pub mod ticker;

pub use process::{Process, ProcessError};
pub use report::Report;
pub use scenario::{Column, Part, Row, Scenario, UnknownScenario, chosen};
