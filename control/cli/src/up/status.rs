//! The one line that shows how things are.

use std::{fmt, io::Write};

/// What the status line tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// Applications that the router knows.
    pub(crate) apps: usize,
    /// Routes that it serves.
    pub(crate) routes: usize,
    /// Pods that are ready, of all.
    pub(crate) pods: (usize, usize),
    /// Requests answered since the start.
    pub(crate) requests: u64,
    /// Requests answered in the last second.
    pub(crate) per_second: u64,
    /// Findings about objects.
    pub(crate) diagnostics: usize,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { apps, routes, pods: (ready, pods), requests, per_second, diagnostics } = self;
        write!(
            f,
            "apps {apps} · routes {routes} · pods {ready}/{pods} ready · {per_second} requests/s ({requests})"
        )?;
        if *diagnostics > 0 {
            write!(f, " · {diagnostics} findings, see /diagnostics")?;
        }
        Ok(())
    }
}

/// Where people read: a terminal gets a status line that is redrawn below the
/// messages, anything else gets plain lines.
#[derive(Debug)]
pub(crate) struct Screen<W> {
    out: W,
    terminal: bool,
    shown: Option<Status>,
}

impl<W: Write> Screen<W> {
    /// Writes to `out`.
    pub(crate) fn new(out: W, terminal: bool) -> Self {
        Self { out, terminal, shown: None }
    }

    /// Writes a line of its own.
    pub(crate) fn say(&mut self, message: impl fmt::Display) {
        // Nobody reads any more: going on serving is all that is left to do.
        let _ = if self.terminal && self.shown.is_some() {
            let shown = self.shown.map_or_else(String::new, |status| status.to_string());
            write!(self.out, "\r\x1b[K{message}\n{shown}")
        } else {
            writeln!(self.out, "{message}")
        };
        let _ = self.out.flush();
    }

    /// Shows `status`: redrawn on a terminal; elsewhere a line when more than the request counts changed.
    pub(crate) fn show(&mut self, status: Status) {
        let steady = |status: Status| Status { requests: 0, per_second: 0, ..status };
        let unchanged = if self.terminal {
            self.shown == Some(status)
        } else {
            self.shown.map(steady) == Some(steady(status))
        };
        if unchanged {
            return;
        }
        self.shown = Some(status);
        let _ = if self.terminal {
            write!(self.out, "\r\x1b[K{status}")
        } else {
            writeln!(self.out, "{status}")
        };
        let _ = self.out.flush();
    }

    /// Leaves the terminal at the start of a line.
    pub(crate) fn end(&mut self) {
        if self.terminal && self.shown.take().is_some() {
            let _ = writeln!(self.out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: Status =
        Status { apps: 2, routes: 3, pods: (3, 4), requests: 10, per_second: 5, diagnostics: 0 };
    const LINE: &str = "apps 2 · routes 3 · pods 3/4 ready · 5 requests/s (10)";

    #[test]
    fn a_terminal_has_the_status_below_the_messages() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, true);
        screen.say("hello");
        screen.show(STATUS);
        screen.show(STATUS);
        screen.say("edited");
        screen.end();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!("hello\n\r\x1b[K{LINE}\r\x1b[Kedited\n{LINE}\n")
        );
    }

    #[test]
    fn a_pipe_gets_a_line_when_something_but_traffic_changed() {
        let mut out = Vec::new();
        let mut screen = Screen::new(&mut out, false);
        screen.show(STATUS);
        screen.show(Status { requests: 11, per_second: 0, ..STATUS });
        screen.show(Status { diagnostics: 1, ..STATUS });
        screen.end();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            format!("{LINE}\n{LINE} · 1 findings, see /diagnostics\n")
        );
    }
}
