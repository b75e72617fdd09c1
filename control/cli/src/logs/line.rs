//! A line as logd tells it.

use std::borrow::Cow;

use serde::Deserialize;

/// What of a line is shown in text.
#[derive(Debug, Deserialize)]
pub(crate) struct Line<'a> {
    /// Event time.
    #[serde(borrow)]
    pub(crate) time: Cow<'a, str>,
    /// The app: `NAMESPACE/NAME`. What is about the reader's own stream has none.
    #[serde(borrow, default)]
    pub(crate) app: Cow<'a, str>,
    /// The process type.
    #[serde(borrow, default)]
    pub(crate) process: Cow<'a, str>,
    /// The release.
    #[serde(borrow, default)]
    pub(crate) release: Cow<'a, str>,
    /// The pod.
    #[serde(borrow, default)]
    pub(crate) pod: Cow<'a, str>,
    /// What was written.
    #[serde(borrow)]
    pub(crate) message: Cow<'a, str>,
    /// Not written by the app but about its log.
    #[serde(default)]
    pub(crate) notice: bool,
    /// Names the line. What is about the reader's own stream has no name.
    #[serde(borrow, default)]
    pub(crate) name: Cow<'a, str>,
    /// Where to go on after it.
    #[serde(borrow, default)]
    pub(crate) cursor: Cow<'a, str>,
}

impl Line<'_> {
    /// `APP[PROCESS.RELEASE.POD]:` with the app's name and the last part of the pod's, as in the lines
    /// that logd writes as text; `deis[PROCESS]:` for what no pod wrote. Parts that are not known are
    /// left out.
    pub(crate) fn head(&self) -> String {
        if self.pod.is_empty() {
            return format!("deis[{}]:", self.process);
        }
        let app = self.app.rsplit('/').next().unwrap_or_default();
        let pod = self.pod.rsplit('-').next().unwrap_or_default();
        let parts = [&*self.process, &*self.release, pod];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("{app}[{}]:", parts.join("."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_the_parts_that_are_known() {
        let head = |json| serde_json::from_str::<Line<'_>>(json).unwrap().head();
        assert_eq!(
            head(
                r#"{"time":"T","app":"shop/front","process":"web","release":"v2","pod":"front-web-6f7c-x7k2p","message":""}"#
            ),
            "front[web.v2.x7k2p]:"
        );
        assert_eq!(
            head(r#"{"time":"T","process":"logd","message":"","notice":true}"#),
            "deis[logd]:"
        );
    }
}
