//! What the names below `/var/log/pods` say.
//!
//! `<namespace>_<pod>_<uid>/<container>/<restart>.log`, and for what was rotated away
//! `<restart>.log.<time>` or, compressed, `<restart>.log.<time>.gz`, with the time as
//! `20060102-150405`: see `kubelet/container_log_manager.go` of Kubernetes.

use std::fmt;

/// What a pod's directory says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PodPath {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name.
    pub pod: String,
    /// The pod's uid; of a static pod the hash of its configuration.
    pub uid: String,
}

impl PodPath {
    /// Reads the name of a directory. `None` for one that is no pod's.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.split('_');
        let (namespace, pod, uid) = (parts.next()?, parts.next()?, parts.next()?);
        let name = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
        };
        let whole = [namespace, pod, uid].into_iter().all(name);
        (whole && parts.next().is_none()).then(|| Self {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
            uid: uid.to_owned(),
        })
    }
}

impl fmt::Display for PodPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_{}", self.namespace, self.pod, self.uid)
    }
}

/// When a file was rotated away: `20060102-150405`. Their order is that of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RotatedAt([u8; 15]);

impl RotatedAt {
    fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 15] = text.as_bytes().try_into().ok()?;
        let valid = bytes.iter().enumerate().all(|(i, byte)| match i {
            8 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
        valid.then_some(Self(bytes))
    }
}

impl fmt::Display for RotatedAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.0).expect("digits and a dash"))
    }
}

/// What a log file's name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogName {
    /// How often the container was restarted before.
    pub restart: u32,
    /// When it was rotated away; `None` for the file that is written.
    pub rotated: Option<RotatedAt>,
    /// Whether it is compressed.
    pub compressed: bool,
}

impl LogName {
    /// Reads a file's name. `None` for what is no log, such as a compression under way.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (restart, rest) = name.split_once('.')?;
        // No sign, and one way to write a number.
        let canonical = restart == "0" || !restart.starts_with('0');
        if !canonical || !restart.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let restart = restart.parse().ok()?;
        let rest = rest.strip_prefix("log")?;
        if rest.is_empty() {
            return Some(Self { restart, rotated: None, compressed: false });
        }
        let rest = rest.strip_prefix('.')?;
        let (time, compressed) = match rest.strip_suffix(".gz") {
            Some(time) => (time, true),
            None => (rest, false),
        };
        Some(Self { restart, rotated: Some(RotatedAt::parse(time)?), compressed })
    }
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.log", self.restart)?;
        if let Some(time) = self.rotated {
            write!(f, ".{time}")?;
        }
        f.write_str(if self.compressed { ".gz" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pod_s_directory_names_it() {
        let pod = PodPath::parse("shop_web-7d4b9_0b6a8c6e-9d1f-4d6e-8a3b-0f1e2d3c4b5a").unwrap();
        assert_eq!((pod.namespace.as_str(), pod.pod.as_str()), ("shop", "web-7d4b9"));
        assert_eq!(pod.uid, "0b6a8c6e-9d1f-4d6e-8a3b-0f1e2d3c4b5a");
        for other in ["", "a_b", "a_b_c_d", "_b_c", "a__c", "a_b_", "a_b_c d", "lost+found"] {
            assert_eq!(PodPath::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_log_s_name_tells_its_place_in_the_order() {
        let live = LogName::parse("12.log").unwrap();
        assert_eq!(live, LogName { restart: 12, rotated: None, compressed: false });
        let older = LogName::parse("12.log.20261120-235959.gz").unwrap();
        let newer = LogName::parse("12.log.20261121-000000").unwrap();
        assert!(older.compressed && !newer.compressed);
        assert!(older.rotated < newer.rotated);
    }

    #[test]
    fn what_is_no_log_is_passed_over() {
        for other in [
            "log",
            ".log",
            "x.log",
            "-1.log",
            "+1.log",
            "01.log",
            "99999999999.log",
            "0.log.",
            "0.log.gz",
            "0.log.20261120-235959.tmp",
            "0.log.20261120-235959.gz.tmp",
            "0.log.20261120_235959",
            "0.logs",
            "0.txt",
        ] {
            assert_eq!(LogName::parse(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn names_are_shown_as_they_are_read(name in "[0-9a-z._-]{0,12}|[0-9]{1,4}\\.log(\\.[0-9]{8}-[0-9]{6}(\\.gz)?)?") {
            if let Some(log) = LogName::parse(&name) {
                prop_assert_eq!(log.to_string(), name.as_str());
            }
            if let Some(pod) = PodPath::parse(&name) {
                prop_assert_eq!(pod.to_string(), name);
            }
        }
    }
}
