//! What logd says of drains, for people.

use std::fmt::Write as _;

use serde::Deserialize;

/// What `/drains` answers.
#[derive(Deserialize)]
struct All {
    complete: bool,
    drains: Vec<Drain>,
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Drain {
    id: String,
    apps: String,
    url: String,
    failures: u32,
    lag: Lag,
    lines: Lines,
    last_error: Option<LastError>,
}

#[derive(Deserialize)]
struct Lag {
    records: u64,
}

#[derive(Deserialize)]
struct Lines {
    delivered: u64,
    sent: u64,
    lost_lag: u64,
    lost_expired: u64,
    lost_rejected: u64,
}

#[derive(Deserialize)]
struct LastError {
    kind: String,
    message: String,
    time: String,
}

#[derive(Deserialize)]
struct Refused {
    id: String,
    error: String,
}

/// What came of a line that was sent to try a drain.
#[derive(Deserialize)]
struct Trial {
    url: String,
    steps: Vec<String>,
    outcome: String,
    kind: Option<String>,
    error: Option<String>,
}

/// A table, and what is wrong below it.
pub(super) fn list(answer: &str) -> Result<String, serde_json::Error> {
    let All { complete, drains, refused } = serde_json::from_str(answer)?;
    let mut rows = vec![["DRAIN", "APPS", "TO", "ARRIVED", "WAITING", "LOST"].map(str::to_owned)];
    for drain in &drains {
        let lines = &drain.lines;
        rows.push([
            drain.id.clone(),
            drain.apps.clone(),
            drain.url.clone(),
            (lines.delivered + lines.sent).to_string(),
            drain.lag.records.to_string(),
            (lines.lost_lag + lines.lost_expired + lines.lost_rejected).to_string(),
        ]);
    }
    let mut widths = [0; 6];
    for row in &rows {
        for (width, text) in widths.iter_mut().zip(row) {
            *width = text.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in &rows {
        let line: Vec<String> =
            row.iter().zip(widths).map(|(text, width)| format!("{text:width$}")).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    let mut told = String::new();
    for drain in drains.iter().filter(|drain| drain.failures > 0) {
        if let Some(LastError { kind, message, time }) = &drain.last_error {
            let Drain { id, failures, .. } = drain;
            writeln!(
                told,
                "{id}: {failures} attempts failed, the last at {time}: {kind}: {message}"
            )
            .expect("a string grows");
        }
    }
    for Refused { id, error } in &refused {
        writeln!(told, "{id} cannot be: {error}").expect("a string grows");
    }
    if !complete {
        told.push_str("logd does not know all drains yet: it cannot read all Secrets\n");
    }
    Ok(text + &told)
}

/// The exchange, and whether the line has arrived.
pub(super) fn trial(answer: &str) -> Result<(String, bool), serde_json::Error> {
    let Trial { url, steps, outcome, kind, error } = serde_json::from_str(answer)?;
    let mut text = format!("{url}\n");
    for step in steps.iter() {
        writeln!(text, "  {step}").expect("a string grows");
    }
    let arrived = matches!(outcome.as_str(), "delivered" | "sent");
    let what = match outcome.as_str() {
        "delivered" => "delivered: the receiver has confirmed the line".to_owned(),
        "sent" => "sent: the line has left; this protocol confirms nothing".to_owned(),
        "unknown" => "unknown: the receiver has not said what became of the line".to_owned(),
        outcome => [Some(outcome), kind.as_deref(), error.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(": "),
    };
    writeln!(text, "{what}").expect("a string grows");
    Ok((text, arrived))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drains_are_a_table_with_what_is_wrong_below() {
        let answer = r#"{"complete":false,"drains":[
            {"id":"shop/papertrail","apps":"shop/*","url":"syslog+tls://logs.example:6514",
             "breaker":"closed","failures":0,"lag":{"records":3,"bytes":210,"seconds":1},
             "lines":{"matched":120,"delivered":0,"sent":117,"pending":3,"lost_lag":0,
                      "lost_expired":0,"lost_rejected":0,"resent":2,"notices":0},
             "last_error":null,"last_success":null},
            {"id":"a/b","apps":"*","url":"https://h:443/…","breaker":"open","failures":7,
             "lag":{"records":0,"bytes":0,"seconds":0},
             "lines":{"matched":6,"delivered":1,"sent":0,"pending":0,"lost_lag":2,
                      "lost_expired":2,"lost_rejected":1,"resent":0,"notices":0},
             "last_error":{"kind":"connect","message":"h:443: refused","time":"2026-11-20T10:00:00Z"},
             "last_success":null}],
            "refused":[{"id":"shop/x","error":"key url is missing"}]}"#;
        let expected = "\
DRAIN            APPS    TO                              ARRIVED  WAITING  LOST
shop/papertrail  shop/*  syslog+tls://logs.example:6514  117      3        0
a/b              *       https://h:443/…                 1        0        5
a/b: 7 attempts failed, the last at 2026-11-20T10:00:00Z: connect: h:443: refused
shop/x cannot be: key url is missing
logd does not know all drains yet: it cannot read all Secrets
";
        assert_eq!(list(answer).unwrap(), expected);
    }

    #[test]
    fn an_exchange_is_shown_step_by_step() {
        let answer = r#"{"id":"a/b","url":"syslog+tls://h:6514","steps":["h: the addresses are 1.2.3.4",
            "connected to 1.2.3.4:6514"],"outcome":"failed","kind":"certificate","error":"expired"}"#;
        let expected = "\
syslog+tls://h:6514
  h: the addresses are 1.2.3.4
  connected to 1.2.3.4:6514
failed: certificate: expired
";
        assert_eq!(trial(answer).unwrap(), (expected.to_owned(), false));
        let answer = r#"{"id":"a/b","url":"https://h:443","steps":[],"outcome":"delivered"}"#;
        let (text, arrived) = trial(answer).unwrap();
        assert!(arrived && text.ends_with("delivered: the receiver has confirmed the line\n"));
    }
}
