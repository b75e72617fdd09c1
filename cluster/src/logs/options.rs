//! What a request for a log asks for.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::status::{Cause, Status};

/// `PodLogOptions` of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// May be empty where the pod has one container.
    pub container: String,
    /// Go on with what is written from now on, until the container ends.
    pub follow: bool,
    /// The run before the current one.
    pub previous: bool,
    /// Begin each line with its time.
    pub timestamps: bool,
    /// Leave out what is older.
    pub since: Option<Timestamp>,
    /// Begin this many lines before the end.
    pub tail: Option<u64>,
    /// End after this many bytes.
    pub limit: Option<u64>,
}

impl LogOptions {
    /// Reads the query of a request for the log of a pod; what is not given is empty.
    ///
    /// # Errors
    /// 400 where an option is malformed, 422 where its value is out of range.
    pub fn parse<'q>(
        pod: &str,
        get: impl Fn(&str) -> &'q str,
        flag: impl Fn(&str) -> Result<bool, Status>,
    ) -> Result<Self, Status> {
        let mut causes = Vec::new();
        let tail = number(get("tailLines"), "tailLines", 0, &mut causes)?;
        let limit = number(get("limitBytes"), "limitBytes", 1, &mut causes)?;
        let seconds = number(get("sinceSeconds"), "sinceSeconds", 1, &mut causes)?;
        let time = match get("sinceTime") {
            "" => None,
            text => Some(text.parse::<Timestamp>().map_err(|_| {
                Status::bad_request(format!("sinceTime: {text:?} is no time as RFC 3339 has it"))
            })?),
        };
        if time.is_some() && seconds.is_some() {
            let why = "at most one of `sinceTime` or `sinceSeconds` may be specified";
            causes.push(Cause::forbidden("", why));
        }
        if !causes.is_empty() {
            return Err(Status::invalid_named("", "PodLogOptions", pod, causes));
        }
        let ago = |seconds: u64| {
            let ago = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            Timestamp::now().checked_sub(ago).unwrap_or(Timestamp::MIN)
        };
        Ok(Self {
            container: get("container").to_owned(),
            follow: flag("follow")?,
            previous: flag("previous")?,
            timestamps: flag("timestamps")?,
            since: time.or_else(|| seconds.map(ago)),
            tail,
            limit,
        })
    }
}

fn number(
    text: &str,
    field: &str,
    least: i64,
    causes: &mut Vec<Cause>,
) -> Result<Option<u64>, Status> {
    if text.is_empty() {
        return Ok(None);
    }
    let number: i64 = text.parse().map_err(|_| {
        Status::bad_request(format!("{field}: strconv.ParseInt: parsing {text:?}: invalid syntax"))
    })?;
    if number < least {
        let why = match least {
            0 => "must be greater than or equal to 0",
            _ => "must be greater than 0",
        };
        causes.push(Cause::invalid(field, &Value::from(number), why));
    }
    Ok(u64::try_from(number).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &'static str)]) -> Result<LogOptions, Status> {
        let get = |name: &str| {
            pairs.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value)
        };
        LogOptions::parse("talker", get, |name| Ok(get(name) == "true"))
    }

    #[test]
    fn options_are_read() {
        let options = parse(&[
            ("container", "talk"),
            ("follow", "true"),
            ("tailLines", "5"),
            ("sinceTime", "2026-01-01T00:00:00Z"),
        ]);
        let expected = LogOptions {
            container: "talk".to_owned(),
            follow: true,
            tail: Some(5),
            since: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            ..LogOptions::default()
        };
        assert_eq!(options, Ok(expected));
    }

    #[test]
    fn what_is_out_of_range_is_told_as_kubernetes_tells_it() {
        let refused = parse(&[("tailLines", "-1")]).expect_err("negative");
        assert_eq!(refused.code, 422);
        assert_eq!(
            refused.message,
            "PodLogOptions \"talker\" is invalid: tailLines: Invalid value: -1: \
             must be greater than or equal to 0"
        );
        assert_eq!(parse(&[("limitBytes", "0")]).expect_err("zero").code, 422);
        assert_eq!(parse(&[("tailLines", "x")]).expect_err("no number").code, 400);
        let both = [("sinceSeconds", "1"), ("sinceTime", "2026-01-01T00:00:00Z")];
        assert_eq!(parse(&both).expect_err("both").code, 422);
    }
}
