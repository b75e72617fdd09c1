//! What an app's own stream says about its log: Heroku's codes, with what is known.

use fairlead_wire::message::LossReason;

use super::ledger::{EdgeEntry, GapEntry, Tally};
use crate::time;

/// `L12`: the sender read it and did not send it.
pub(crate) fn loss(pod: &str, reason: LossReason, tally: Tally, since: i64) -> String {
    let why = match reason {
        LossReason::RateLimited => "rate limit",
        LossReason::Oversize => "line too long",
        LossReason::QueueFull => "sender's queue full",
    };
    let what = match tally.records {
        0 => format!("{} bytes cut off", tally.bytes),
        1 => "1 message dropped".to_owned(),
        records => format!("{records} messages dropped"),
    };
    let since = time::show(since);
    format!("Error L12 ({why}): {what} since {since}{}.", of(pod))
}

/// `L12`: it was gone before it could be read.
pub(crate) fn gap(gap: &GapEntry) -> String {
    let why = match gap.reason {
        "deleted" => "log file deleted",
        "truncated" => "log file truncated",
        "given_up" => "too many deleted log files",
        "runtime_rotation" => "log file rotated by the runtime",
        "unreadable" => "log file unreadable",
        "skipped" => "not sent",
        _ => "unknown reason",
    };
    let what = match gap.bytes {
        Some(bytes) => format!("{bytes} bytes"),
        None => "an unknown number of bytes".to_owned(),
    };
    let time = |word, edge: &Option<EdgeEntry>| {
        let time = edge.as_ref().and_then(|edge| edge.time.as_deref())?;
        Some(format!(" {word} {time}"))
    };
    let after = time("after", &gap.before).unwrap_or_default();
    let before = time("before", &gap.after).unwrap_or_default();
    format!("Error L12 ({why}): {what} missing{after}{before}{}.", of(&gap.pod))
}

/// `L11`: a reader was overtaken.
pub(crate) fn missed(records: u64, since: i64) -> String {
    let messages = if records == 1 { "message" } else { "messages" };
    let since = time::show(since);
    format!("Error L11 (Tail buffer overflow): {records} {messages} dropped since {since}.")
}

/// `L11`: a reader came back to another ring, and what it may have seen is not shown again.
pub(crate) fn left_out(records: u64, before: i64) -> String {
    let messages = if records == 1 { "message" } else { "messages" };
    let before = time::show(before);
    format!(
        "Error L11 (Log restarted): {records} {messages} from before {before} left out, of which some may not have been shown."
    )
}

/// `L11`: a reader came back to another ring, which does not have all that the one before had.
pub(crate) fn lacking(pod: &str, before: i64) -> String {
    let (before, pod) = (time::show(before), of(pod));
    format!(
        "Error L11 (Log restarted): messages from before {before} are gone, of which some may not have been shown{pod}."
    )
}

fn of(pod: &str) -> String {
    if pod.is_empty() { String::new() } else { format!(", from {pod}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_says_why_how_much_and_since_when() {
        let tally = |records, bytes| Tally { records, bytes };
        assert_eq!(
            loss("web-1", LossReason::RateLimited, tally(12, 700), 0),
            "Error L12 (rate limit): 12 messages dropped since 1970-01-01T00:00:00.000000000Z, from web-1."
        );
        assert_eq!(
            loss("", LossReason::Oversize, tally(0, 700), 0),
            "Error L12 (line too long): 700 bytes cut off since 1970-01-01T00:00:00.000000000Z."
        );
        assert_eq!(
            missed(1, 0),
            "Error L11 (Tail buffer overflow): 1 message dropped since 1970-01-01T00:00:00.000000000Z."
        );
        assert_eq!(
            left_out(2, 0),
            "Error L11 (Log restarted): 2 messages from before 1970-01-01T00:00:00.000000000Z left out, of which some may not have been shown."
        );
    }

    #[test]
    fn a_gap_is_told_with_what_is_known_of_it() {
        let mut entry = GapEntry {
            id: String::new(),
            reason: "deleted",
            pod: "web-1".to_owned(),
            container: "web".to_owned(),
            before: Some(EdgeEntry {
                incarnation: String::new(),
                offset: 0,
                time: Some("2026-11-20T10:00:00.000000000Z".to_owned()),
            }),
            after: None,
            bytes: None,
        };
        assert_eq!(
            gap(&entry),
            "Error L12 (log file deleted): an unknown number of bytes missing after 2026-11-20T10:00:00.000000000Z, from web-1."
        );
        (entry.before, entry.bytes) = (None, Some(7));
        assert_eq!(gap(&entry), "Error L12 (log file deleted): 7 bytes missing, from web-1.");
    }
}
