//! The rules for names, labels and keys, with Kubernetes' messages.

/// Why a text is no RFC 1123 subdomain.
pub(crate) fn subdomain(text: &str) -> Vec<String> {
    checked(
        text,
        253,
        text.split('.').all(is_label),
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
         and must start and end with an alphanumeric character (e.g. 'example.com', regex used for \
         validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    )
}

/// Why a text is no RFC 1123 label.
pub(crate) fn label(text: &str) -> Vec<String> {
    checked(
        text,
        63,
        is_label(text),
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
         start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for \
         validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
    )
}

/// Why a text is no RFC 1035 label.
pub(crate) fn label_1035(text: &str) -> Vec<String> {
    checked(
        text,
        63,
        is_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase()),
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
         alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', \
         regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
    )
}

/// Why a text cannot stand as one segment of a path.
pub(super) fn path_segment(text: &str) -> Vec<String> {
    if text == "." || text == ".." {
        return vec![format!("may not be '{text}'")];
    }
    let bad = ["/", "%"].into_iter().filter(|character| text.contains(character));
    bad.map(|character| format!("may not contain '{character}'")).collect()
}

/// Why a text is no path that leads down from where it starts.
pub(super) fn descending_path(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.starts_with('/') {
        problems.push("must be a relative path".to_owned());
    }
    if text.split('/').any(|part| part == "..") {
        problems.push("must not contain '..'".to_owned());
    }
    problems
}

/// Why a text is no host that a rule may name: a subdomain, or `*.` and one.
pub(super) fn wildcard_host(text: &str) -> Vec<String> {
    let wild = text.strip_prefix("*.");
    checked(
        text,
        253,
        wild.is_some_and(|rest| rest.split('.').all(is_label)),
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which \
         must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric \
         character (e.g. '*.example.com', regex used for validation is \
         '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
    )
}

/// Why a text is no key of a label or an annotation: `name` or `prefix/name`.
pub(super) fn qualified(text: &str) -> Vec<String> {
    const FORM: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end \
         with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
         validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
    let mut problems = Vec::new();
    let name = match text.split_once('/') {
        None => text,
        Some((_, name)) if name.contains('/') => {
            return vec![format!(
                "a qualified name {FORM} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
        Some(("", name)) => {
            problems.push("prefix part must be non-empty".to_owned());
            name
        }
        Some((prefix, name)) => {
            problems.extend(subdomain(prefix).into_iter().map(|p| format!("prefix part {p}")));
            name
        }
    };
    if name.is_empty() {
        problems.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        problems.push("name part must be no more than 63 bytes".to_owned());
    }
    if !is_value(name) || name.is_empty() {
        problems.push(format!("name part {FORM}"));
    }
    problems
}

/// Why a text is no value of a label.
pub(super) fn label_value(text: &str) -> Vec<String> {
    checked(
        text,
        63,
        is_value(text),
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
         and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or \
         '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
    )
}

/// Why a text is no key of a ConfigMap or a Secret.
pub(super) fn config_key(text: &str) -> Vec<String> {
    let mut problems = checked(
        text,
        253,
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b)),
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  \
         or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
    );
    match text {
        "." | ".." => problems.push(format!("must not be '{text}'")),
        _ if text.starts_with("..") => problems.push("must not start with '..'".to_owned()),
        _ => {}
    }
    problems
}

/// Why a text is no name of a port of a container (RFC 6335).
pub(super) fn port_name(text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > 15 {
        problems.push("must be no more than 15 bytes");
    }
    if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        problems.push("must contain only alphanumeric characters (a-z, 0-9), and hyphens (-)");
    }
    if !text.bytes().any(|b| b.is_ascii_lowercase()) {
        problems.push("must contain at least one letter (a-z)");
    }
    if text.contains("--") {
        problems.push("must not contain consecutive hyphens");
    }
    if text.starts_with('-') || text.ends_with('-') {
        problems.push("must not begin or end with a hyphen");
    }
    problems.into_iter().map(str::to_owned).collect()
}

/// Why a text is no name of an environment variable.
pub(super) fn variable(text: &str) -> Vec<String> {
    let printable =
        !text.is_empty() && text.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'=');
    if printable {
        return Vec::new();
    }
    vec!["a valid environment variable name must consist only of printable ASCII characters other than '='".to_owned()]
}

fn checked(text: &str, longest: usize, fits: bool, form: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if text.len() > longest {
        problems.push(format!("must be no more than {longest} bytes"));
    }
    if !fits {
        problems.push(form.to_owned());
    }
    problems
}

fn is_label(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !text.is_empty() && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_value(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let edge = |b: Option<u8>| b.is_none_or(|b| b.is_ascii_alphanumeric());
    text.bytes().all(inner) && edge(text.bytes().next()) && edge(text.bytes().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_fit_and_names_that_do_not() {
        type Rule = fn(&str) -> Vec<String>;
        let cases: [(Rule, &[&str], &[&str]); 8] = [
            (subdomain, &["a", "a.b-c.d", "0"], &["", "A", "a..b", "-a", "a.", "a_b"]),
            (label, &["a", "0-a"], &["", "a.b", "a-", "é"]),
            (label_1035, &["a", "a0"], &["", "0a", "-"]),
            (path_segment, &["system:a", "a.b"], &[".", "..", "a/b", "a%b"]),
            (qualified, &["a", "a.b/c_d", "A"], &["", "/a", "a/", "a/b/c", "-a", "A.b/c"]),
            (label_value, &["", "a", "A_b.c-d"], &["-a", "a b", "a-"]),
            (config_key, &["a.b", "..a".trim_start_matches('.'), "_"], &["", "..", "..a", "a/b"]),
            (port_name, &["http", "a-1"], &["", "1", "HTTP", "a--b", "-a", "sixteen-letters-"]),
        ];
        for (rule, good, bad) in cases {
            for text in good {
                assert_eq!(rule(text), [""; 0], "{text:?}");
            }
            for text in bad {
                assert!(!rule(text).is_empty(), "{text:?}");
            }
        }
        assert!(!subdomain(&"a".repeat(254)).is_empty());
        assert!(!label(&"a".repeat(64)).is_empty());
    }
}
