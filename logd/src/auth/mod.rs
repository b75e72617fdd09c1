//! Who may do what: bearer tokens, and what they grant.

mod token;

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, header::AUTHORIZATION};

pub use self::token::{Claims, Keys, KeysError, TokenKey, mint};
use crate::app::AppId;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// To send records, and nothing else.
    Ingest,
    /// To read logs.
    Read,
    /// To read and delete logs.
    Write,
    /// Everything but sending.
    Admin,
}

impl Role {
    /// Whether who has this role may do what needs `other`.
    fn includes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Ingest, other) | (other, Self::Ingest) => other == Self::Ingest && self == other,
            (own, other) => own as u8 >= other as u8,
        }
    }
}

/// Whose requests count together where they share something: that of all whose tokens are for the
/// same apps. A token for all apps may be that of somebody who asks for others: it counts by app.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Caller(Arc<str>);

impl Caller {
    pub(crate) fn of(apps: &[String]) -> Self {
        let mut apps: Vec<_> = apps.iter().map(String::as_str).collect();
        apps.sort_unstable();
        Self(apps.join(",").into())
    }
}

/// What somebody may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    role: Option<Role>,
    apps: Vec<String>,
    /// When it ends, in seconds since 1970-01-01 UTC.
    pub(crate) expires: Option<u64>,
}

impl Grant {
    /// To do anything, to any app.
    pub(crate) fn everything() -> Self {
        Self { role: None, apps: vec!["*".to_owned()], expires: None }
    }

    /// To send for any app.
    pub(crate) fn ingest() -> Self {
        Self { role: Some(Role::Ingest), ..Self::everything() }
    }

    /// Who asks for `app`.
    pub(crate) fn caller(&self, app: &AppId) -> Caller {
        if self.covers_all() { Caller(app.as_str().into()) } else { Caller::of(&self.apps) }
    }

    /// Whether it is for what needs `role`.
    pub(crate) fn is_for(&self, role: Role) -> bool {
        self.role.is_none_or(|own| own.includes(role))
    }

    /// Whether it is for all apps of a namespace, also those to come.
    pub(crate) fn covers_namespace(&self, namespace: &str) -> bool {
        let pattern =
            |pattern: &String| pattern == "*" || pattern.strip_suffix("/*") == Some(namespace);
        self.apps.iter().any(pattern)
    }

    /// Whether it is for all apps.
    pub(crate) fn covers_all(&self) -> bool {
        self.apps.iter().any(|pattern| pattern == "*")
    }

    /// Whether it is for this app.
    pub(crate) fn covers(&self, app: &AppId) -> bool {
        self.apps.iter().any(|pattern| match pattern.as_str() {
            "*" => true,
            pattern => match pattern.strip_suffix("/*") {
                Some(namespace) => namespace == app.namespace(),
                None => pattern == app.as_str(),
            },
        })
    }
}

/// Who is let in.
#[derive(Debug)]
pub enum Auth {
    /// Everybody, to everything. On loopback addresses only.
    Off,
    /// Bearers of tokens that one of these keys has signed.
    Tokens(Keys),
}

impl Auth {
    /// What the bearer may do; none where nothing proves who it is.
    pub(crate) fn grant(&self, headers: &HeaderMap) -> Option<Grant> {
        let Self::Tokens(keys) = self else { return Some(Grant::everything()) };
        let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        let claims =
            scheme.eq_ignore_ascii_case("bearer").then(|| keys.verify(token.trim())).flatten()?;
        let Claims { role, apps, exp } = claims;
        Some(Grant { role: Some(role), apps, expires: Some(exp) })
    }
}

/// Until a token's `exp`.
pub(crate) fn remaining(expires: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(expires).saturating_sub(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_include_lesser_ones_and_sending_stands_apart() {
        use Role::{Admin, Ingest, Read, Write};
        let includes = |own: Role| [Ingest, Read, Write, Admin].map(|other| own.includes(other));
        assert_eq!(includes(Ingest), [true, false, false, false]);
        assert_eq!(includes(Read), [false, true, false, false]);
        assert_eq!(includes(Write), [false, true, true, false]);
        assert_eq!(includes(Admin), [false, true, true, true]);
    }

    #[test]
    fn a_grant_covers_a_namespace_or_all_only_where_it_says_so() {
        let grant = |pattern: &str| Grant {
            role: Some(Role::Read),
            apps: vec![pattern.to_owned()],
            expires: None,
        };
        let covers = |pattern: &str| {
            let grant = grant(pattern);
            (grant.covers_namespace("shop"), grant.covers_all())
        };
        assert_eq!(covers("*"), (true, true));
        assert_eq!(covers("shop/*"), (true, false));
        for pattern in ["shop/web", "shops/*", "shop", "/*", "", "*/*"] {
            assert_eq!(covers(pattern), (false, false), "{pattern}");
        }
    }

    #[test]
    fn who_has_tokens_for_the_same_apps_is_one_caller() {
        let caller = |apps: &[&str], app: &str| {
            let apps = apps.iter().map(|&app| app.to_owned()).collect();
            let grant = Grant { role: Some(Role::Read), apps, expires: None };
            grant.caller(&app.parse().unwrap())
        };
        let one = caller(&["shop/a", "shop/b"], "shop/a");
        assert_eq!(one, caller(&["shop/b", "shop/a"], "shop/b"));
        assert_ne!(one, caller(&["shop/a"], "shop/a"));
        assert_ne!(caller(&["*"], "shop/a"), caller(&["*"], "shop/b"));
    }

    #[test]
    fn a_grant_covers_the_apps_that_it_names() {
        let covers = |patterns: &[&str], app: &str| {
            let apps = patterns.iter().map(|&pattern| pattern.to_owned()).collect();
            Grant { role: Some(Role::Read), apps, expires: None }.covers(&app.parse().unwrap())
        };
        assert!(covers(&["shop/web", "shop/api"], "shop/api"));
        assert!(covers(&["shop/*"], "shop/api"));
        assert!(covers(&["*"], "shop/api"));
        assert!(!covers(&["shop/web"], "shop/webs"));
        assert!(!covers(&["shop/*"], "shops/web"));
        assert!(!covers(&["*/web", "s*", "/*"], "shop/web"));
        assert!(!covers(&[], "shop/web"));
    }
}
