//! Patterns as Go reads them (RE2), for the regex crate.

use regex::Regex;

/// Compiles a pattern.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(&translate(pattern)).map_err(|error| error.to_string())
}

/// The two syntaxes are the same but for this: Go's `\d`, `\w`, `\s` and `\b` know ASCII only, and
/// its classes have neither nested classes nor operators.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut letters = pattern.chars().peekable();
    let mut class = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('d') => out.push_str("[0-9]"),
                Some('D') => out.push_str("[^0-9]"),
                Some('w') => out.push_str("[0-9A-Za-z_]"),
                Some('W') => out.push_str("[^0-9A-Za-z_]"),
                Some('s') => out.push_str("[\\t\\n\\f\\r ]"),
                Some('S') => out.push_str("[^\\t\\n\\f\\r ]"),
                Some('b') if !class => out.push_str("(?-u:\\b)"),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            '[' if class && letters.peek() == Some(&':') => {
                // `[:alpha:]` and the like, up to their end.
                out.push('[');
                for letter in letters.by_ref() {
                    out.push(letter);
                    if letter == ']' {
                        break;
                    }
                }
            }
            '[' if class => out.push_str("\\["),
            '&' | '~' if class => out.extend(['\\', letter]),
            '[' => {
                class = true;
                out.push('[');
                if letters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // A bracket that comes first does not close.
                if letters.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            ']' => {
                class = false;
                out.push(']');
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_match_in_go() {
        for (pattern, good, bad) in [
            (r"^\d+$", "12", "١٢"),
            (r"^[\w-]+$", "a_b-1", "a b"),
            (r"^[[]$", "[", "a"),
            (r"^[]a]$", "]", "b"),
            (r"^[^]]$", "a", "]"),
            (r"^[a&&b]$", "&", "c"),
            (r"^[[:alpha:]]+$", "ab", "1"),
            (r"^.$", "é", "ab"),
            (r"\bcat\b", "a cat", "concat"),
            (r"^\S+\.\s$", "a. ", "a.b"),
            (r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "a-0", "-a"),
        ] {
            let compiled = compile(pattern).expect(pattern);
            assert!(compiled.is_match(good), "{pattern} {good}");
            assert!(!compiled.is_match(bad), "{pattern} {bad}");
        }
        assert!(compile("(").is_err());
        assert!(compile("a{2,1}").is_err());
    }
}
