//! 
#![forbid(unsafe_code)]
