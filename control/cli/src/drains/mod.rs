//! `fairlead drains`: shows, declares and tries drains.

mod args;
mod error;
mod secret;
mod show;

use std::io::Write as _;

pub(crate) use args::DrainsArgs;
pub(crate) use error::DrainsError;

use crate::logs::{self, Logd, LogdArgs, LogsError};
use args::DrainsCommand;

/// The namespace of drains that are named without one.
const NAMESPACE: &str = "default";

/// Does what is asked for.
///
/// # Errors
/// Where that cannot be; says why, and what to change.
pub(crate) fn run(args: DrainsArgs) -> Result<(), DrainsError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(LogsError::System)?;
    runtime.block_on(async {
        let text = match args.command {
            DrainsCommand::List(list) => {
                let answer = logd(&list.logd)?.json("GET", "/drains").await?;
                if list.json { format!("{answer}\n") } else { show::list(&answer)? }
            }
            DrainsCommand::Test(test) => {
                let (namespace, name) = named(&test.drain);
                let path = format!("/drains/{namespace}/{name}/test");
                let answer = logd(&test.logd)?.json("POST", &path).await?;
                let (text, arrived) = show::trial(&answer)?;
                if !arrived {
                    write(&text)?;
                    return Err(DrainsError::Test(test.drain));
                }
                text
            }
            DrainsCommand::Add(add) => {
                let (namespace, name) = named(&add.drain);
                secret::add(&add, namespace, name).await?;
                format!(
                    "Secret {namespace}/{name} declares a drain, where logd reads Secrets of {namespace}; `fairlead drains test {namespace}/{name}` tries it\n"
                )
            }
            DrainsCommand::Remove(remove) => {
                let (namespace, name) = named(&remove.drain);
                secret::remove(&remove, namespace, name).await?;
                format!("{namespace}/{name} is removed\n")
            }
        };
        write(&text)
    })
}

fn logd(args: &LogdArgs) -> Result<Logd, LogsError> {
    let access = logs::access(args)?;
    Logd::new(&access.url, access.token.as_deref())
}

fn write(text: &str) -> Result<(), DrainsError> {
    Ok(std::io::stdout().write_all(text.as_bytes()).map_err(LogsError::Output)?)
}

/// Namespace and name.
fn named(drain: &str) -> (&str, &str) {
    drain.split_once('/').unwrap_or((NAMESPACE, drain))
}
