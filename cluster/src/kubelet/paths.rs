//! Paths inside a container that stand for directories elsewhere on this machine.
//!
//! A local process has no file system of its own: where a container mounts a volume, the path that
//! it would see is replaced by the real one wherever the pod's spec names it: command, args, env,
//! working directory.

use std::path::PathBuf;

/// Where a container's mount paths really are.
#[derive(Debug, Clone, Default)]
pub(super) struct Mounts {
    /// Longest mount path first, so that a mount inside a mount wins.
    mounts: Vec<(String, PathBuf)>,
}

impl Mounts {
    /// Adds a mount. `/` itself cannot be replaced and is left out.
    pub(super) fn insert(&mut self, path: &str, real: PathBuf) {
        let path = path.trim_end_matches('/');
        if path.starts_with('/') {
            self.mounts.push((path.to_owned(), real));
            self.mounts.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        }
    }

    /// The text with every mount path in it replaced, and with what follows it kept. A path is
    /// taken as a whole: `/etc/app` is not found in `/etc/app2`, nor in `/srv/etc/app`.
    pub(super) fn replace(&self, text: &str) -> String {
        let mut replaced = String::with_capacity(text.len());
        let mut rest = text;
        let mut previous = None;
        while let Some(first) = rest.chars().next() {
            if let Some((path, real)) = self.starting(previous, rest) {
                replaced.push_str(&real.to_string_lossy());
                rest = &rest[path.len()..];
                previous = Some('x');
            } else {
                replaced.push(first);
                rest = &rest[first.len_utf8()..];
                previous = Some(first);
            }
        }
        replaced
    }

    fn starting(&self, previous: Option<char>, text: &str) -> Option<&(String, PathBuf)> {
        if !text.starts_with('/') || previous.is_some_and(in_name) {
            return None;
        }
        self.mounts.iter().find(|(path, _)| {
            let after = text.strip_prefix(path.as_str());
            after.is_some_and(|after| !after.chars().next().is_some_and(in_name))
        })
    }
}

/// Whether a character continues the name of a file.
fn in_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_paths_are_replaced_and_others_left() {
        let mut mounts = Mounts::default();
        mounts.insert("/etc/app/", "/state/v/conf".into());
        mounts.insert("/etc/app/tls", "/state/v/tls".into());
        mounts.insert("/", "/state/v/root".into());
        for (text, expected) in [
            ("/etc/app", "/state/v/conf"),
            ("/etc/app/x.yaml", "/state/v/conf/x.yaml"),
            ("--config=/etc/app/x", "--config=/state/v/conf/x"),
            ("file:///etc/app/x", "file:///state/v/conf/x"),
            ("/etc/app/tls/key", "/state/v/tls/key"),
            ("/etc/app:/etc/app", "/state/v/conf:/state/v/conf"),
            ("cat /etc/app/a > '/etc/app'", "cat /state/v/conf/a > '/state/v/conf'"),
            ("/etc/app2", "/etc/app2"),
            ("/etc/app.d", "/etc/app.d"),
            ("/srv/etc/app", "/srv/etc/app"),
            ("/", "/"),
            ("", ""),
        ] {
            assert_eq!(mounts.replace(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn text_without_mount_paths_stays(text in "[^/]*") {
            let mut mounts = Mounts::default();
            mounts.insert("/data", "/x".into());
            assert_eq!(mounts.replace(&text), text);
        }
    }
}
