//! What runs for an image: there are no images here, so a table says which command stands for one.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::controllers::object::Fields;

/// Image references, or beginnings of them, and the commands that they stand for.
#[derive(Debug, Clone, Default)]
pub(super) struct Images(BTreeMap<String, Vec<String>>);

impl Images {
    pub(super) fn new(table: BTreeMap<String, Vec<String>>) -> Self {
        Self(table)
    }

    /// What a container runs: its `command`, else what the longest matching entry gives for its
    /// image, followed by `args`. `None` for an unknown image without command.
    pub(super) fn command(&self, container: &Value) -> Option<Vec<String>> {
        let list = |pointer: &str| {
            let items = container.list(pointer).iter();
            items.map(|item| item.as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        let mut argv = list("/command");
        if argv.is_empty() {
            let image = container.text("/image");
            let known = self.0.iter().filter(|(prefix, _)| begins(image, prefix));
            argv.clone_from(known.max_by_key(|(prefix, _)| prefix.len())?.1);
        }
        argv.extend(list("/args"));
        Some(argv)
    }
}

/// Whether an image reference begins with a whole part: `demo` with `demo:1`, not with `demon`.
fn begins(image: &str, prefix: &str) -> bool {
    image.strip_prefix(prefix).is_some_and(|rest| {
        rest.is_empty() || rest.starts_with([':', '@', '/']) || prefix.ends_with([':', '@', '/'])
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_spec_wins_then_the_longest_prefix() {
        let table = [("demo", vec!["demo"]), ("demo:2", vec!["demo", "--two"])];
        let table = table.map(|(image, argv)| {
            (image.to_owned(), argv.into_iter().map(str::to_owned).collect::<Vec<_>>())
        });
        let images = Images::new(BTreeMap::from(table));
        for (container, expected) in [
            (json!({"image": "demo:1"}), Some(vec!["demo"])),
            (json!({"image": "demo:2", "args": ["-v"]}), Some(vec!["demo", "--two", "-v"])),
            (
                json!({"image": "demo:1", "command": ["sh"], "args": ["-c", "x"]}),
                Some(vec!["sh", "-c", "x"]),
            ),
            (json!({"image": "demo:2.1"}), Some(vec!["demo"])),
            (json!({"image": "demon"}), None),
            (json!({"image": "nginx:1", "args": ["x"]}), None),
        ] {
            let command = images.command(&container);
            assert_eq!(command, expected.map(|argv| argv.into_iter().map(str::to_owned).collect()));
        }
    }
}
