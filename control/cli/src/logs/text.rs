//! A line as people read it.

use std::io::{self, Write};

use anstyle::{AnsiColor, Reset, Style};

use super::line::Line;

/// Told apart on light and dark backgrounds alike. Red is for what went wrong.
const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Green,
    AnsiColor::Yellow,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::BrightCyan,
];
const NOTICE: Style = AnsiColor::Red.on_default();

/// Writes `TIME APP[PROCESS.RELEASE.POD]: MESSAGE`. On a terminal the part before the message has
/// its process's colour, and nothing of the line can do more than be read and be coloured.
///
/// # Errors
/// Where `out` fails.
pub(crate) fn write(out: &mut impl Write, line: &Line<'_>, terminal: bool) -> io::Result<()> {
    let Line { time, process, message, notice, .. } = line;
    let head = line.head();
    if !terminal {
        return writeln!(out, "{time} {head} {message}");
    }
    let style = if *notice { NOTICE } else { colour(process) };
    write!(out, "{style}")?;
    tame(out, &format!("{time} {head}"))?;
    write!(out, "{Reset} ")?;
    tame(out, message)?;
    writeln!(out, "{Reset}")
}

/// The same process has the same colour at all times.
fn colour(process: &str) -> Style {
    // FNV-1a: any spreading of a few short words does.
    let hash = process.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let index = usize::try_from(hash % COLOURS.len() as u64).expect("less than the colours");
    COLOURS[index].on_default()
}

/// Writes a message whose author may be anybody: colours pass, every other control character is
/// shown instead of obeyed, so that it cannot move the cursor, set titles or type answers.
fn tame(out: &mut impl Write, message: &str) -> io::Result<()> {
    let mut rest = message;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
        out.write_all(&rest.as_bytes()[..at])?;
        let tail = &rest[at..];
        let length =
            colour_sequence(tail).unwrap_or_else(|| tail.chars().next().map_or(0, char::len_utf8));
        let control = &tail[..length];
        match colour_sequence(tail) {
            Some(_) => out.write_all(control.as_bytes())?,
            None => write!(out, "{}", control.escape_default())?,
        }
        rest = &tail[length..];
    }
    out.write_all(rest.as_bytes())
}

/// The length of the SGR sequence (ECMA-48 8.3.117) that the text begins with.
fn colour_sequence(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let length = parameters.find(|c: char| !matches!(c, '0'..='9' | ';' | ':'))?;
    parameters[length..].starts_with('m').then_some(length + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tamed(message: &str) -> String {
        let mut out = Vec::new();
        tame(&mut out, message).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_stands_before_a_message_has_no_power_either() {
        let line = r#"{"time":"t","app":"a/b","process":"web\u001b[2J","pod":"b-x","stream":"stdout","message":"m"}"#;
        let mut out = Vec::new();
        write(&mut out, &serde_json::from_str(line).unwrap(), true).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(out.contains("web\\u{1b}[2J") && !out.contains("\x1b[2J"), "{out}");
    }

    #[test]
    fn a_message_may_have_colours_and_no_other_power() {
        assert_eq!(tamed("plain\tä"), "plain\tä");
        assert_eq!(tamed("\x1b[1;31mred\x1b[0m"), "\x1b[1;31mred\x1b[0m");
        assert_eq!(tamed("a\x1b]0;title\x07b"), "a\\u{1b}]0;title\\u{7}b");
        assert_eq!(tamed("\x1b[2J\r\x1b"), "\\u{1b}[2J\\r\\u{1b}");
        assert_eq!(tamed("\u{9b}31m"), "\\u{9b}31m");
    }
}
