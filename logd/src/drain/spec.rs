//! What a Secret says: pure.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use fairlead_drain::{
    Credentials, CredentialsError, Keys, Network, OpenError, Sink, open,
    target::{Target, TargetError},
};
use thiserror::Error;

use super::{
    feed::Scope,
    host::Hosts,
    manager::{Declared, Shown},
    pump::{Open, Settings},
    totals::Kinds,
};
use crate::{
    app::{AppId, AppIdError},
    read::{
        filter::Filter,
        query::{Query, QueryError},
    },
};

/// Keys of a Secret, `url` first.
const KEYS: [&str; 7] = ["url", "app", "filter", "token", "ca.crt", "tls.crt", "tls.key"];
/// What a filter may say. A pattern is not among them: it may need long for a line, and drains share
/// their threads with all else.
const FILTER: [&str; 5] = ["process", "pod", "stream", "contains", "invert"];

/// Whose drain it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    /// The platform's: it may be for any app, or for all.
    Platform,
    /// This namespace's: for its own apps alone.
    Namespace(&'a str),
}

/// A drain that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{drain}: {problem}")]
pub(crate) struct SpecError {
    /// The Secret, or the flag or variable.
    pub(crate) drain: Arc<str>,
    pub(crate) problem: Problem,
}

/// What is wrong, and what to do. No value of the Secret is in it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum Problem {
    #[error("key {0:?} is unknown: known are url, app, filter, token, ca.crt, tls.crt and tls.key")]
    Key(String),
    #[error("key url is missing: write where lines are to be sent to")]
    NoUrl,
    #[error("key {0} is not UTF-8")]
    Text(&'static str),
    #[error("key url: {0}")]
    Url(#[from] TargetError),
    #[error("key app: {0}")]
    App(#[from] AppIdError),
    #[error("key app: {app} is in another namespace: a drain in {namespace} is for its apps alone")]
    Foreign { app: AppId, namespace: String },
    #[error("key filter: {0}")]
    Filter(String),
    #[error("key {0}")]
    Credentials(#[from] CredentialsError),
    #[error("{0}")]
    Open(OpenError),
    #[error(
        "there are {0} older drains in this namespace, and there may be no more: delete one of them"
    )]
    TooMany(usize),
}

/// What the drains of an owner are given to work with.
pub(super) struct Means {
    pub(super) network: Network,
    pub(super) hosts: Arc<Hosts>,
    pub(super) kinds: Arc<Kinds>,
}

/// Reads what a Secret says.
///
/// # Errors
/// Names the key and what to do.
pub(super) fn read(
    id: Arc<str>,
    data: &BTreeMap<String, Vec<u8>>,
    owner: Owner<'_>,
    means: &Means,
) -> Result<Declared, SpecError> {
    declared(&id, data, owner, means).map_err(|problem| SpecError { drain: id, problem })
}

fn declared(
    id: &Arc<str>,
    data: &BTreeMap<String, Vec<u8>>,
    owner: Owner<'_>,
    means: &Means,
) -> Result<Declared, Problem> {
    if let Some(unknown) = data.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(Problem::Key(unknown.clone()));
    }
    let text = |key: &'static str| {
        let value = data.get(key).map(|value| std::str::from_utf8(value));
        let value = value.transpose().map_err(|_| Problem::Text(key))?;
        Ok::<_, Problem>(value.map(str::trim))
    };
    let target = Target::parse(text("url")?.ok_or(Problem::NoUrl)?)?;
    let app = text("app")?.filter(|app| !app.is_empty());
    let scope = scope(app, owner)?;
    let filter = text("filter")?.filter(|filter| !filter.is_empty());
    let bytes = |key: &str| data.get(key).map(Vec::as_slice);
    let credentials = Credentials::read(Keys {
        ca: bytes("ca.crt"),
        certificate: bytes("tls.crt"),
        key: bytes("tls.key"),
        token: bytes("token"),
    })?;
    let shown =
        Shown { url: target.to_string(), kind: target.scheme(), filter: filter.map(str::to_owned) };
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    let settings = Settings {
        filter: self::filter(filter.unwrap_or_default())?,
        totals: means.kinds.of(target.scheme()),
        host: means.hosts.host(&format!("{}://{}", target.scheme(), target.endpoint())),
        sinks: Box::new(
            Opener::new(target, credentials, means.network.clone()).map_err(Problem::Open)?,
        ),
    };
    Ok(Declared {
        id: id.clone(),
        scope,
        shown: Arc::new(shown),
        hash: hasher.finish(),
        settings: Arc::new(settings),
    })
}

fn scope(app: Option<&str>, owner: Owner<'_>) -> Result<Scope, Problem> {
    Ok(match (app, owner) {
        (None, Owner::Platform) => Scope::All,
        (None, Owner::Namespace(namespace)) => Scope::Namespace(namespace.to_owned()),
        (Some(app), Owner::Platform) => Scope::App(app.parse()?),
        (Some(app), Owner::Namespace(namespace)) => {
            let app: AppId =
                if app.contains('/') { app.parse()? } else { AppId::new(namespace, app)? };
            if app.namespace() != namespace {
                return Err(Problem::Foreign { app, namespace: namespace.to_owned() });
            }
            Scope::App(app)
        }
    })
}

/// `NAME=VALUE,…` as the parameters of a request for logs; `contains` takes the rest.
fn filter(text: &str) -> Result<Filter, Problem> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, value) = rest
            .split_once('=')
            .ok_or_else(|| Problem::Filter("write NAME=VALUE, as in process=web".to_owned()))?;
        let name = name.trim();
        if !FILTER.contains(&name) {
            let known = FILTER.join(", ");
            return Err(Problem::Filter(format!("{name:?} is unknown: known are {known}")));
        }
        let (value, after) = match value.split_once(',') {
            Some(parts) if name != "contains" => parts,
            _ => (value, ""),
        };
        pairs.push((name, value));
        rest = after;
    }
    let failed = |error: QueryError| Problem::Filter(error.to_string());
    Ok(Query::parse(pairs.into_iter(), 0).map_err(failed)?.filter)
}

/// Opens sinks for one drain.
#[derive(Clone)]
struct Opener {
    target: Target,
    credentials: Credentials,
    network: Network,
}

impl Opener {
    fn new(target: Target, credentials: Credentials, network: Network) -> Result<Self, OpenError> {
        open(&target, &credentials, &network)?;
        Ok(Self { target, credentials, network })
    }
}

impl Open for Opener {
    fn open(&self) -> Box<dyn Sink> {
        open(&self.target, &self.credentials, &self.network).expect("it could be opened before")
    }
}

#[cfg(test)]
mod tests;
