//! Which lines belong to the one before them: stack traces.

/// Where a group of lines is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Group {
    /// Goes on with indented lines and causes.
    #[default]
    Plain,
    /// Python's: goes on with indented lines, and the first that is not tells the exception.
    Traceback,
}

impl Group {
    /// The group that a line begins.
    pub(super) fn begin(line: &[u8]) -> Self {
        if line.starts_with(b"Traceback (most recent call last):") {
            Self::Traceback
        } else {
            Self::Plain
        }
    }

    /// The group with one more line, or `None` where the line begins another one.
    pub(super) fn next(self, line: &[u8]) -> Option<Self> {
        match (self, line.first()) {
            (_, Some(b' ' | b'\t')) => Some(self),
            (Self::Traceback, Some(_)) => Some(Self::Plain),
            (Self::Plain, Some(_)) => {
                let causes: [&[u8]; 3] = [b"Caused by: ", b"Suppressed: ", b"... "];
                causes.iter().any(|cause| line.starts_with(cause)).then_some(Self::Plain)
            }
            (_, None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(text: &str) -> Vec<Vec<&str>> {
        let mut groups: Vec<Vec<&str>> = Vec::new();
        let mut group = None;
        for line in text.lines() {
            group = match group.and_then(|group: Group| group.next(line.as_bytes())) {
                Some(next) => {
                    groups.last_mut().expect("begun").push(line);
                    Some(next)
                }
                None => {
                    groups.push(vec![line]);
                    Some(Group::begin(line.as_bytes()))
                }
            };
        }
        groups
    }

    #[test]
    fn a_java_stack_trace_is_one_group() {
        let text = "INFO start\n\
            java.lang.IllegalStateException: no\n\tat a.B.c(B.java:1)\nCaused by: java.io.IOException: x\n\
            \tat d.E.f(E.java:2)\n\t... 1 more\nINFO next";
        let lengths: Vec<_> = groups(text).iter().map(Vec::len).collect();
        assert_eq!(lengths, [1, 5, 1]);
    }

    #[test]
    fn a_python_traceback_ends_with_its_exception() {
        let text = "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    x()\n\
            ValueError: bad\nnext\n  indented\n\nlast";
        let lengths: Vec<_> = groups(text).iter().map(Vec::len).collect();
        assert_eq!(lengths, [4, 2, 1, 1]);
    }
}
