//! What the runs side by side with peers share. Each run is a program in `src/bin/`.
#![forbid(unsafe_code)]

pub mod logs;
