//! Where records come from.

use fairlead_wire::{Incarnation, message::Source};
use xxhash_rust::xxh3::xxh3_64;

/// One file's content, or one sender without files: what all records of it have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whose it is.
    pub source: Source,
    /// Which content.
    pub incarnation: Incarnation,
    /// `namespace/name`.
    app: String,
    /// What stands between the time and the message in text: `web[web.v12.abcde]:`.
    head: String,
    /// The incarnation in words, and as a number.
    name: (String, u64),
}

impl Origin {
    /// Works out once what every line of it shows.
    #[must_use]
    pub fn new(source: Source, incarnation: Incarnation) -> Self {
        let app = format!("{}/{}", source.namespace, source.app);
        let head = head(&source);
        let name = incarnation.to_string();
        let number = xxh3_64(name.as_bytes());
        Self { source, incarnation, app, head, name: (name, number) }
    }

    /// The app's id: `namespace/name`.
    #[must_use]
    pub fn app(&self) -> &str {
        &self.app
    }

    /// What stands between the time and the message in text.
    #[must_use]
    pub fn head(&self) -> &str {
        &self.head
    }

    /// The incarnation as in the names of its records.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name.0
    }

    /// A number that stands for [`Origin::name`]: XXH3-64 of it.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.name.1
    }
}

/// As Deis's logger wrote it: `app[process.release.pod]:` with the last part of the pod's name, and
/// `deis[controller]:` for what the control service tells about an app. Parts that are not known are
/// left out.
fn head(source: &Source) -> String {
    if source.process == "controller" {
        return "deis[controller]:".to_owned();
    }
    let pod = source.pod.rsplit('-').next().unwrap_or_default();
    let parts = [&source.process, &source.release, pod];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{}[{}]:", source.app, parts.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(process: &str, release: &str, pod: &str) -> Source {
        Source {
            app: "shop".to_owned(),
            process: process.to_owned(),
            release: release.to_owned(),
            pod: pod.to_owned(),
            ..Source::default()
        }
    }

    #[test]
    fn a_head_has_the_parts_that_are_known() {
        assert_eq!(head(&of("web", "v12", "shop-web-1234-abcde")), "shop[web.v12.abcde]:");
        assert_eq!(head(&of("web", "", "odd")), "shop[web.odd]:");
        assert_eq!(head(&of("router", "", "")), "shop[router]:");
        assert_eq!(head(&of("", "", "")), "shop[]:");
        assert_eq!(head(&of("controller", "v1", "x-y")), "deis[controller]:");
    }
}
