//! The access log: a line for each request, written without ever holding one up.

mod deis;
mod json;
mod logd;
mod sink;

use std::{fmt, io::Write, str::FromStr, sync::Arc};

use fairlead_router_engine::{AccessEntry, AccessLog};
use fairlead_wire::Source;
use http::Version;

pub(crate) use self::logd::ToLogd;
pub(crate) use self::sink::Dropped;
use self::sink::Sink;

/// How requests are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessFormat {
    /// A JSON object per line; the fields are in `docs/reference/access-log.md`.
    #[default]
    Json,
    /// The 14 fields of Deis Workflow's router, joined by ` - `.
    Deis,
    /// Not at all.
    Off,
}

impl FromStr for AccessFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "deis" => Ok(Self::Deis),
            "off" => Ok(Self::Off),
            _ => Err("write json, deis or off"),
        }
    }
}

/// Where the lines go.
pub enum AccessOutput {
    /// The process's standard output.
    Stdout,
    /// Somewhere else.
    Writer(Box<dyn Write + Send>),
}

impl fmt::Debug for AccessOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stdout => "Stdout",
            Self::Writer(_) => "Writer",
        })
    }
}

/// The access log of one router.
pub(crate) struct Log {
    output: Option<(Format, Sink)>,
    /// For the apps' own logs.
    source: Option<Source>,
}

type Format = fn(&mut Vec<u8>, &AccessEntry<'_>);

/// An access log for `workers` workers, also to `source`.
///
/// # Errors
/// When its thread cannot be started.
pub(crate) fn start(
    format: AccessFormat,
    output: AccessOutput,
    workers: usize,
    dropped: Arc<Dropped>,
    source: Option<Source>,
) -> std::io::Result<Arc<dyn AccessLog>> {
    let format: Format = match format {
        AccessFormat::Json => json::write,
        AccessFormat::Deis => deis::write,
        AccessFormat::Off => return Ok(Arc::new(Log { output: None, source })),
    };
    let output = match output {
        AccessOutput::Stdout => Box::new(std::io::stdout()),
        AccessOutput::Writer(writer) => writer,
    };
    let sink = Sink::start(workers, dropped, output)?;
    Ok(Arc::new(Log { output: Some((format, sink)), source }))
}

impl AccessLog for Log {
    fn record(&self, worker: usize, entry: &AccessEntry<'_>) {
        if let Some((format, sink)) = &self.output {
            sink.line(worker, |line| format(line, entry));
        }
        if let Some(source) = &self.source {
            logd::record(source, worker, entry);
        }
    }

    fn is_read(&self) -> bool {
        self.output.is_some() || self.source.is_some()
    }
}

/// The name of an HTTP version in a log.
const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "HTTP/0.9",
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

#[cfg(test)]
mod tests;
