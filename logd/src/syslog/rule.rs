//! Which app a message belongs to.

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::app::{AppId, AppIdError};

/// `HOSTNAME[/APP-NAME]=NAMESPACE/APP`: messages of a host, or of one of its programs, are an app's.
/// `*` is any host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// None: any.
    host: Option<Box<str>>,
    /// None: any.
    process: Option<Box<str>>,
    app: AppId,
}

/// What is no rule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RuleError {
    /// It has another form.
    #[error("write HOSTNAME=NAMESPACE/APP or HOSTNAME/APP-NAME=NAMESPACE/APP; * is any host")]
    Form,
    /// The app's name is none.
    #[error(transparent)]
    App(#[from] AppIdError),
}

impl FromStr for Rule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        // An application's name may hold both signs, a host's and an app's none.
        let (from, app) = text.rsplit_once('=').ok_or(RuleError::Form)?;
        let (host, process) = match from.split_once('/') {
            Some((host, process)) => (host, Some(process)),
            None => (from, None),
        };
        if host.is_empty() || process.is_some_and(str::is_empty) {
            return Err(RuleError::Form);
        }
        let host = (host != "*").then(|| host.into());
        Ok(Self { host, process: process.map(Into::into), app: app.parse()? })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, process, app } = self;
        f.write_str(host.as_deref().unwrap_or("*"))?;
        if let Some(process) = process {
            write!(f, "/{process}")?;
        }
        write!(f, "={app}")
    }
}

impl Rule {
    /// Names of hosts are the same in upper and lower case.
    fn takes(&self, host: &str, process: &str) -> bool {
        self.host.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(host))
            && self.process.as_deref().is_none_or(|own| own == process)
    }
}

/// The app of the first rule that takes the message.
pub(super) fn app<'r>(rules: &'r [Rule], host: &str, process: &str) -> Option<&'r AppId> {
    rules.iter().find(|rule| rule.takes(host, process)).map(|rule| &rule.app)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_takes_it_says_the_app() {
        let rules: Vec<Rule> = ["db-1/postgres=shop/db", "DB-1=ops/hosts", "*/a/b=ops=/x"]
            .into_iter()
            .filter_map(|rule| rule.parse().ok())
            .chain(["*/postfix/smtpd=mail".parse().unwrap()])
            .collect();
        assert_eq!(rules.len(), 3, "ops=/x is no app");
        let app = |host, process| app(&rules, host, process).map(AppId::as_str);
        assert_eq!(app("db-1", "postgres"), Some("shop/db"));
        assert_eq!(app("Db-1", "sshd"), Some("ops/hosts"));
        assert_eq!(app("any", "postfix/smtpd"), Some("mail/mail"));
        assert_eq!(app("any", "postfix"), None);
        assert_eq!(rules[0].to_string(), "db-1/postgres=shop/db");
        assert_eq!(rules[2].to_string(), "*/postfix/smtpd=mail/mail");
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in ["", "a", "=shop/web", "/p=shop/web", "h/=shop/web"] {
            assert_eq!(text.parse::<Rule>(), Err(RuleError::Form), "{text:?}");
        }
        assert!(matches!("h=shop/".parse::<Rule>(), Err(RuleError::App(_))));
    }
}
