//! `$(NAME)` in command, args and env, as Kubernetes expands it.

/// Replaces `$(NAME)` by its value. An unknown name stays as it is; `$$` is a `$` that expands
/// nothing.
pub(super) fn expand<'v>(text: &str, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some((name, after)) = reference(rest) {
            match value(name) {
                Some(value) => expanded.push_str(value),
                None => {
                    expanded.push_str("$(");
                    expanded.push_str(name);
                    expanded.push(')');
                }
            }
            rest = after;
        } else {
            expanded.push('$');
        }
    }
    expanded + rest
}

fn reference(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('(')?.split_once(')')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_expand_as_kubernetes_documents() {
        let value = |name: &str| match name {
            "PORT" => Some("8080"),
            "EMPTY" => Some(""),
            "RAW" => Some("$(PORT)"),
            _ => None,
        };
        for (text, expected) in [
            ("plain", "plain"),
            ("$(PORT)", "8080"),
            ("-p=$(PORT)-$(PORT)", "-p=8080-8080"),
            ("[$(EMPTY)]", "[]"),
            ("$(RAW)", "$(PORT)"),
            ("$(NOPE)", "$(NOPE)"),
            ("$$(PORT)", "$(PORT)"),
            ("$$$(PORT)", "$8080"),
            ("$PORT ${PORT}", "$PORT ${PORT}"),
            ("$(PORT", "$(PORT"),
            ("100$", "100$"),
            ("ü$(PORT)ü", "ü8080ü"),
        ] {
            assert_eq!(expand(text, value), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn text_without_dollars_stays(text in "[^$]*") {
            assert_eq!(expand(&text, |_| None), text);
        }

        #[test]
        fn anything_expands_without_panic(text in ".*") {
            expand(&text, |name| Some(if name.is_empty() { "" } else { "x" }));
        }
    }
}
