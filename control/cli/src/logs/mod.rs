//! `fairlead logs`: shows and follows what an application wrote.

mod args;
mod client;
mod error;
mod line;
mod seen;
mod show;
mod text;

use std::{borrow::Cow, fs, io::ErrorKind, path::Path};

pub(crate) use args::{LogdArgs, LogsArgs};
pub(crate) use client::Logd;
pub(crate) use error::LogsError;

use crate::up::{self, LogdAccess};

/// Shows lines until there are no more; with `--follow` until it is ended.
///
/// # Errors
/// Where no lines can be shown; says why, and what to change.
pub(crate) fn run(args: LogsArgs) -> Result<(), LogsError> {
    let access = access(&args.logd)?;
    let app = app(&args.app, access.namespace.as_deref());
    let logd = Logd::new(&access.url, access.token.as_deref())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(LogsError::System)?;
    match runtime.block_on(show::show(&args, &app, &logd, &mut std::io::stdout().lock())) {
        // Whoever reads has enough, as with `| head`.
        Err(LogsError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// The logd that flags name, else that of the running `fairlead up`.
pub(crate) fn access(args: &LogdArgs) -> Result<LogdAccess, LogsError> {
    if let Some(url) = &args.logd {
        let token = args.token_file.as_deref().map(token).transpose()?;
        return Ok(LogdAccess { url: url.clone(), token, namespace: None });
    }
    let folder = args.state_dir.clone().map_or_else(up::default_state, Ok)?;
    let path = folder.join(up::LOGD_ACCESS);
    match fs::read(&path) {
        Ok(text) => {
            serde_json::from_slice(&text).map_err(|source| LogsError::Client { path, source })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(LogsError::NoLogd { folder }),
        Err(source) => Err(LogsError::File { path, source }),
    }
}

fn token(path: &Path) -> Result<String, LogsError> {
    let failed = |source| LogsError::File { path: path.to_owned(), source };
    Ok(fs::read_to_string(path).map_err(failed)?.trim().to_owned())
}

/// `namespace/name`. A name alone is in the namespace of the running `fairlead up`, else in that
/// of the same name (Deis's layout).
fn app<'a>(given: &'a str, namespace: Option<&str>) -> Cow<'a, str> {
    match namespace {
        _ if given.contains('/') => given.into(),
        Some(namespace) => format!("{namespace}/{given}").into(),
        None => format!("{given}/{given}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_has_a_namespace() {
        assert_eq!(app("hello", Some("default")), "default/hello");
        assert_eq!(app("hello", None), "hello/hello");
        assert_eq!(app("shop/web", Some("default")), "shop/web");
    }
}
