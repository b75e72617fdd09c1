//! Dialects: how users say what they want routed. A folder each.

pub mod router;
pub mod service;
pub mod value;

/// Prefixes of labels and annotations; of two that are set the first one counts.
pub const PREFIXES: [&str; 2] = ["router.fairlead.dev/", "router.deis.io/"];

/// An annotation of Deis Workflow that means nothing here; it is named in a finding.
#[derive(Debug)]
pub struct Void {
    /// The name behind the prefix.
    pub name: &'static str,
    /// Why, and what there is instead.
    pub instead: &'static str,
}

impl Void {
    fn reason(&self) -> String {
        format!("this annotation does nothing here: {}", self.instead)
    }
}

/// What is said of an annotation with one of the prefixes that is none of ours.
const UNKNOWN: &str = "this annotation is not known and does nothing";
