//! Header fields that the router adds to requests and responses.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use http::{
    HeaderName, HeaderValue,
    header::{REFERRER_POLICY, STRICT_TRANSPORT_SECURITY},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Names a request across all programs that it passes: each appends its own id.
pub const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const REQUEST_START: HeaderName = HeaderName::from_static("x-request-start");

/// Which fields are added. A rule that adds none has no filter, so that its requests pay nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderFilter {
    /// `Strict-Transport-Security`, on responses to what came by TLS.
    pub strict_transport: Option<HeaderValue>,
    /// `Referrer-Policy`, on responses.
    pub referrer_policy: Option<ReferrerPolicy>,
    /// `X-Request-Id` and `X-Correlation-Id`, on requests and responses.
    pub request_ids: bool,
    /// `X-Request-Start`, on requests: when the request was sent on.
    pub request_start: bool,
}

impl HeaderFilter {
    /// The filter, or `None` where it would add nothing.
    pub fn some(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }

    /// The ids of a request with the field `correlation`, where it is to get some.
    pub fn ids(&self, correlation: Option<&HeaderValue>) -> Option<RequestIds> {
        self.request_ids.then(|| RequestIds::new(correlation))
    }

    /// Gives `set` the fields of the request that the endpoint gets at time `now`.
    ///
    /// # Errors
    /// Those of `set`.
    pub fn request<E>(
        &self,
        ids: Option<&RequestIds>,
        now: SystemTime,
        mut set: impl FnMut(HeaderName, HeaderValue) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(ids) = ids {
            set(REQUEST_ID, ids.request.clone())?;
            set(CORRELATION_ID, ids.correlation.clone())?;
        }
        if self.request_start {
            set(REQUEST_START, start(now))?;
        }
        Ok(())
    }

    /// Gives `set` the fields of the response to a request that came by TLS (`secure`) or not.
    ///
    /// # Errors
    /// Those of `set`.
    pub fn response<E>(
        &self,
        ids: Option<&RequestIds>,
        secure: bool,
        mut set: impl FnMut(HeaderName, HeaderValue) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(ids) = ids {
            set(REQUEST_ID, ids.request.clone())?;
            set(CORRELATION_ID, ids.correlation.clone())?;
        }
        if let Some(value) = self.strict_transport.as_ref().filter(|_| secure) {
            set(STRICT_TRANSPORT_SECURITY, value.clone())?;
        }
        if let Some(policy) = self.referrer_policy {
            set(REFERRER_POLICY, HeaderValue::from_static(policy.0))?;
        }
        Ok(())
    }
}

impl fmt::Display for HeaderFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = Vec::new();
        names.extend(self.strict_transport.as_ref().and_then(|value| value.to_str().ok()));
        names.extend(self.referrer_policy.map(|policy| policy.0));
        names.extend(self.request_ids.then_some("request-ids"));
        names.extend(self.request_start.then_some("request-start"));
        f.write_str(&names.join(", "))
    }
}

/// The names of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestIds {
    request: HeaderValue,
    correlation: HeaderValue,
}

impl RequestIds {
    /// A new id, appended to the `correlation` that came with the request.
    fn new(correlation: Option<&HeaderValue>) -> Self {
        let id = format!("{:032x}", fastrand::u128(..));
        let value =
            |bytes: &[u8]| HeaderValue::from_bytes(bytes).expect("digits, a comma and a value");
        let request = value(id.as_bytes());
        let correlation = match correlation.map(HeaderValue::as_bytes) {
            None | Some(b"") => request.clone(),
            Some(received) => value(&[received, b",", id.as_bytes()].concat()),
        };
        Self { request, correlation }
    }
}

/// Seconds since the Unix epoch with three decimals, as nginx and Heroku write it.
fn start(now: SystemTime) -> HeaderValue {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let text = format!("t={}.{:03}", since.as_secs(), since.subsec_millis());
    HeaderValue::try_from(text).expect("digits and a dot")
}

/// A value of `Referrer-Policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReferrerPolicy(&'static str);

/// The values that there are (W3C Referrer Policy §3).
const REFERRER_POLICIES: [&str; 8] = [
    "no-referrer",
    "no-referrer-when-downgrade",
    "origin",
    "origin-when-cross-origin",
    "same-origin",
    "strict-origin",
    "strict-origin-when-cross-origin",
    "unsafe-url",
];

impl ReferrerPolicy {
    /// Every policy with its name.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        REFERRER_POLICIES.into_iter().map(|name| (name, Self(name)))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn fields(
        filter: impl FnOnce(
            &mut dyn FnMut(HeaderName, HeaderValue) -> Result<(), Infallible>,
        ) -> Result<(), Infallible>,
    ) -> Vec<String> {
        let mut fields = Vec::new();
        let Ok(()) = filter(&mut |name, value| {
            fields.push(format!("{name}: {}", value.to_str().unwrap()));
            Ok(())
        });
        fields
    }

    #[test]
    fn a_filter_without_fields_is_none() {
        assert_eq!(HeaderFilter::default().some(), None);
        let filter = HeaderFilter { request_start: true, ..HeaderFilter::default() };
        assert_eq!(filter.clone().some().as_deref(), Some(&filter));
    }

    #[test]
    fn a_new_id_is_appended_to_the_correlation() {
        let filter = HeaderFilter { request_ids: true, ..HeaderFilter::default() };
        for (received, prefix) in [(None, ""), (Some(""), ""), (Some("a,b"), "a,b,")] {
            let received = received.map(HeaderValue::from_static);
            let ids = filter.ids(received.as_ref()).unwrap();
            let id = ids.request.to_str().unwrap();
            assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
            let expected =
                [format!("x-request-id: {id}"), format!("x-correlation-id: {prefix}{id}")];
            assert_eq!(fields(|set| filter.request(Some(&ids), SystemTime::now(), set)), expected);
            assert_eq!(fields(|set| filter.response(Some(&ids), false, set)), expected);
        }
        assert_ne!(filter.ids(None), filter.ids(None));
    }

    #[test]
    fn the_start_has_milliseconds() {
        let filter = HeaderFilter { request_start: true, ..HeaderFilter::default() };
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_045);
        let expected = ["x-request-start: t=1700000000.045"];
        assert_eq!(fields(|set| filter.request(None, now, set)), expected);
        assert_eq!(fields(|set| filter.response(None, true, set)), [""; 0]);
    }

    #[test]
    fn strict_transport_is_for_tls_only() {
        let filter = HeaderFilter {
            strict_transport: Some(HeaderValue::from_static("max-age=1")),
            referrer_policy: Some(ReferrerPolicy("same-origin")),
            ..HeaderFilter::default()
        };
        let referrer = "referrer-policy: same-origin";
        assert_eq!(
            fields(|set| filter.response(None, true, set)),
            ["strict-transport-security: max-age=1", referrer]
        );
        assert_eq!(fields(|set| filter.response(None, false, set)), [referrer]);
    }
}
