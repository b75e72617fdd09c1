//! What a receiver answers, and what its status says.

use std::time::Duration;

use http::StatusCode;

use crate::{Failure, FailureKind};

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Its body; or why there is not all of it, which is of no matter to who needs the status alone.
    pub(crate) body: Result<Vec<u8>, Failure>,
    /// How long the receiver wants to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// What a status says of all lines of a request.
#[derive(Debug)]
pub(super) enum Meaning {
    /// They have arrived; the body may say more.
    Taken,
    /// They are too much at once.
    TooLarge,
    /// The receiver cannot read them, or some of them.
    Refused,
    /// Nothing is known of them.
    Unknown(Failure),
}

impl Answer {
    /// An answer of 200.
    #[cfg(test)]
    pub(crate) fn ok(body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, body: Ok(body), retry_after: None }
    }

    /// What its status says, where a status of 5xx is such that the same may be taken later. Refused
    /// for good is only what is wrong with the lines themselves; who may not send, or asks for what
    /// is not there, is mended at the receiver or by a new Secret.
    pub(super) fn meaning(&self, passing: impl Fn(StatusCode) -> bool) -> Meaning {
        let failed = |kind| {
            let retry_after = self.retry_after;
            // Whoever refuses a path or a token says nothing but that.
            let failure = match kind {
                FailureKind::Denied => Failure::new(kind, self.status()),
                _ => Failure::new(kind, self.number()).answered(self.words()),
            };
            Meaning::Unknown(Failure { retry_after, ..failure })
        };
        match self.status.as_u16() {
            200..=299 => Meaning::Taken,
            413 => Meaning::TooLarge,
            400 | 411 | 414 | 415 | 422 | 431 => Meaning::Refused,
            500..=599 if !passing(self.status) => Meaning::Refused,
            408 | 425 | 429 | 500..=599 => failed(FailureKind::Busy),
            300..=499 => failed(FailureKind::Denied),
            _ => failed(FailureKind::Protocol),
        }
    }

    /// Its status, for people.
    fn status(&self) -> String {
        let reason = self.status.canonical_reason().unwrap_or_default();
        match self.status.is_redirection() {
            true => format!("{}: redirects are not followed", self.number()),
            false => format!("{} {reason}", self.number()).trim_end().to_owned(),
        }
    }

    fn number(&self) -> String {
        format!("status {}", self.status.as_u16())
    }

    /// The beginning of its body, in one line.
    fn words(&self) -> String {
        let body = self.body.as_deref().unwrap_or_default();
        let body = String::from_utf8_lossy(&body[..body.len().min(2048)]);
        body.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Its status and the beginning of its body, for people.
    pub(super) fn told(&self) -> String {
        let words = self.words();
        let text =
            if words.is_empty() { self.number() } else { format!("{}: {words}", self.number()) };
        crate::sink::told(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_becomes_of_the_lines() {
        let said = |status: u16| {
            let passing = |status: StatusCode| status != StatusCode::NOT_IMPLEMENTED;
            let status = StatusCode::from_u16(status).unwrap();
            let retry_after = Some(Duration::from_secs(7));
            match (Answer { status, body: Ok(b"why\r\n not".to_vec()), retry_after })
                .meaning(passing)
            {
                Meaning::Taken => "taken".to_owned(),
                Meaning::TooLarge => "too large".to_owned(),
                Meaning::Refused => "refused".to_owned(),
                Meaning::Unknown(failure) => {
                    assert_eq!(failure.retry_after, retry_after);
                    format!("{:?} {failure}", failure.kind)
                }
            }
        };
        for (statuses, meaning) in [
            (&[200, 201, 202, 204, 206][..], "taken"),
            (&[413], "too large"),
            (&[400, 415, 422, 501], "refused"),
        ] {
            for status in statuses {
                assert_eq!(said(*status), meaning, "{status}");
            }
        }
        for (statuses, kind) in
            [(&[408, 425, 429, 500, 502, 503, 504][..], "Busy"), (&[600, 999], "Protocol")]
        {
            for status in statuses {
                assert_eq!(said(*status), format!("{kind} status {status}: why not"));
            }
        }
        for (status, reason) in [(401, "Unauthorized"), (403, "Forbidden"), (404, "Not Found")] {
            assert_eq!(said(status), format!("Denied status {status} {reason}"));
        }
        for status in [301, 302, 303, 307, 308] {
            assert_eq!(said(status), format!("Denied status {status}: redirects are not followed"));
        }
    }
}
