//! `Retry-After` (RFC 9110 section 10.2.3).

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header::RETRY_AFTER};

/// So long is waited at most, whatever a receiver asks for.
const CAP: Duration = Duration::from_secs(3600);

/// How long to send nothing, where the headers say so.
pub(super) fn of(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.bytes().all(|b| b.is_ascii_digit()) {
        true => Duration::from_secs(text.parse().unwrap_or(u64::MAX)),
        false => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    (!text.is_empty()).then_some(wait.min(CAP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Fri, 20 Nov 2026 10:00:00 GMT").unwrap();
        let wait = |text: &'static str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            of(&headers, now).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait(" 0 "), Some(0));
        assert_eq!(wait("99999999999999999999999"), Some(3600));
        assert_eq!(wait("Fri, 20 Nov 2026 10:01:30 GMT"), Some(90));
        assert_eq!(wait("Friday, 20-Nov-26 10:01:30 GMT"), Some(90));
        assert_eq!(wait("Fri, 20 Nov 2026 09:00:00 GMT"), Some(0));
        for text in ["", "soon", "-1", "1.5"] {
            assert_eq!(wait(text), None, "{text}");
        }
        assert_eq!(of(&HeaderMap::new(), now), None);
    }
}
