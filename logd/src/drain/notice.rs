//! What is told of a drain: Heroku's codes, with what is known.

use crate::time;

/// `L10`, to the receiver: lines left before they could be sent.
pub(super) fn overrun(lines: u64, since: i64) -> String {
    let messages = if lines == 1 { "message" } else { "messages" };
    let since = time::show(since);
    format!("Error L10 (output buffer overflow): {lines} {messages} dropped since {since}.")
}

/// `L10`, in the app's stream.
pub(super) fn overrun_of(drain: &str, lines: u64, since: i64) -> String {
    let mut text = overrun(lines, since);
    text.pop();
    format!("{text}, for the drain {drain}.")
}

/// `L13`: attempts fail.
pub(super) fn undeliverable(drain: &str, failures: u32, since: i64, why: &str) -> String {
    let since = time::show(since);
    format!(
        "Error L13 (Local delivery error): {failures} attempts failed since {since} to send to the drain {drain}: {why}"
    )
}

/// `L14`: the receiver's certificate is not trusted.
pub(super) fn certificate(drain: &str, why: &str) -> String {
    format!("Error L14 (Certificate validation error): the drain {drain}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_has_heroku_s_code_and_says_what_is_known() {
        assert_eq!(
            overrun(12, 0),
            "Error L10 (output buffer overflow): 12 messages dropped since 1970-01-01T00:00:00.000000000Z."
        );
        assert_eq!(
            overrun_of("shop/papertrail", 1, 0),
            "Error L10 (output buffer overflow): 1 message dropped since 1970-01-01T00:00:00.000000000Z, for the drain shop/papertrail."
        );
        assert_eq!(
            undeliverable("shop/papertrail", 5, 0, "connection refused"),
            "Error L13 (Local delivery error): 5 attempts failed since 1970-01-01T00:00:00.000000000Z to send to the drain shop/papertrail: connection refused"
        );
        assert_eq!(
            certificate("shop/papertrail", "it has expired"),
            "Error L14 (Certificate validation error): the drain shop/papertrail: it has expired"
        );
    }
}
