//! Asking for lines, showing them, and going on after a lost connection.

use std::{
    io::{IsTerminal as _, Write},
    time::Duration,
};

use form_urlencoded::Serializer;

use super::{
    args::{LogsArgs, Output},
    client::Logd,
    error::LogsError,
    line::Line,
    seen::Seen,
    text,
};

/// Before asking again, doubled each time up to the second one.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Shows the lines of `app` until there are no more, for ever with `--follow`.
///
/// # Errors
/// Where logd cannot be reached at first, refuses, or nobody reads what is shown.
pub(crate) async fn show(
    args: &LogsArgs,
    app: &str,
    logd: &Logd,
    out: &mut impl Write,
) -> Result<(), LogsError> {
    let terminal = std::io::stdout().is_terminal();
    let mut shown = Shown { output: args.output, terminal, seen: Seen::default(), cursor: None };
    let mut pause = BACKOFF.0;
    let mut connected = false;
    loop {
        let ended = match logd.lines(&path(args, app, shown.cursor.as_deref())).await {
            Ok(mut lines) => {
                connected = true;
                loop {
                    match lines.next().await {
                        Ok(Some(line)) => {
                            pause = BACKOFF.0;
                            shown.line(&line, out)?;
                        }
                        Ok(None) => break None,
                        Err(error) => break Some(error),
                    }
                }
            }
            Err(error) => Some(error),
        };
        match ended {
            Some(error) if !args.follow || !connected || !error.is_passing() => return Err(error),
            None if !args.follow => return Ok(()),
            _ => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BACKOFF.1);
    }
}

/// What logd is asked for.
fn path(args: &LogsArgs, app: &str, after: Option<&str>) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("format", "json");
    match after {
        Some(cursor) => query.append_pair("after", cursor),
        None => query.append_pair("log_lines", &args.lines.to_string()),
    };
    for (name, value) in [
        ("process", &args.process),
        ("pod", &args.pod),
        ("since", &args.since),
        ("regex", &args.grep),
    ] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    for (name, set) in [("follow", args.follow), ("invert", args.invert)] {
        if set {
            query.append_pair(name, "true");
        }
    }
    format!("/logs/{app}?{}", query.finish())
}

/// What was shown, and how.
struct Shown {
    output: Output,
    terminal: bool,
    seen: Seen,
    cursor: Option<String>,
}

impl Shown {
    fn line(&mut self, bytes: &[u8], out: &mut impl Write) -> Result<(), LogsError> {
        let line: Line<'_> = serde_json::from_slice(bytes).map_err(LogsError::Malformed)?;
        if !line.cursor.is_empty() {
            self.cursor = Some(line.cursor.clone().into_owned());
        }
        if !line.name.is_empty() && !self.seen.insert(&line.name) {
            return Ok(());
        }
        let written = match self.output {
            Output::Text => text::write(out, &line, self.terminal),
            Output::Json => out.write_all(bytes).and_then(|()| out.write_all(b"\n")),
        };
        written.and_then(|()| out.flush()).map_err(LogsError::Output)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: LogsArgs,
    }

    #[test]
    fn flags_become_a_query() {
        let Cli { args } = Cli::parse_from([
            "logs", "-a", "hello", "-f", "-n", "5", "-p", "web", "--since", "10m", "--grep", "a&b",
            "--invert",
        ]);
        assert_eq!(
            path(&args, "default/hello", None),
            "/logs/default/hello?format=json&log_lines=5&process=web&since=10m&regex=a%26b&follow=true&invert=true"
        );
        let Cli { args } = Cli::parse_from(["logs", "-a", "hello"]);
        assert_eq!(path(&args, "hello/hello", Some("c")), "/logs/hello/hello?format=json&after=c");
    }

    #[test]
    fn a_line_that_comes_again_is_shown_once() {
        let mut shown =
            Shown { output: Output::Text, terminal: false, seen: Seen::default(), cursor: None };
        let mut out = Vec::new();
        let line = br#"{"time":"T","app":"a/b","process":"web","pod":"b-1","message":"x\ty","name":"n:1","cursor":"c1"}"#;
        let notice = br#"{"time":"T","process":"logd","message":"missed","notice":true}"#;
        for bytes in [&line[..], notice, line, notice] {
            shown.line(bytes, &mut out).unwrap();
        }
        assert_eq!(out, b"T b[web.1]: x\ty\nT deis[logd]: missed\nT deis[logd]: missed\n");
        assert_eq!(shown.cursor.as_deref(), Some("c1"));
    }
}
