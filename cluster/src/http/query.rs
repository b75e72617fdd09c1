//! Options in the query of a request.

use std::borrow::Cow;

use crate::kinds::Kind;
use crate::selector::Selector;
use crate::status::Status;

/// The query of a request. Options that are not known are ignored, as Kubernetes does.
#[derive(Debug)]
pub(super) struct Query<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    pub(super) fn parse(query: Option<&'a str>) -> Self {
        Self { pairs: form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect() }
    }

    /// The value of an option; empty where it is not given.
    pub(super) fn get(&self, name: &str) -> &str {
        self.pairs.iter().find(|(given, _)| given == name).map_or("", |(_, value)| value)
    }

    /// A flag as Go reads it.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Status> {
        match self.get(name) {
            "" if self.pairs.iter().any(|(given, _)| given == name) => Ok(true),
            "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
            other => Err(Status::bad_request(format!(
                "invalid value for {name}: strconv.ParseBool: parsing {other:?}: invalid syntax"
            ))),
        }
    }

    /// A number; `None` where it is not given.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Status> {
        match self.get(name) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                Status::bad_request(format!(
                    "strconv.ParseUint: parsing {text:?}: invalid syntax: {name}"
                ))
            }),
        }
    }

    pub(super) fn selector(&self, kind: &Kind) -> Result<Selector, Status> {
        Selector::parse(kind, self.get("labelSelector"), self.get("fieldSelector"))
    }

    /// `dryRun`: only `All` is a value.
    pub(super) fn dry_run(&self) -> Result<bool, Status> {
        match self.get("dryRun") {
            "" => Ok(false),
            "All" => Ok(true),
            other => Err(Status::bad_request(format!(
                "dryRun: Unsupported value: {other:?}: supported values: \"All\""
            ))),
        }
    }
}
